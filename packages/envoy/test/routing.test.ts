import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { type ServiceDeclaration, serviceDeclaration } from "@catalyst/rpc";
import { servedHere } from "../src/reachable.ts";
import { at, type EnvoyUnderTest, envoyMissing, startEnvoy, until } from "./envoy-under-test.ts";
import { type Ask, ask, echoOf, errorOf, startUpstream, type Upstream } from "./upstream.ts";

const domain = "acme.catalyst.internal";
const anyPort = { host: "127.0.0.1", port: 0 };
const timeoutMs = 5_000;

describe("A node's Envoy", { skip: envoyMissing }, () => {
  let upstream: Upstream;
  let envoy: EnvoyUnderTest;

  before(async () => {
    upstream = await startUpstream(anyPort);
    const { origin } = upstream;
    envoy = await startEnvoy({
      services: [
        service("products", "graphql", `${origin}/api/query`),
        service("reviews", "graphql", `${origin}/graphql`),
        service("files", "http", `${origin}/base`),
        service("named", "http", origin.replace("127.0.0.1", "localhost")),
        service("dead", "http", "http://127.0.0.1:1/"),
        { ...service("hasty", "http", origin), timeoutMs: 100 },
      ],
    });
  });
  after(async () => {
    await envoy[Symbol.asyncDispose]();
    await upstream[Symbol.asyncDispose]();
  });

  const ingress = (what: Ask) => ask(envoy.mesh.listen.ingress.port, what);
  const egress = (what: Ask) => ask(envoy.mesh.listen.egress.port, what);

  test("reaches every service by its Host on ingress and on egress", async () => {
    for (const listener of [ingress, egress]) {
      for (const name of ["products", "reviews", "files", "named"]) {
        assert.equal((await listener({ host: `${name}.${domain}`, path: "/x" })).status, 200, name);
      }
    }
  });

  test("rewrites /graphql of a GraphQL service to its declared path, and leaves other paths alone", async () => {
    const host = `products.${domain}`;
    assert.equal(echoOf(await ingress({ host, path: "/graphql?a=1" })).url, "/api/query?a=1");
    assert.equal(echoOf(await ingress({ host, path: "/graphql/x" })).url, "/graphql/x");
    assert.equal(echoOf(await ingress({ host: `reviews.${domain}`, path: "/graphql" })).url, "/graphql");
    assert.equal(echoOf(await egress({ host: `files.${domain}`, path: "/a/b?c" })).url, "/base/a/b?c");
    assert.equal(echoOf(await egress({ host: `files.${domain}` })).url, "/base/");
  });

  test("calls a service at the authority of its URL, and tells it the Host that was asked", async () => {
    const { headers } = echoOf(await ingress({ host: `named.${domain}` }));
    assert.equal(headers["host"], upstream.origin.replace("http://127.0.0.1", "localhost"));
    assert.equal(headers["x-forwarded-host"], `named.${domain}`);
  });

  test("takes a Host with a port, a trailing dot or upper-case letters for the same Host", async () => {
    for (const host of [
      `files.${domain}:80`,
      `files.${domain}.`,
      `FILES.${domain}`,
      `files.ACME.catalyst.internal:10000`,
    ]) {
      assert.equal((await ingress({ host })).status, 200, host);
      assert.equal((await egress({ host })).status, 200, host);
    }
    assert.equal(errorOf(await ingress({ host: "LOCALHOST" })).extensions["code"], "PATH_NOT_FOUND");
    assert.equal(errorOf(await egress({ host: "LOCALHOST" })).extensions["code"], "HOST_NOT_FOUND");
  });

  test("names an unknown Host in a 404, on ingress under the domain and on egress always", async () => {
    for (const answer of [
      await ingress({ host: `none.${domain}` }),
      await egress({ host: `none.${domain}` }),
    ]) {
      assert.equal(answer.status, 404);
      assert.equal(answer.headers["content-type"], "application/json");
      assert.equal(errorOf(answer).extensions["code"], "HOST_NOT_FOUND");
      assert.match(errorOf(answer).message, new RegExp(`none\\.${domain}`));
    }
    assert.equal((await egress({ host: "localhost" })).status, 404);
    const hostile = await egress({ host: 'a"}],"x":[{' });
    assert.doesNotThrow(() => JSON.parse(hostile.body));
  });

  test("says on ingress what is where, at any Host outside the domain", async () => {
    const answer = await ingress({ host: at(envoy.mesh.listen.ingress), path: "/nothing" });
    assert.equal(answer.status, 404);
    assert.match(
      errorOf(answer).message,
      /GraphQL endpoint is \/graphql; .* <service>\.acme\.catalyst\.internal/,
    );
  });

  test("answers a clear 503 while the gateway is away, and serves it when it is there", async () => {
    const asks = [
      { host: "localhost", path: "/graphql" },
      { host: `graphql.${domain}`, path: "/graphql" },
    ];
    for (const what of asks) {
      const answer = await ingress(what);
      assert.equal(answer.status, 503);
      assert.equal(errorOf(answer).extensions["code"], "GATEWAY_UNAVAILABLE");
      assert.match(errorOf(answer).message, /GraphQL gateway is not available right now/);
    }
    assert("socketPath" in envoy.mesh.gateway);
    await using _gateway = await startUpstream({ path: envoy.mesh.gateway.socketPath });
    for (const what of asks) assert.equal(echoOf(await ingress(what)).url, "/graphql");
    assert.equal((await ingress({ host: "localhost", path: "/graphql/x" })).status, 404);
  });

  test("tells clients which service is away and what to do, and nothing of where it is", async () => {
    const answer = await ingress({ host: `dead.${domain}` });
    assert.equal(answer.status, 503);
    assert.equal(answer.headers["retry-after"], "1");
    assert.deepEqual(errorOf(answer), {
      message:
        "The service dead is not available right now: it is down, restarting or not yet configured. Try again shortly.",
      extensions: {
        code: "SERVICE_UNAVAILABLE",
        service: "dead",
        requestId: answer.headers["x-request-id"],
      },
    });
  });

  test("tells those inside Envoy's own details besides", async () => {
    const { extensions } = errorOf(await egress({ host: `dead.${domain}` }));
    assert.equal(extensions["code"], "SERVICE_UNAVAILABLE");
    assert.match(extensions["details"] ?? "", /Connection_refused/);
  });

  test("tells no client how Envoy came to answer by itself, whatever it was", async () => {
    const asked: readonly (readonly [number, string, Ask])[] = [
      [503, "SERVICE_UNAVAILABLE", { host: `reviews.${domain}`, path: "/abort" }],
      [502, "SERVICE_BAD_RESPONSE", { host: `reviews.${domain}`, path: "/garbage" }],
      [504, "SERVICE_TIMEOUT", { host: `hasty.${domain}`, path: "/late" }],
      [400, "REQUEST_REFUSED", { host: `files.${domain}`, path: "/a%2fb" }],
      [431, "REQUEST_REFUSED", { host: `files.${domain}`, headers: { a: "x".repeat(70_000) } }],
      [
        403,
        "REQUEST_REFUSED",
        { host: `files.${domain}`, headers: { upgrade: "other", connection: "upgrade" } },
      ],
    ];
    for (const [status, code, what] of asked) {
      const answer = await ingress(what);
      assert.equal(answer.status, status, answer.body);
      const { message, extensions } = errorOf(answer);
      assert.equal(extensions["code"], code);
      assert.match(message, /^[A-Z][^{}_|]*\.$/);
      assert.doesNotMatch(answer.body, /127\.0\.0\.1|upstream|%|details/);
      assert.deepEqual(
        Object.keys(extensions).filter((key) => !["code", "service", "requestId"].includes(key)),
        [],
      );
    }
  });

  test("answers 503 to an upload that a service is not there for, whatever its size", async () => {
    for (const size of [1_000, 300_000, ...Array<number>(10).fill(3_000_000)]) {
      const body = Buffer.alloc(size, 1);
      const answer = await ingress({ host: `dead.${domain}`, method: "POST", body });
      assert.equal(answer.status, 503, `${size} bytes`);
      assert.equal(errorOf(answer).extensions["code"], "SERVICE_UNAVAILABLE");
      const gateway = await ingress({ host: "localhost", path: "/graphql", method: "POST", body });
      assert.equal(gateway.status, 503, `${size} bytes`);
      assert.equal(errorOf(gateway).extensions["code"], "GATEWAY_UNAVAILABLE");
    }
  });

  test("passes an upload on as it comes, whatever its size, also over a new connection", async () => {
    for (const size of [300_000, 3_000_000, 50_000_000]) {
      upstream.server.closeIdleConnections();
      const body = Buffer.alloc(size, 1);
      const answer = await ingress({ host: `reviews.${domain}`, path: "/count", method: "POST", body });
      assert.equal(answer.body, String(size));
    }
  });

  test("serves a service at its own Host alone: one label, the domain, and a port if any", async () => {
    const name = `files.${domain}`;
    const odd = [
      ...[
        `node:.${domain}`,
        `mixed-case:.${domain}`,
        `none:.${domain}`,
        `${name}:evil.example`,
        `${name}:80:80`,
      ],
      ...[
        `${name}:`,
        `x.${name}`,
        `.${domain}`,
        `${domain}`,
        `filesX${domain}`,
        `files.acme-catalyst.internal`,
      ],
      ...[
        `FILES.${domain}:evil.example`,
        `NODE:.${domain}`,
        `X.${name}`,
        `[::1]:80`,
        `${"a".repeat(300)}.${domain}`,
      ],
    ];
    for (const host of odd) {
      const [outer, inner] = [await ingress({ host, path: "/x" }), await egress({ host, path: "/x" })];
      assert.ok([400, 404].includes(outer.status), `ingress ${host}: ${outer.status} ${outer.body}`);
      assert.ok([400, 404].includes(inner.status), `egress ${host}: ${inner.status} ${inner.body}`);
    }
  });

  test("does not send a request again that may have arrived", async () => {
    const before = upstream.requests();
    const answer = await ingress({ host: `reviews.${domain}`, path: "/abort", method: "POST" });
    assert.equal(answer.status, 503);
    assert.equal(upstream.requests(), before + 1);
  });

  test("lets no client set what Envoy and its filters say", async () => {
    const headers = {
      "x-catalyst-scope": `dead.${domain}`,
      "X-Catalyst-Other": "1",
      "x-jwt-sub": "admin",
      "x-envoy-upstream-alt-stat-name": "x",
      "x-envoy-retry-on": "5xx",
      "x-forwarded-client-cert": "By=x",
      x_under_score: "1",
    };
    for (const listener of [ingress, egress]) {
      const seen = echoOf(await listener({ host: `reviews.${domain}`, headers })).headers;
      const leaked = Object.keys(headers).filter((name) => name.toLowerCase() in seen);
      assert.deepEqual(leaked, []);
    }
    const proxied = {
      "x-forwarded-host": "evil.example",
      forwarded: "host=evil.example",
      "x-forwarded-proto": "https",
    };
    const seen = echoOf(await ingress({ host: `reviews.${domain}`, headers: proxied })).headers;
    assert.equal(seen["x-forwarded-host"], `reviews.${domain}`);
    assert.equal(seen["x-forwarded-proto"], "http");
    assert.equal(seen["forwarded"], undefined);
  });

  test("refuses escaped slashes, and resolves dots and double slashes before it routes", async () => {
    const host = `files.${domain}`;
    for (const path of ["/a/..%2fsecret", "/a%5c..%5csecret", "/%2Fsecret"]) {
      const before = upstream.requests();
      const answer = await ingress({ host, path });
      assert.equal(answer.status, 400, path);
      assert.equal(errorOf(answer).extensions["code"], "REQUEST_REFUSED");
      assert.equal(upstream.requests(), before);
    }
    assert.equal(echoOf(await ingress({ host, path: "/a/../..//b" })).url, "/base/b");
  });

  test("gives each request at the edge an id of its own, and keeps the one that the gateway sends", async () => {
    const what = { host: `reviews.${domain}`, headers: { "x-request-id": "chosen-by-the-caller" } };
    const outside = await ingress(what);
    assert.notEqual(outside.headers["x-request-id"], "chosen-by-the-caller");
    assert.equal(outside.headers["x-request-id"], echoOf(outside).headers["x-request-id"]);
    const inside = await egress(what);
    assert.equal(inside.headers["x-request-id"], "chosen-by-the-caller");
    assert.equal(echoOf(inside).headers["x-request-id"], "chosen-by-the-caller");
  });

  test("logs each request as JSON with its id and without its query", async () => {
    const { headers } = await ingress({ host: `products.${domain}`, path: "/graphql?token=hidden-word" });
    const id = headers["x-request-id"] ?? "";
    await until(() => envoy.output().includes(String(id)));
    const line =
      envoy
        .output()
        .split("\n")
        .find((each) => each.includes(String(id))) ?? "";
    const { requestId, method, host, path, status, listener, service: name } = JSON.parse(line);
    assert.deepEqual(
      [requestId, method, host, path, status, listener, name],
      [id, "GET", `products.${domain}`, "/graphql", 200, "ingress", "products"],
    );
    const nameless = String((await ingress({ host: "elsewhere.example" })).headers["x-request-id"]);
    await until(() => envoy.output().includes(nameless));
    const other =
      envoy
        .output()
        .split("\n")
        .find((each) => each.includes(nameless)) ?? "";
    assert.equal("service" in JSON.parse(other), false, other);
    assert(!envoy.output().includes("hidden-word"));
  });

  test("takes every URL that a service may be declared with", async () => {
    const label = "a".repeat(63);
    const urls = [
      ...[
        "http://my_service:80/",
        "http://host.example./x",
        "http://bücher.example/",
        "http://0x7f.1:1/a%20b",
      ],
      ...["http://[::ffff:10.0.0.1]/", "https://[::1]", "HTTPS://Host.example:8443", "http://h/a//b/../{c}"],
      `https://${label}.${label}.${label}.${"a".repeat(61)}/`,
    ];
    const services = urls.map((url, i) => service(`odd${i}`, i % 2 === 0 ? "http" : "graphql", url));
    for (const each of services) serviceDeclaration.parse(each);
    await envoy.apply({ put: services.map(servedHere) });
    await envoy.apply({ remove: services.map(({ name }) => name) });
  });

  test("follows a service that moves, changes its kind of address, and goes", async () => {
    await using other = await startUpstream(anyPort);
    const host = `moving.${domain}`;
    for (const url of [
      upstream.origin,
      other.origin,
      other.origin.replace("127.0.0.1", "localhost"),
      upstream.origin,
    ]) {
      await envoy.apply({ put: [servedHere(service("moving", "http", url))] });
      const seen = echoOf(await egress({ host })).headers["host"];
      assert.equal(seen, new URL(url).host);
    }
    await envoy.apply({ remove: ["moving"] });
    await until(async () => (await egress({ host })).status === 404);
    assert.equal((await ingress({ host: `reviews.${domain}` })).status, 200);
  });
});

function service(name: string, protocol: ServiceDeclaration["protocol"], url: string): ServiceDeclaration {
  return { name, protocol, url, timeoutMs };
}
