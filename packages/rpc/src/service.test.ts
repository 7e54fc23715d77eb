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

test("a TCP service is at a host and a port, and nothing else", () => {
  const declare = (url: string, protocol = "tcp") =>
    serviceDeclaration.safeParse({ name: "pg", protocol, url }).error?.issues[0]?.message;
  for (const url of ["tcp://127.0.0.1:5432", "tcp://[::1]:80", "tcp://db.example:443"])
    assert.equal(declare(url), undefined, url);
  for (const [url, because] of [
    ["tcp://127.0.0.1", /no port/],
    ["tcp://127.0.0.1:0", /port 0/],
    ["tcp://127.0.0.1:65536", /below 65536/],
    ["tcp://127.0.0.1:5432/", /tcp:\/\/host:port/],
    ["tcp://u:secret@h:1", /tcp:\/\/host:port/],
    ["tcp://h:1?q", /tcp:\/\/host:port/],
    ["http://127.0.0.1:5432", /not a tcp:/],
    ["tcp://0x7f.1:5432", /127\.0\.0\.1: write that/],
    ["tcp://DB.example:1", /db\.example: write that/],
    ["tcp://0.0.0.0:1", /127\.0\.0\.1 for this machine/],
    ["tcp://a..b:1", /DNS name/],
  ] as const)
    assert.match(declare(url) ?? "taken", because, url);
  assert.match(declare("tcp://127.0.0.1:5432", "http") ?? "taken", /not an http/);
});
