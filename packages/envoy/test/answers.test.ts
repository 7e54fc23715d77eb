import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import { after, before, describe, test } from "node:test";
import { createTestOrganisation, type TestOrganisation } from "@catalyst/identity/testing";
import { compileNodeTrust } from "../src/node-access.ts";
import { compileNodeIdentity } from "../src/node-tls.ts";
import type { NextHop, ReachableService, ServicePath } from "../src/reachable.ts";
import { type EnvoyUnderTest, envoyMissing, startEnvoy } from "./envoy-under-test.ts";
import { ask, startUpstream, type Upstream } from "./upstream.ts";

const domain = "acme.catalyst.internal";

/** What Envoy and this node say to each other in answers, and a service may try to say in their place. */
const forged = {
  "x-catalyst-unreached": "true",
  "x-envoy-immediate-health-check-fail": "true",
};

/** A service that says all of that, and how often it was asked. */
async function startLiar(): Promise<{ server: Server; origin: string; asked: () => number }> {
  let asked = 0;
  const server = createServer((incoming, response) => {
    asked += 1;
    response.writeHead(incoming.url === "/fails" ? 503 : 200, { ...forged, "x-own": "kept" }).end();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  return { server, origin: `http://127.0.0.1:${port}`, asked: () => asked };
}

describe("What a service answers in the name of Envoy", { skip: envoyMissing }, () => {
  let acme: TestOrganisation;
  let honest: Upstream;
  let liar: Awaited<ReturnType<typeof startLiar>>;
  let n1: EnvoyUnderTest;
  let n2: EnvoyUnderTest;
  let elsewhere: ServicePath;

  const here = (name: string, url: string): ServicePath => ({
    to: "here",
    service: { name, protocol: "http", url, timeoutMs: 5_000 },
  });
  const service = (name: string, ...paths: ServicePath[]): ReachableService => ({ name, paths });
  const from = (envoy: EnvoyUnderTest, name: string, more: object = {}) =>
    ask(envoy.mesh.listen.egress.port, { host: `${name}.${domain}`, ...more });

  before(async () => {
    acme = await createTestOrganisation(domain);
    [honest, liar] = await Promise.all([startUpstream({ host: "127.0.0.1", port: 0 }), startLiar()]);
    const start = async (node: string) => {
      const { cert: certificate, key: privateKey } = await acme.issue(node, "envoy");
      const trust = compileNodeTrust({ roots: [acme.root], pinned: [], denied: [] }, domain);
      const extra = [compileNodeIdentity({ certificate, privateKey }), ...trust];
      return startEnvoy({ nodes: true, mesh: { node, domain }, extra });
    };
    [n1, n2] = await Promise.all([start("n1"), start("n2")]);
    const nextHop: NextHop = {
      host: "127.0.0.1",
      port: n2.mesh.listen.mesh?.port ?? 0,
      sni: `n2.${domain}`,
      spiffeId: `spiffe://${domain}/node/n2/envoy`,
    };
    elsewhere = { to: "node", nextHop };
    await n2.apply({
      put: [
        service("liar", here("liar", liar.origin)),
        service("both", here("both", honest.origin)),
        service("honest", here("honest", honest.origin)),
      ],
    });
    await n1.apply({
      put: [
        service("liar", elsewhere),
        service("honest", elsewhere),
        service("alone", here("alone", liar.origin)),
        service("both", here("both", liar.origin), elsewhere),
      ],
    });
  });
  after(async () => {
    liar?.server.close();
    liar?.server.closeAllConnections();
    await Promise.all([n1, n2, honest].map((each) => each?.[Symbol.asyncDispose]()));
  });

  test("reaches no client, on this node and on another one", async () => {
    for (const [envoy, name] of [
      [n1, "alone"],
      [n1, "liar"],
      [n1, "both"],
      [n2, "liar"],
    ] as const) {
      const { status, headers } = await from(envoy, name);
      assert.deepEqual([status, headers["x-own"]], [200, "kept"], name);
      for (const header of Object.keys(forged))
        assert.equal(headers[header], undefined, `${header} of ${name}`);
    }
  });

  test("does not make a request be sent to another node a second time", async () => {
    for (const path of ["/", "/fails"]) {
      const before = [liar.asked(), honest.requests()];
      const { status } = await from(n1, "both", { method: "POST", path });
      assert.equal(status, path === "/" ? 200 : 503);
      assert.deepEqual([liar.asked(), honest.requests()], [(before[0] ?? 0) + 1, before[1]], path);
    }
  });

  test("does not take the other services of its node along", async () => {
    await from(n1, "liar");
    for (let times = 0; times < 5; times++) assert.equal((await from(n1, "honest")).status, 200);
  });
});
