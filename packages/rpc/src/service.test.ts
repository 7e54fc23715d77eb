import assert from "node:assert/strict";
import { test } from "node:test";
import { serviceDeclaration } from "./service.ts";

const good = { name: "products", protocol: "graphql", url: "http://127.0.0.1:4001/graphql" };

test("a declaration is taken with its defaults", () => {
  assert.deepEqual(serviceDeclaration.parse(good), { ...good, timeoutMs: 15_000 });
});

test("a name is a DNS label in lower case, and graphql is the gateway's own", () => {
  const names = ["Products", "a_b", "-a", "a-", "", "a".repeat(64), "a.b", "1a", "graphql", "a\n", "ａ"];
  for (const name of names) {
    assert.equal(serviceDeclaration.safeParse({ ...good, name }).success, false, JSON.stringify(name));
  }
  assert.equal(serviceDeclaration.safeParse({ ...good, name: "a".repeat(63) }).success, true);
});

test("a URL that no service can have is refused", () => {
  assert.equal(serviceDeclaration.safeParse({ ...good, url: "http://0.0.0.0:4001/graphql" }).success, false);
});

test("an unknown key is refused", () => {
  assert.equal(serviceDeclaration.safeParse({ ...good, ulr: "x" }).success, false);
});
