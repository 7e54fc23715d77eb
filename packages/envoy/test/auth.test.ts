import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import type { ServiceDeclaration } from "@catalyst/rpc";
import { defaultKey } from "@catalyst/xds";
import { type CredentialRules, compileCredentials } from "../src/auth.ts";
import { claimsOf, domain, rulesOf, testIssuer } from "./credentials.ts";
import { type EnvoyUnderTest, envoyMissing, startEnvoy, until } from "./envoy-under-test.ts";
import { type Answer, type Ask, ask, echoOf, errorOf, startUpstream, type Upstream } from "./upstream.ts";

const tokens = testIssuer("tokens");
const keys = testIssuer("apikeys");
const bearer = (token: string) => ({ authorization: `Bearer ${token}` });

describe("A node that demands credentials", { skip: envoyMissing }, () => {
  let upstream: Upstream;
  let envoy: EnvoyUnderTest;

  before(async () => {
    upstream = await startUpstream({ host: "127.0.0.1", port: 0 });
    const names = ["products", "reviews", "brochure"];
    envoy = await startEnvoy({
      services: names.map((name) => service(name, upstream.origin)),
      mesh: { auth: { open: ["brochure"] } },
    });
    await believe(rulesOf([tokens, keys]));
  });
  after(async () => {
    await envoy[Symbol.asyncDispose]();
    await upstream[Symbol.asyncDispose]();
  });

  const believe = async (rules: CredentialRules | null) => {
    envoy.xds.update(defaultKey, { upsert: compileCredentials(rules) });
    assert.equal((await envoy.xds.settled(defaultKey, { timeoutMs: 5_000 })).complete, true);
    assert.deepEqual(envoy.xds.quarantined(), []);
  };
  const listeners = () => [envoy.mesh.listen.ingress.port, envoy.mesh.listen.egress.port];
  const at = (name: string, headers: Ask["headers"] = {}, port = envoy.mesh.listen.ingress.port) =>
    ask(port, { host: `${name}.${domain}`, headers });

  test("refuses a request without one on ingress and on egress, and says what it asks for", async () => {
    for (const port of listeners()) {
      const before = upstream.requests();
      const answer = await at("products", {}, port);
      assert.deepEqual(outcome(answer), [401, "UNAUTHENTICATED"]);
      assert.equal(answer.headers["www-authenticate"], "Bearer");
      assert.equal(answer.headers["content-type"], "application/json");
      assert.equal(upstream.requests(), before);
    }
  });

  test("takes a token or an API key in either header, and tells the service who calls", async () => {
    for (const port of listeners()) {
      for (const [issuer, sub] of [
        [tokens, `spiffe://${domain}/node/n1/gateway`],
        [keys, "apikey:ci"],
      ] as const) {
        const credential = issuer.issue({ sub });
        for (const headers of [bearer(credential), { "x-api-key": credential }]) {
          const echo = echoOf(await at("products", headers, port));
          assert.equal(echo.headers["x-catalyst-caller"], sub);
          const [name = "", value = ""] = Object.entries(headers)[0] ?? [];
          assert.equal(echo.headers[name], value, "the credential travels on");
        }
      }
    }
  });

  test("lets a credential reach the services that it names and no others, on ingress and on egress", async () => {
    const credential = bearer(keys.issue({ services: ["products"] }));
    for (const port of listeners()) {
      assert.equal((await at("products", credential, port)).status, 200);
      const before = upstream.requests();
      const refused = await at("reviews", credential, port);
      assert.deepEqual(outcome(refused), [403, "FORBIDDEN"]);
      assert.equal(errorOf(refused).extensions["service"], "reviews");
      assert.equal(upstream.requests(), before);
    }
    const host = `REVIEWS.${domain}:80`;
    assert.equal((await ask(listeners()[0] ?? 0, { host, headers: credential })).status, 403);
  });

  test("tells who stands inside that it refused, and by which policy", async () => {
    const detailsOf = async (credential: string | null) => {
      const headers = credential === null ? {} : bearer(credential);
      const { details } = errorOf(await at("products", headers, envoy.mesh.listen.egress.port)).extensions;
      return details;
    };
    const policy = (name: string) => `rbac_access_denied_matched_policy[${name}]`;
    const gone = keys.issue();
    await believe(rulesOf([tokens, keys], [String(claimsOf(gone)["jti"])]));
    assert.equal(await detailsOf(gone), policy("revoked"));
    const refused = [null, "garbage", keys.issue({ exp: 1 }), testIssuer("apikeys").issue()];
    for (const each of [...refused, keys.issue({ services: ["reviews"] })]) {
      assert.equal(await detailsOf(each), policy("none"));
    }
    await believe(rulesOf([tokens, keys]));
  });

  test("takes graphql for a service of its own, at the node's Hosts as at its own", async () => {
    assert("socketPath" in envoy.mesh.gateway);
    await using _gateway = await startUpstream({ path: envoy.mesh.gateway.socketPath });
    const [ingress = 0] = listeners();
    for (const host of ["localhost", `graphql.${domain}`, domain]) {
      const path = "/graphql";
      const without = await ask(ingress, { host, path });
      assert.deepEqual(outcome(without), [401, "UNAUTHENTICATED"], host);
      const other = await ask(ingress, {
        host,
        path,
        headers: bearer(keys.issue({ services: ["products"] })),
      });
      assert.deepEqual(
        [...outcome(other), errorOf(other).extensions["service"]],
        [403, "FORBIDDEN", "graphql"],
      );
      const its = await ask(ingress, { host, path, headers: bearer(keys.issue({ services: ["graphql"] })) });
      assert.equal(echoOf(its).headers["x-catalyst-caller"], "apikey:ci");
    }
  });

  test("tells an open service who calls when the credential is good, and nobody when it is not", async () => {
    const callerOf = async (headers: Ask["headers"]) =>
      echoOf(await at("brochure", headers)).headers["x-catalyst-caller"];
    assert.equal(await callerOf({}), undefined);
    assert.equal(await callerOf(bearer(keys.issue({ services: ["products"] }))), "apikey:ci");
    for (const bad of ["garbage", keys.issue({ exp: 1 }), testIssuer("apikeys").issue()]) {
      assert.equal(await callerOf(bearer(bad)), undefined);
    }
    const upper = await ask(listeners()[0] ?? 0, { host: `BROCHURE.${domain}` });
    assert.equal(upper.status, 200);
  });

  test("verifies one credential of a request: a service's own in the other header are left alone", async () => {
    const ours = keys.issue({ sub: "apikey:one" });
    const callerOf = async (headers: Ask["headers"]) =>
      echoOf(await at("products", headers)).headers["x-catalyst-caller"];
    assert.equal(
      await callerOf({ "x-api-key": ours, authorization: "Bearer the-services-own" }),
      "apikey:one",
    );
    assert.equal(await callerOf({ "x-api-key": "the-services-own", ...bearer(ours) }), "apikey:one");
    const two = { "x-api-key": ours, ...bearer(tokens.issue({ sub: `spiffe://${domain}/two` })) };
    assert.equal(await callerOf(two), "apikey:one");
  });

  test("refuses a revoked credential everywhere, also where none is needed, and no other", async () => {
    const [gone, kept] = [keys.issue({ jti: "0".repeat(32) }), keys.issue()];
    assert.equal((await at("products", bearer(gone))).status, 200);
    const many = Array.from({ length: 10_000 }, (_, i) => i.toString(16).padStart(32, "0"));
    await believe(rulesOf([tokens, keys], many));
    for (const name of ["products", "brochure"]) {
      assert.deepEqual(outcome(await at(name, bearer(gone))), [401, "UNAUTHENTICATED"]);
      assert.deepEqual(outcome(await at(name, { "x-api-key": gone })), [401, "UNAUTHENTICATED"]);
      assert.equal((await at(name, bearer(kept))).status, 200);
    }
    await believe(rulesOf([tokens, keys]));
    assert.equal((await at("products", bearer(gone))).status, 200);
  });

  test("takes the credentials of a new key at once, and none of a key that was taken away", async () => {
    const next = testIssuer("apikeys");
    const [old, fresh] = [keys.issue(), next.issue()];
    assert.equal((await at("products", bearer(fresh))).status, 401);
    const both = { ...keys.rules, jwks: JSON.stringify({ keys: [keys.jwk, next.jwk] }) };
    await believe({ issuers: [tokens.rules, both], revoked: [] });
    for (const each of [old, fresh]) assert.equal((await at("products", bearer(each))).status, 200);
    await believe(rulesOf([tokens, next]));
    assert.equal((await at("products", bearer(old))).status, 401);
    assert.equal((await at("products", bearer(fresh))).status, 200);
    await believe(rulesOf([tokens, keys]));
  });

  test("cuts no stream and drains no connection when keys or revocations change", async () => {
    const { port } = envoy.mesh.listen.ingress;
    const [ours, others] = [keys.issue(), tokens.issue()];
    const head = (path: string, credential: string, more = "") =>
      `GET ${path} HTTP/1.1\r\nhost: products.${domain}\r\nx-api-key: ${credential}\r\n${more}\r\n`;
    const [webSocket, kept] = [connect(port, "127.0.0.1"), connect(port, "127.0.0.1")];
    webSocket.write(head("/ws", ours, "connection: upgrade\r\nupgrade: websocket\r\n"));
    assert.match(await next(webSocket), /^HTTP\/1\.1 101 /);
    kept.write(head("/", others));
    assert.match(await next(kept), /^HTTP\/1\.1 200 /);
    const asked = upstream.requests();
    const events = ask(port, { host: `products.${domain}`, path: "/events", headers: { "x-api-key": ours } });
    await until(() => upstream.requests() > asked);
    await believe(rulesOf([tokens, testIssuer("apikeys")], [String(claimsOf(ours)["jti"])]));
    assert.equal((await at("products", { "x-api-key": ours })).status, 401);
    webSocket.write("echo");
    assert.equal(await next(webSocket), "echo");
    assert.equal((await events).body, "data: first\n\ndata: last\n\n");
    kept.write(head("/", others));
    const answer = await next(kept);
    assert.match(answer, /^HTTP\/1\.1 200 /);
    assert.doesNotMatch(answer, /^connection: close/im);
    for (const socket of [webSocket, kept]) socket.destroy();
    await believe(rulesOf([tokens, keys]));
  });

  test("stops to take a credential that it took before when its time is over", async () => {
    const now = Math.floor(Date.now() / 1_000);
    const brief = bearer(keys.issue({ iat: now - 10, nbf: now - 10, exp: now - 3 }));
    assert.equal((await at("products", brief)).status, 200, "five seconds of clock skew are allowed");
    await until(async () => (await at("products", brief)).status === 401, 10_000);
    assert.match(errorOf(await at("products", brief)).message, /has expired/);
  });

  test("answers 503 while it knows no keys, leaves open services open, and recovers by itself", async () => {
    await believe(null);
    for (const headers of [{}, bearer(keys.issue())]) {
      const answer = await at("products", headers);
      assert.deepEqual(outcome(answer), [503, "AUTH_UNAVAILABLE"]);
      assert.equal(answer.headers["retry-after"], "1");
      const open = await at("brochure", headers);
      assert.equal(open.status, 200);
      assert.equal(echoOf(open).headers["x-catalyst-keyless"], undefined);
    }
    await believe(rulesOf([tokens, keys]));
    assert.equal((await at("products", bearer(keys.issue()))).status, 200);
  });

  test("refuses a browser's preflight, which carries no credential, unless the service is open", async () => {
    const headers = {
      origin: "https://app.example",
      "access-control-request-method": "POST",
      "access-control-request-headers": "authorization",
    };
    const [ingress = 0] = listeners();
    for (const [host, path] of [
      [`products.${domain}`, "/"],
      ["localhost", "/graphql"],
    ] as const) {
      const before = upstream.requests();
      const answer = await ask(ingress, { host, path, method: "OPTIONS", headers });
      assert.deepEqual(outcome(answer), [401, "UNAUTHENTICATED"]);
      assert.equal(upstream.requests(), before);
    }
    const open = await ask(ingress, { host: `brochure.${domain}`, method: "OPTIONS", headers });
    assert.deepEqual([open.status, echoOf(open).method], [200, "OPTIONS"]);
  });

  test("says of an unknown Host that it is none only to whom every service is open", async () => {
    assert.deepEqual(outcome(await at("absent")), [401, "UNAUTHENTICATED"]);
    const one = await at("absent", bearer(keys.issue({ services: ["products"] })));
    assert.deepEqual(outcome(one), [403, "FORBIDDEN"]);
    assert.deepEqual(outcome(await at("absent", bearer(keys.issue()))), [404, "HOST_NOT_FOUND"]);
  });
});

