import assert from "node:assert/strict";
import { appendFileSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { endOfLog, lastErrorIn, lastWords } from "./last-words.ts";

const folder = mkdtempSync(join(tmpdir(), "catalyst-words-"));
after(() => rmSync(folder, { recursive: true }));

test("the last error is found as commands, logs, Envoy and a crash of Node write it", () => {
  const cases = {
    "\u001b[31merror\u001b[39m data/x.db: file is not a database (database_corrupt)\n":
      "data/x.db: file is not a database (database_corrupt)",
    '{"level":"error","msg":"it failed","err":{"message":"no space left"}}\n{"level":"info","msg":"ended"}\n':
      "it failed: no space left",
    '{"level":"critical","process":"envoy","msg":"error initializing configuration"}\n':
      "error initializing configuration",
    "file:///a.ts:1\nthrow x;\n^\n\nTypeError: x is not a function\n    at a.ts:1:1 {\n}\n\nNode.js v26.10.0\n":
      "TypeError: x is not a function",
    "<--- Last few GCs --->\nFATAL ERROR: Reached heap limit Allocation failed\n----- Native stack trace -----\n":
      "FATAL ERROR: Reached heap limit Allocation failed",
    "setpriv: failed to execute /x: No such file or directory\n":
      "setpriv: failed to execute /x: No such file or directory",
    '{"level":"error","msg":"cut': '{"level":"error","msg":"cut',
  };
  for (const [text, words] of Object.entries(cases)) assert.equal(lastErrorIn(text), words);
  assert.equal(lastErrorIn("\n\n"), null);
});

test("only what was written since the process started counts, also after its log was emptied", () => {
  const path = join(folder, "a.log");
  assert.equal(endOfLog(path), 0);
  writeFileSync(path, "error of an earlier run\n");
  const from = endOfLog(path);
  assert.equal(lastWords(path, from), null);
  appendFileSync(path, "error of this run\n");
  assert.equal(lastWords(path, from), "of this run");
  truncateSync(path);
  appendFileSync(path, "error of now\n");
  assert.equal(lastWords(path, from), "of now");
  assert.equal(lastWords(join(folder, "absent.log"), 0), null);
});

test("of a long log its end is read", () => {
  const path = join(folder, "long.log");
  writeFileSync(path, `${"x".repeat(1_000_000)}\nerror ${"y".repeat(1_000)}\n`);
  assert.equal(lastWords(path, 0), "y".repeat(500));
});
