import assert from "node:assert/strict";
import { test } from "node:test";
import { isAddress, leadsTo, parseAddress } from "./address.ts";

test("an address is an IP address and a port from 1 to 65535", () => {
  for (const text of ["127.0.0.1:10000", "[::1]:1", "0.0.0.0:65535"])
    assert.equal(isAddress(text), true, text);
  for (const text of [
    "localhost:1",
    "127.0.0.1",
    "127.0.0.1:0",
    "127.0.0.1:65536",
    "::1:1",
    "1.2.3:4",
    "[1.2.3.4]:5",
  ]) {
    assert.equal(isAddress(text), false, text);
  }
  assert.deepEqual(parseAddress("[::1]:80"), { host: "::1", port: 80 });
});

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
