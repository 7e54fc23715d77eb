import assert from "node:assert/strict";
import { execFile, spawnSync } from "node:child_process";
import { join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";

// The second implementation, written from spec/ alone, against the same vectors.

const folder = join(import.meta.dirname, "../interop/go");
const hasGo = spawnSync("go", ["version"]).status === 0;
const skip = hasGo ? false : "Go is not installed: the second implementation is not built";
const options = { cwd: folder, env: { ...process.env, GOFLAGS: "-mod=readonly", GOTOOLCHAIN: "local" } };

test("the implementation in Go agrees with every vector of the specification", { skip }, async () => {
  const { stdout } = await promisify(execFile)("go", ["test", "-count=1", "./..."], options);
  const tested = stdout.split("\n").filter((line) => line.startsWith("ok"));
  assert.ok(tested.length >= 6, stdout);
});
