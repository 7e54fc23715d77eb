import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import type { FileResult } from "./run-file.ts";

const root = mkdtempSync(join(tmpdir(), "catalyst-run-file-"));
after(() => rmSync(root, { recursive: true }));

/** Runs a file of tests by `runFile`, which node:test does not allow inside a test: in a process of its own. */
function runTests(text: string, options = "{ timeoutMs: 60_000 }"): FileResult {
  const folder = mkdtempSync(join(root, "t-"));
  const [tests, program] = [join(folder, "planted.test.mjs"), join(folder, "program.mjs")];
  writeFileSync(tests, `import { describe, test } from "node:test";\n${text}`);
  writeFileSync(
    program,
    `import { runFile } from ${JSON.stringify(import.meta.resolve("./run-file.ts"))};
    console.log(JSON.stringify(await runFile(${JSON.stringify(tests)}, ${options})));`,
  );
  const { NODE_TEST_CONTEXT: _, ...env } = process.env;
  const child = spawnSync(process.execPath, [program], { env, encoding: "utf8" });
  assert.equal(child.status, 0, child.stderr);
  return JSON.parse(child.stdout) as FileResult;
}

test("Tests are counted, those in suites and below tests too, and suites are not", () => {
  const result = runTests(`
    test("a", () => {});
    test.skip("b", () => {});
    describe("s", () => { test("c", () => {}); });
    test("d", async (t) => { await t.test("e", () => {}); });`);
  assert.deepEqual([result.passed, result.skipped, result.failures], [4, 1, []]);
});

test("A failed test is told with its name, its error, and what the file printed", () => {
  const { passed, failures, output } = runTests(`
    test("good", () => {});
    test("bad", () => { console.log("a hint"); throw new Error("broken"); });`);
  assert.equal(passed, 1);
  assert.deepEqual(
    failures.map(({ name }) => name),
    ["bad"],
  );
  assert.match(failures[0]?.error ?? "", /broken/);
  assert.match(output, /a hint/);
});

for (const [what, text] of Object.entries({
  "does not load": 'throw new Error("broken");',
  "crashes beside its tests": 'test("a", () => {}); setTimeout(() => { throw new Error("broken"); }, 10);',
  "is killed": 'console.error("broken"); process.kill(process.pid, "SIGKILL");',
  "exits early": 'test("a", async () => { console.error("broken"); process.exit(3); });',
})) {
  test(`A file that ${what} has failed, and its output says why`, () => {
    const { failures, output } = runTests(text);
    assert.deepEqual(
      failures.map(({ name }) => name),
      [null],
    );
    assert.match(`${failures[0]?.error}${output}`, /broken/);
  });
}

test("A file that does not end is stopped and has failed", () => {
  const { passed, failures } = runTests(
    'test("a", () => {}); setInterval(() => {}, 1_000);',
    "{ timeoutMs: 2_000 }",
  );
  assert.equal(passed, 1);
  assert.deepEqual(failures, [{ name: null, error: "It did not end in time and was stopped." }]);
});

test("A name selects tests, and a file without one of that name counts for nothing", () => {
  const text = 'test("apples", () => {}); test("pears", () => {});';
  assert.equal(runTests(text, "{ timeoutMs: 60_000, name: /pear/ }").passed, 1);
  const none = runTests(text, "{ timeoutMs: 60_000, name: /plum/ }");
  assert.deepEqual([none.passed, none.failures], [0, []]);
});
