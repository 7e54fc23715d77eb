import assert from "node:assert/strict";
import { appendFileSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { trimLogs } from "./log-files.ts";

const folder = mkdtempSync(join(tmpdir(), "catalyst-logs-"));
after(() => rmSync(folder, { recursive: true }));

test("a log over the limit is emptied in place, and its end is kept, no larger than the limit", () => {
  const path = join(folder, "envoy.log");
  writeFileSync(path, `${"old ".repeat(100)}new end`);
  writeFileSync(join(folder, "gateway.log"), "short");
  writeFileSync(join(folder, "other.txt"), "x".repeat(500));
  trimLogs(folder, 50);
  assert.equal(statSync(path).size, 0);
  assert.equal(statSync(`${path}.1`).size, 50);
  assert.match(readFileSync(`${path}.1`, "utf8"), /new end$/);
  assert.equal(readFileSync(join(folder, "gateway.log"), "utf8"), "short");
  assert.equal(statSync(join(folder, "other.txt")).size, 500);
  appendFileSync(path, "goes on");
  assert.equal(readFileSync(path, "utf8"), "goes on");
});
