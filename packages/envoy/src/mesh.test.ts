import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { compileNode } from "./compile.ts";
import { EnvoyError } from "./errors.ts";
import type { MeshInput } from "./mesh.ts";

const host = "127.0.0.1";
const mesh: MeshInput = {
  domain: "acme.catalyst.internal",
  node: "n1",
  listen: { ingress: { host, port: 10_000 }, egress: { host, port: 10_001 } },
  gateway: { socketPath: "/run/gateway.sock" },
};

function refusal(change: Partial<MeshInput>): string {
  try {
    compileNode({ ...mesh, ...change });
  } catch (error) {
    assert(error instanceof EnvoyError);
    return error.code;
  }
  return "accepted";
}

test("A domain that could end the string of an expression is refused", () => {
  for (const domain of [
    "a'b.example",
    "a.b') || true || ('",
    "a.b\n",
    "a.b%REQ(x)%",
    "A.B",
    "single",
    "a..b",
    "-a.b",
  ]) {
    assert.equal(refusal({ domain }), "mesh_invalid", domain);
  }
});

test("Any domain that is accepted consists of letters, digits, hyphens and dots", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary-ascii" }), (tail) => {
      const domain = `a.b${tail}`;
      assert(refusal({ domain }) === "mesh_invalid" || /^[a-z0-9.-]+$/.test(domain));
    }),
  );
});

test("A node name or an address that Envoy could not use is refused before anything is made", () => {
  assert.equal(refusal({}), "accepted");
  assert.equal(refusal({ node: 'n1"' }), "mesh_invalid");
  assert.equal(refusal({ gateway: { host: "localhost", port: 1 } }), "mesh_invalid");
  assert.equal(refusal({ listen: { ...mesh.listen, ingress: { host, port: 70_000 } } }), "mesh_invalid");
});

test("A TLS listener is made only where one is wanted", () => {
  const names = (made: MeshInput) => compileNode(made).map(({ name }) => name);
  assert(!names(mesh).includes("ingress-tls"));
  assert(
    names({ ...mesh, listen: { ...mesh.listen, ingressTls: { host, port: 10_443 } } }).includes(
      "ingress-tls",
    ),
  );
});