test("The node's public keys are there for everybody, also where credentials are demanded", {
  skip: envoyMissing,
}, async () => {
  const folder = mkdtempSync(join(tmpdir(), "keys-"));
  const keysSocketPath = join(folder, "keys.sock");
  await using keyServer = await startUpstream({ path: keysSocketPath });
  await using envoy = await startEnvoy({ mesh: { auth: { open: [] }, keysSocketPath } });
  const { ingress, egress } = envoy.mesh.listen;
  for (const host of ["localhost", domain]) {
    for (const path of [
      ...["jwks.json", "openid-configuration", "oauth-authorization-server"].map(
        (name) => `/.well-known/${name}`,
      ),
      ...["jwks.json", "openid-configuration"].map((name) => `/apikeys/.well-known/${name}`),
      "/.well-known/oauth-authorization-server/apikeys",
    ]) {
      assert.equal(echoOf(await ask(ingress.port, { host, path })).url, path);
    }
  }
  const asked = keyServer.requests();
  const other = [
    { host: "localhost", path: "/.well-known/other" },
    { host: "localhost", path: "/apikeys/.well-known/oauth-authorization-server" },
    { host: "localhost", path: "/apikeys" },
    { host: `products.${domain}`, path: "/.well-known/jwks.json" },
  ];
  for (const what of other) assert.notEqual((await ask(ingress.port, what)).status, 200);
  const inside = await ask(egress.port, { host: "localhost", path: "/.well-known/jwks.json" });
  assert.notEqual(inside.status, 200);
  assert.equal(keyServer.requests(), asked);
  rmSync(folder, { recursive: true });
});

test("A node that demands none takes requests without one, and leaves credentials to its services", {
  skip: envoyMissing,
}, async () => {
  await using upstream = await startUpstream({ host: "127.0.0.1", port: 0 });
  await using envoy = await startEnvoy({ services: [service("products", upstream.origin)] });
  const headers = { "x-catalyst-caller": "mallory", authorization: "Bearer own" };
  const echo = echoOf(await ask(envoy.mesh.listen.ingress.port, { host: `products.${domain}`, headers }));
  assert.equal(echo.headers["authorization"], "Bearer own");
  assert.equal(echo.headers["x-catalyst-caller"], undefined);
});

function service(name: string, url: string): ServiceDeclaration {
  return { name, protocol: "http", url, timeoutMs: 5_000 };
}

/** What comes next on a connection. */
async function next(socket: Socket): Promise<string> {
  const [bytes] = await once(socket, "data");
  return String(bytes);
}

function outcome(answer: Answer): [number, string | undefined] {
  return [answer.status, errorOf(answer).extensions["code"]];
}
