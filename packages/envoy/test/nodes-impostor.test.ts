import assert from "node:assert/strict";
import { once } from "node:events";
import { createSecureServer, type ServerHttp2Stream } from "node:http2";
import type { AddressInfo } from "node:net";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import {
  createTestOrganisation,
  issueForSeveral,
  type TestIdentity,
  type TestOrganisation,
} from "@catalyst/identity/testing";
import { defaultKey } from "@catalyst/xds";
import { compileNodeTrust } from "../src/node-access.ts";
import { compileNodeIdentity } from "../src/node-tls.ts";
import { type EnvoyUnderTest, envoyMissing, startEnvoy, until } from "./envoy-under-test.ts";
import { ask } from "./upstream.ts";

const domain = "acme.catalyst.internal";
const envoyOf = (node: string, of = domain) => ({ domain: of, node, process: "envoy" });
const sni = `n2.${domain}`;

/** Whoever stands where n2 is expected, with a certificate; counts connections whose TLS came about, and answers everything. */
async function standIn({ cert, key }: TestIdentity) {
  let met = 0;
  const server = createSecureServer({ cert, key, requestCert: true, rejectUnauthorized: false });
  server.on("sessionError", () => undefined).on("tlsClientError", () => undefined);
  server.on("connection", () => met++);
  server.on("stream", (stream: ServerHttp2Stream) => {
    stream.respond({ ":status": 200 });
    stream.end();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return { port, met: () => met, [Symbol.dispose]: () => server.close() };
}

describe("Whom a node's Envoy goes to", { skip: envoyMissing }, () => {
  let acme: TestOrganisation;
  let globex: TestOrganisation;
  let n1: EnvoyUnderTest;
  const own = async () => {
    const { cert: certificate, key: privateKey } = await acme.issue("n1", "envoy");
    return compileNodeIdentity({ certificate, privateKey });
  };
  const believe = async (...roots: TestOrganisation["root"][]) => {
    n1.xds.update(defaultKey, { upsert: compileNodeTrust({ roots, pinned: [], denied: [] }, domain) });
    await n1.xds.settled(defaultKey, { timeoutMs: 5_000 });
  };

  before(async () => {
    acme = await createTestOrganisation(domain);
    globex = await createTestOrganisation("globex.example");
    const trust = compileNodeTrust({ roots: [acme.root], pinned: [], denied: [] }, domain);
    n1 = await startEnvoy({ nodes: true, mesh: { node: "n1", domain }, extra: [await own(), ...trust] });
  });
  after(() => n1?.[Symbol.asyncDispose]());

  /** The status of a request for a service that n2 has, where n2 is whoever has this certificate. */
  const statusWith = async (name: string, shown: TestIdentity) => {
    using stand = await standIn(shown);
    const nextHop = {
      host: "127.0.0.1",
      port: stand.port,
      sni,
      spiffeId: `spiffe://${domain}/node/n2/envoy`,
    };
    await n1.apply({ put: [{ name, paths: [{ to: "node", nextHop }] }] });
    await until(() => stand.met() > 0);
    await sleep(100);
    const { status } = await ask(n1.mesh.listen.egress.port, { host: `${name}.${domain}` });
    await n1.apply({ remove: [name] });
    return status;
  };

  test("The node itself is gone to", async () => {
    await believe(acme.root, globex.root);
    assert.equal(await statusWith("itself", await acme.issue("n2", "envoy")), 200);
  });

  test("Another organisation that is believed does not pass for a node of this one, whatever names its certificate has", async () => {
    await believe(acme.root, globex.root);
    const [ours, theirs] = [envoyOf("n2"), envoyOf("n2", globex.domain)];
    for (const ids of [[ours], [theirs, ours], [ours, theirs]]) {
      const shown = await issueForSeveral(globex.rootAuthority, ids);
      assert.equal(await statusWith("posed", shown), 503, JSON.stringify(ids));
    }
  });

  test("Nobody is gone to where no root of this organisation is believed", async () => {
    await believe(globex.root);
    const shown = await issueForSeveral(globex.rootAuthority, [envoyOf("n2", globex.domain), envoyOf("n2")]);
    assert.equal(await statusWith("none", shown), 503);
    assert.equal(await statusWith("still", await acme.issue("n2", "envoy")), 503);
  });
});
