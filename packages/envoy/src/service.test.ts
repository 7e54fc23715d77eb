import assert from "node:assert/strict";
import { test } from "node:test";
import type { ServiceDeclaration } from "@catalyst/rpc";
import { EnvoyError } from "./errors.ts";
import { routeService } from "./service.ts";

const host = "127.0.0.1";
const mesh = {
  domain: "acme.catalyst.internal",
  node: "n1",
  listen: { ingress: { host, port: 1 }, egress: { host, port: 2 } },
  gateway: { socketPath: "/run/gateway.sock" },
};

function routed(protocol: ServiceDeclaration["protocol"], url: string, name = "products") {
  return routeService({ name, protocol, url, timeoutMs: 1_000 }, mesh);
}

test("A GraphQL service answers at /graphql of its Host whatever its own path is", () => {
  assert.deepEqual(routed("graphql", "http://127.0.0.1:4001/graphql").paths, [
    { kind: "prefix", path: "/", to: null },
  ]);
  assert.deepEqual(routed("graphql", "http://127.0.0.1:4001/api/query").paths, [
    { kind: "exact", path: "/graphql", to: "/api/query" },
    { kind: "prefix", path: "/", to: null },
  ]);
});

test("An HTTP service has the path of its URL before every path", () => {
  assert.deepEqual(routed("http", "http://127.0.0.1:4001").paths, [{ kind: "prefix", path: "/", to: null }]);
  for (const url of ["http://127.0.0.1:4001/base", "http://127.0.0.1:4001/base/"]) {
    assert.deepEqual(routed("http", url).paths, [{ kind: "prefix", path: "/", to: "/base/" }]);
  }
});

test("An IP address is an endpoint, a name is resolved by Envoy, and ports follow the scheme", () => {
  const v6 = routed("http", "http://[::1]:4001/");
  assert.equal(v6.discovery, "addresses");
  assert.deepEqual(v6.endpoints, [{ address: "::1", port: 4001, authority: "[::1]:4001", priority: 0 }]);
  const named = routed("http", "https://api.example.com/");
  assert.deepEqual(
    [named.discovery, named.endpoints[0]?.port, named.tlsName],
    ["name", 443, "api.example.com"],
  );
  assert.equal(routed("http", "http://api.example.com/").endpoints[0]?.port, 80);
});

test("A name or URL that cannot be routed to is refused with the service's name", () => {
  for (const [name, url] of [
    ["graphql", "http://127.0.0.1/"],
    ["Products", "http://127.0.0.1/"],
    ["a.b", "http://127.0.0.1/"],
    ["products", "ftp://127.0.0.1/"],
    ["products", "nonsense"],
  ] as const) {
    assert.throws(
      () => routed("http", url, name),
      (error) =>
        error instanceof EnvoyError && error.code === "service_invalid" && error.message.includes(name),
    );
  }
});
