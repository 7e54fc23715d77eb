import assert from "node:assert/strict";
import { test } from "node:test";
import { clash, leadsTo } from "./address.ts";

test("a URL that leads back to a listener of the node is known, whatever it is written like", () => {
  const listeners = ["127.0.0.1:10000", "0.0.0.0:443"];
  for (const url of [
    "http://127.0.0.1:10000/x",
    "http://localhost:10000/",
    "http://127.9.9.9:10000",
    "https://[::1]/",
  ]) {
    assert.equal(leadsTo(url, listeners), true, url);
  }
  for (const url of [
    "http://127.0.0.1:10001/",
    "http://10.0.0.1:10000/",
    "http://products:10000/",
    "http://localhost/",
  ]) {
    assert.equal(leadsTo(url, listeners), false, url);
  }
});

test("two listeners clash at one port of one host, and at one port where one of them is on every host", () => {
  const pairs: [string, string, boolean][] = [
    ["127.0.0.1:80", "127.0.0.1:80", true],
    ["127.0.0.1:80", "0.0.0.0:80", true],
    ["[::]:80", "[::1]:80", true],
    ["127.0.0.1:80", "127.0.0.1:81", false],
    ["127.0.0.1:80", "127.0.0.2:80", false],
    ["127.0.0.1:80", "[::1]:80", false],
    ["127.0.0.1:0", "127.0.0.1:0", false],
    ["localhost:80", "127.0.0.1:80", false],
  ];
  for (const [one, other, expected] of pairs) assert.equal(clash(one, other), expected, `${one} ${other}`);
});

test("what is no address is compared with none: that it is none has been told", () => {
  assert.equal(leadsTo("http://127.0.0.1:10000/", ["localhost:10000", "10000"]), false);
});
