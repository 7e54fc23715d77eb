import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { test } from "node:test";
import { identifyProcess, isRunning, thisProcess } from "./process-identity.ts";

test("This process runs, and is found by its id", () => {
  assert.deepEqual(identifyProcess(process.pid), thisProcess);
  assert.ok(isRunning(thisProcess));
});

test("An ended process does not run", async () => {
  const child = spawn("sleep", ["60"]);
  assert.ok(child.pid !== undefined);
  const identity = identifyProcess(child.pid);
  assert.ok(identity !== null && isRunning(identity));
  child.kill("SIGKILL");
  await once(child, "exit");
  assert.ok(!isRunning(identity));
  assert.equal(identifyProcess(child.pid), null);
});

test("Another process with the same id is not taken for the one that was", {
  skip: thisProcess.start === null,
}, () => {
  assert.ok(!isRunning({ pid: process.pid, start: "1" }));
});

test("Without a known start the id alone decides", () => {
  assert.ok(isRunning({ pid: process.pid, start: null }));
});
