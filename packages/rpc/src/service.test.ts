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

test("a URL is http or https, without credentials, query or fragment", () => {
  const urls = ["", "x", "ftp://h/", "http://u:p@h/", "http://h/?q", "http://h/#f", "unix:/x", "http://"];
  for (const url of urls) {
    assert.equal(serviceDeclaration.safeParse({ ...good, url }).success, false, url);
  }
  for (const url of ["https://h", "http://[::1]:4001/a/b", "http://host.example:80/graphql"]) {
    assert.equal(serviceDeclaration.safeParse({ ...good, url }).success, true, url);
  }
});

test("an unknown key is refused", () => {
  assert.equal(serviceDeclaration.safeParse({ ...good, ulr: "x" }).success, false);
});
