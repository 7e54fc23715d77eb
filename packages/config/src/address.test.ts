import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  isAddress,
  isAnyAddress,
  isHostAddress,
  isLoopback,
  parseAddress,
  parseHostAddress,
  readAddress,
  readHostAddress,
  showAddress,
} from "./address.ts";

test("an address is an IP address and a port from 1 to 65535", () => {
  for (const text of ["127.0.0.1:10000", "[::1]:1", "0.0.0.0:65535"])
    assert.equal(isAddress(text), true, text);
  for (const text of [
    "",
    "localhost:1",
    "127.0.0.1",
    "127.0.0.1:0",
    "127.0.0.1:65536",
    "::1:1",
    "1.2.3:4",
    "[]:1",
  ]) {
    assert.equal(isAddress(text), false, text);
  }
  assert.equal(isAddress("[1.2.3.4]:5"), false);
  assert.deepEqual(parseAddress("[::1]:80"), { host: "::1", port: 80 });
  assert.deepEqual(readAddress("127.0.0.1:0"), { host: "127.0.0.1", port: 0 });
});

test("a host's address may have a name in lower case in place of the IP address", () => {
  for (const text of ["n1.example:7400", "localhost:1", "127.0.0.1:10000", "[::1]:1"]) {
    assert.equal(isHostAddress(text), true, text);
    assert.equal(showAddress(parseHostAddress(text)), text);
  }
  for (const text of [
    "",
    "n1",
    "N1:1",
    "-n1:1",
    "n1.:1",
    "n1:0",
    "n1:01",
    "n1:65536",
    "::1:1",
    "[n1]:1",
    "a b:1",
  ])
    assert.equal(isHostAddress(text), false, text);
  assert.deepEqual(readHostAddress("127.0.0.1:0"), { host: "127.0.0.1", port: 0 });
});

test("an address is read as it was written", () => {
  const hosts = fc.oneof(fc.ipV4(), fc.ipV6());
  fc.assert(
    fc.property(hosts, fc.integer({ min: 0, max: 65_535 }), (host, port) => {
      assert.deepEqual(readAddress(showAddress({ host, port })), { host, port });
    }),
  );
});

test("loopback and every address are told apart from the others", () => {
  const kinds = ["127.0.0.1:1", "[::1]:1", "0.0.0.0:1", "[::]:1", "10.0.0.1:1"].map((text) => {
    const address = parseAddress(text);
    return [isLoopback(address), isAnyAddress(address)];
  });
  assert.deepEqual(kinds, [
    [true, false],
    [true, false],
    [false, true],
    [false, true],
    [false, false],
  ]);
});
