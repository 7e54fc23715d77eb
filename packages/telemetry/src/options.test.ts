import assert from "node:assert/strict";
import { test } from "node:test";
import { telemetryOptions } from "./options.ts";

test("The endpoints are on loopback and the level is info unless told otherwise", () => {
  assert.deepEqual(telemetryOptions.parse({}), { listen: "127.0.0.1:9464", logLevel: "info" });
});

test("An address is an IP address and a port, or off", () => {
  for (const listen of ["off", "127.0.0.1:0", "[::1]:65535"]) {
    assert.equal(telemetryOptions.parse({ listen }).listen, listen);
  }
  for (const listen of [
    "",
    "127.0.0.1",
    "localhost:80",
    "::1:80",
    "[127.0.0.1]:80",
    "127.0.0.1:65536",
    "[]:1",
  ]) {
    assert.equal(telemetryOptions.safeParse({ listen }).success, false, listen);
  }
});
