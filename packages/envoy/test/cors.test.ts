import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { defaultKey } from "@catalyst/xds";
import { compileCredentials } from "../src/auth.ts";
import { domain, rulesOf, testIssuer } from "./credentials.ts";
import { type EnvoyUnderTest, envoyMissing, startEnvoy } from "./envoy-under-test.ts";
import { type Ask, ask, echoOf, startUpstream, type Upstream } from "./upstream.ts";

const keys = testIssuer("apikeys");
const page = "https://app.example";
const preflight = {
  "access-control-request-method": "POST",
  "access-control-request-headers": "authorization,content-type,x-tenant",
};

describe("A node that browsers may call from some origins", { skip: envoyMissing }, () => {
  let upstream: Upstream;
  let envoy: EnvoyUnderTest;

  before(async () => {
    upstream = await startUpstream({ host: "127.0.0.1", port: 0 });
    const service = { name: "products", protocol: "http" as const, url: upstream.origin, timeoutMs: 5_000 };
    envoy = await startEnvoy({
      services: [service],
      mesh: { auth: { open: [] }, cors: { origins: [page], headers: ["x-tenant"], maxAgeMs: 60_000 } },
    });
    envoy.xds.update(defaultKey, { upsert: compileCredentials(rulesOf([keys])) });
    assert.equal((await envoy.xds.settled(defaultKey, { timeoutMs: 5_000 })).complete, true);
    assert.deepEqual(envoy.xds.quarantined(), []);
  });
  after(async () => {
    await envoy[Symbol.asyncDispose]();
    await upstream[Symbol.asyncDispose]();
  });

  const call = (given: Partial<Ask>, port = envoy.mesh.listen.ingress.port) =>
    ask(port, { host: `products.${domain}`, path: "/", ...given });

  test("answers their preflights by itself, which carry no credential, for services and for the GraphQL endpoint", async () => {
    const before = upstream.requests();
    for (const [host, path] of [
      [`products.${domain}`, "/things/7"],
      ["localhost", "/graphql"],
      [`graphql.${domain}`, "/graphql"],
    ] as const) {
      const answer = await call({ host, path, method: "OPTIONS", headers: { origin: page, ...preflight } });
      assert.equal(answer.status, 200);
      assert.equal(answer.headers["access-control-allow-origin"], page);
      assert.match(
        String(answer.headers["access-control-allow-headers"]),
        /authorization.*content-type.*x-tenant/,
      );
      assert.match(String(answer.headers["access-control-allow-methods"]), /POST/);
      assert.equal(answer.headers["access-control-max-age"], "60");
      assert.equal(answer.headers["access-control-allow-credentials"], undefined);
    }
    assert.equal(upstream.requests(), before);
  });

  test("lets them read answers, refusals among them, and asks for the credential all the same", async () => {
    const refused = await call({ headers: { origin: page } });
    assert.equal(refused.status, 401);
    assert.equal(refused.headers["access-control-allow-origin"], page);
    const headers = { origin: page, authorization: `Bearer ${keys.issue()}` };
    const answer = await call({ headers });
    assert.equal(answer.status, 200);
    assert.equal(answer.headers["access-control-allow-origin"], page);
    assert.match(String(answer.headers["access-control-expose-headers"]), /x-request-id/);
    assert.equal(echoOf(answer).method, "GET");
  });

  test("says nothing to pages of other origins, nor on egress", async () => {
    const other = { origin: "https://app.example.evil.test" };
    const asked = await call({ method: "OPTIONS", headers: { ...other, ...preflight } });
    assert.equal(asked.status, 401);
    assert.equal(asked.headers["access-control-allow-origin"], undefined);
    const headers = { authorization: `Bearer ${keys.issue()}` };
    const answered = await call({ headers: { ...headers, ...other } });
    assert.equal(answered.headers["access-control-allow-origin"], undefined);
    const inside = await call({ headers: { ...headers, origin: page } }, envoy.mesh.listen.egress.port);
    assert.deepEqual([inside.status, inside.headers["access-control-allow-origin"]], [200, undefined]);
  });
});
