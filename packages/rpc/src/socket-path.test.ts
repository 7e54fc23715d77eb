import assert from "node:assert/strict";
import { homedir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { defaultDataDir, runFolder, socketPath } from "./socket-path.ts";

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

test("a node keeps its data in the user's data folder, under its name", () => {
  assert.equal(defaultDataDir("n2", "/xdg"), "/xdg/catalyst/n2");
  const home = join(homedir(), ".local/share/catalyst/n1");
  assert.equal(defaultDataDir("n1", undefined), home);
  assert.equal(defaultDataDir("n1", "relative"), home);
});
