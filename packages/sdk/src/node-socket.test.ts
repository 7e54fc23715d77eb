import assert from "node:assert/strict";
import { homedir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { findNodeSocket } from "./node-socket.ts";

const all = {
  CATALYST_SOCKET: "/env/own.sock",
  CATALYST_NODE_DATA_DIR: "/env/data",
  CATALYST_NODE_NAME: "n2",
  XDG_DATA_HOME: "/xdg",
};
const without = (...names: (keyof typeof all)[]) =>
  Object.fromEntries(Object.entries(all).filter(([name]) => !names.includes(name as keyof typeof all)));

test("the nearest word on where the node is wins: option before variable, socket before data directory", () => {
  assert.equal(findNodeSocket({ socket: "/a.sock", dataDir: "/data" }, all), "/a.sock");
  assert.equal(findNodeSocket({ dataDir: "/data" }, all), "/data/run/orchestrator.sock");
  assert.equal(findNodeSocket({}, all), "/env/own.sock");
  assert.equal(findNodeSocket({}, without("CATALYST_SOCKET")), "/env/data/run/orchestrator.sock");
});

test("without a word on it the default data directory is taken, by the node's name", () => {
  const unset = without("CATALYST_SOCKET", "CATALYST_NODE_DATA_DIR");
  assert.equal(findNodeSocket({}, unset), "/xdg/catalyst/n2/run/orchestrator.sock");
  const base = join(homedir(), ".local/share/catalyst");
  assert.equal(findNodeSocket({}, {}), join(base, "n1/run/orchestrator.sock"));
  assert.equal(findNodeSocket({}, { XDG_DATA_HOME: "relative" }), join(base, "n1/run/orchestrator.sock"));
});

test("an empty variable counts as unset", () => {
  const empty = { CATALYST_SOCKET: "", CATALYST_NODE_DATA_DIR: "/env/data" };
  assert.equal(findNodeSocket({}, empty), "/env/data/run/orchestrator.sock");
});
