import assert from "node:assert/strict";
import { test } from "node:test";
import { runFolder, socketPath } from "./socket-path.ts";

test("sockets live in the data directory", () => {
  assert.equal(socketPath("/var/lib/catalyst", "gateway"), "/var/lib/catalyst/run/gateway.sock");
});

test("a data directory too deep for a socket address gets a short folder that every process finds", () => {
  const deep = `/srv/${"deep/".repeat(30)}data`;
  assert.match(runFolder(deep, 1000), /^\/tmp\/catalyst-1000-[0-9a-f]{16}$/);
  assert.equal(runFolder(deep, 1000), runFolder(`${deep}/`, 1000));
  assert.notEqual(runFolder(deep, 1000), runFolder(`${deep}x`, 1000));
  assert.ok(Buffer.byteLength(socketPath(deep, "orchestrator")) <= 103);
});
