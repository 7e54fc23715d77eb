import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { createTestOrganisation } from "@catalyst/identity/testing";
import { defaultKey } from "@catalyst/xds";
import { readAdmin } from "../src/admin.ts";
import { compileCredentials } from "../src/auth.ts";
import { compileNodeTrust } from "../src/node-access.ts";
import { compileNodeIdentity } from "../src/node-tls.ts";
import { heraldName, nodesRoutesName } from "../src/nodes-scope.ts";
import type { NextHop, ReachableService, ServicePath } from "../src/reachable.ts";
import { scopeOver } from "../src/scope.ts";
import { hostScope } from "../src/scope-key.ts";
import { domain, rulesOf } from "./credentials.ts";
import { type EnvoyUnderTest, envoyMissing, startEnvoy, until } from "./envoy-under-test.ts";
import { forged, good, keys, tokens, uncovering, wrong } from "./forgeries.ts";
import { ask, echoOf, errorOf, startUpstream, type Upstream } from "./upstream.ts";

// The first node demands credentials, the others let their services be had without: what is refused, the first one refuses.
describe("Routes that the services of other nodes share", { skip: envoyMissing }, () => {
  let upstream: Upstream;
  let n1: EnvoyUnderTest;
  let n2: EnvoyUnderTest;
  let n3: EnvoyUnderTest;

  before(async () => {
    const acme = await createTestOrganisation(domain);
    const start = async (node: string, mesh: object, rules: Parameters<typeof compileCredentials>[0]) => {
      const { cert: certificate, key: privateKey } = await acme.issue(node, "envoy");
      const trust = compileNodeTrust({ roots: [acme.root], pinned: [], denied: [] }, domain);
      const credentials = rules === null ? [] : compileCredentials(rules);
      const extra = [compileNodeIdentity({ certificate, privateKey }), ...trust, ...credentials];
      return startEnvoy({ nodes: true, mesh: { node, domain, ...mesh }, extra });
    };
    upstream = await startUpstream({ host: "127.0.0.1", port: 0 });
    [n1, n2, n3] = await Promise.all([
      start("n1", { auth: { open: ["open", "moving"] } }, rulesOf([tokens, keys])),
      start("n2", {}, null),
      start("n3", {}, null),
    ]);
    const names = ["products", "reviews", "open", "moving"];
    const services = names.map((name) => ({ name, paths: [here(name)] }));
    await Promise.all([n2, n3].map((envoy) => envoy.apply({ put: services })));
    await n1.apply({ put: names.map((name) => at(name, hopTo(n2, "n2"))) });
    await until(async () => (await egress("open")).status === 200);
  });
  after(async () => {
    await Promise.all([n1, n2, n3].map((envoy) => envoy?.[Symbol.asyncDispose]()));
    await upstream?.[Symbol.asyncDispose]();
  });

  const here = (name: string): ServicePath => ({
    to: "here",
    service: { name, protocol: "http", url: upstream.origin, timeoutMs: 5_000 },
  });
  const hopTo = (envoy: EnvoyUnderTest, node: string): ServicePath & { readonly to: "node" } => ({
    to: "node",
    nextHop: {
      host: "127.0.0.1",
      port: envoy.mesh.listen.mesh?.port ?? 0,
      sni: `${node}.${domain}`,
      spiffeId: `spiffe://${domain}/node/${node}/envoy`,
    } satisfies NextHop,
  });
  const at = (name: string, ...paths: ServicePath[]): ReachableService => ({ name, paths });
  const egress = (name: string, headers: Record<string, string> = {}, host = `${name}.${domain}`) =>
    ask(n1.mesh.listen.egress.port, { host, headers });
  const loggedAs = (id: string) => {
    const line = n1
      .output()
      .split("\n")
      .find((each) => each.includes(id));
    return JSON.parse(String(line)) as { service?: string };
  };
  const bearer = (credential: string) => ({ authorization: `Bearer ${credential}` });

  test("let in whoever has a credential for the service that is asked for, or for all", async () => {
    for (const credential of [
      good,
      keys.issue(),
      tokens.issue({ services: ["products"] }),
      tokens.issue({ services: ["a", "products"] }),
    ]) {
      const answer = await egress("products", bearer(credential));
      assert.equal(answer.status, 200, answer.body);
      assert.equal(echoOf(answer).headers["x-catalyst-scope"], undefined);
      for (const host of [`products.${domain}:8080`, `Products.${domain.toUpperCase()}`])
        assert.equal((await egress("products", bearer(credential), host)).status, 200, host);
    }
  });

  test("refuse a credential for another service, and name the one that it does not cover", async () => {
    const before = upstream.requests();
    const others = { "of its neighbour": tokens.issue({ services: ["reviews"] }), ...uncovering };
    for (const [what, credential] of Object.entries(others)) {
      const answer = await egress("products", bearer(credential));
      assert.equal(answer.status, 403, what);
      assert.equal(errorOf(answer).extensions["service"], "products", what);
    }
    assert.equal((await egress("reviews", bearer(tokens.issue({ services: ["reviews"] })))).status, 200);
    assert.equal(upstream.requests(), before + 1);
  });

  test("refuse what is no credential, and nobody's request chooses its scope", async () => {
    const before = upstream.requests();
    for (const [what, credential] of Object.entries({ ...forged, ...wrong }))
      assert.equal((await egress("products", bearer(credential))).status, 401, what);
    assert.equal((await egress("products")).status, 401);
    const reviews = bearer(tokens.issue({ services: ["reviews"] }));
    const lie = { ...reviews, "x-catalyst-scope": `reviews.${domain}` };
    assert.equal((await egress("products", lie)).status, 403);
    assert.equal(upstream.requests(), before);
    const scopes = n1.xds.snapshot(defaultKey);
    const heralds = [...scopes].flatMap(({ name }) => (name.endsWith("/") ? [name] : []));
    assert.equal(heralds.length, 2);
    const asked = upstream.requests();
    for (const host of heralds) {
      const { status } = await egress("", bearer(good), host);
      assert.ok([400, 404].includes(status), `${host}: ${status}`);
    }
    assert.equal(upstream.requests(), asked);
  });

  test("are told apart in the log, by the service's name", async () => {
    const { headers } = await egress("open", {}, `open.${domain}:99`);
    const id = String(headers["x-request-id"]);
    await until(() => n1.output().includes(id));
    assert.equal(loggedAs(id).service, "open");
    const none = String((await egress("none", bearer(good))).headers["x-request-id"]);
    await until(() => n1.output().includes(none));
    assert.equal("service" in loggedAs(none), false);
  });

  test("are seen in force, for explanations, where the scope and its routes are", async () => {
    const admin = readAdmin(join(n1.folder, "admin.sock"));
    assert.equal((await admin.view(`products.${domain}`)).routed, true);
    assert.equal((await admin.view(`none.${domain}`)).routed, false);
    const lost = scopeOver(hostScope(`lost.${domain}`), "covered/nowhere");
    n1.xds.update(defaultKey, { upsert: [{ ...lost, references: [] }] });
    await n1.xds.settled(defaultKey, { timeoutMs: 5_000 });
    assert.equal((await admin.view(`lost.${domain}`)).routed, false);
    n1.xds.update(defaultKey, { remove: [lost] });
  });

  test("are there before a service goes another way: no request fails while it moves", async () => {
    const [second, third] = [hopTo(n2, "n2"), hopTo(n3, "n3")];
    const counts = new Map<number, number>();
    let isOver = false;
    const asking = (async () => {
      while (!isOver) {
        const { status } = await egress("moving");
        counts.set(status, (counts.get(status) ?? 0) + 1);
      }
    })();
    const ways: ServicePath[][] = [[third], [second, third], [third, second], [here("moving")], [second]];
    try {
      for (let round = 0; round < 6; round++)
        for (const paths of ways) await n1.apply({ put: [at("moving", ...paths)] });
    } finally {
      isOver = true;
      await asking;
    }
    assert.deepEqual([...counts.keys()], [200]);
  });

  test("go with the last service that has them", async () => {
    const third = hopTo(n3, "n3");
    const routes = [...n1.xds.snapshot(defaultKey)].filter(({ name }) => name.includes("/n3/"));
    assert.deepEqual(routes, []);
    await n1.apply({ put: [at("open", third), at("products", third)] });
    const { spiffeId, host, port, sni } = third.nextHop;
    const way = { cluster: `${spiffeId}@${host}:${port}/${sni}`, ways: 1 };
    const named = [...n1.xds.snapshot(defaultKey)].map(({ name }) => name);
    for (const open of [true, false]) {
      const name = nodesRoutesName(way, open);
      assert.ok(named.includes(name) && named.includes(heraldName(name)));
    }
    await n1.apply({ remove: ["open", "products"] });
    assert.ok(![...n1.xds.snapshot(defaultKey)].some(({ name }) => name.includes("/n3/")));
  });
});
