// npm test [-- NAME]: the checks, then all tests, as CI runs them. NAME selects by a part of a file's path, of a
// check's name, or, when it is no part of any path, of a test's name. Ends with `N passed, N failed`.
import { globSync } from "node:fs";
import { join } from "node:path";
import { checks, runCheck } from "./check/checks.ts";
import { forEachOf } from "./pool.ts";
import { type FileResult, runFile } from "./test/run-file.ts";
import { schedule } from "./test/schedule.ts";

const root = join(import.meta.dirname, "..");
const wanted = process.argv[2];
/** How long one file may take, ten times what the longest does. */
const timeoutMs = 10 * 60_000;
/** How many files run at a time: each of their nodes keeps a core busy. */
const lanes = 2;

/** Tests beside the source: quick, and indifferent to each other. */
const unit = ["packages/*/src/**/*.test.ts", "examples/**/*.test.ts", "scripts/**/*.test.ts"];
/** Tests with real processes. */
const integration = ["packages/*/test/**/*.test.ts", "test/**/*.test.ts"];

const total = { passed: 0, failed: 0, skipped: 0 };
const reports: string[] = [];

const find = (patterns: readonly string[]) =>
  globSync(patterns, { cwd: root, exclude: ["**/node_modules/**"] }).sort();
const byPath = (path: string) => wanted === undefined || path.includes(wanted);
const named = wanted !== undefined && ![...find(unit), ...find(integration)].some(byPath);
const select = (patterns: readonly string[]) => find(patterns).filter((path) => named || byPath(path));

await forEachOf(
  checks.filter(({ name }) => wanted === undefined || name.includes(wanted)),
  2,
  async (check) => {
    const { passed, output, ms } = await runCheck(check);
    const failures = passed ? [] : [{ name: null, error: output }];
    tell(`check: ${check.name}`, { passed: passed ? 1 : 0, skipped: 0, failures, output: "", ms });
  },
);
const { beside, alone } = schedule(select(integration), select(unit));
await forEachOf(beside, lanes, async (files) => {
  for (const path of files) await testFile(path);
});
for (const path of alone) await testFile(path);

for (const report of reports) console.log(report);
if (total.passed + total.failed === 0) {
  console.log(wanted === undefined ? "There are no tests." : `Nothing is named after "${wanted}".`);
}
console.log("");
console.log(
  `${total.passed} passed, ${total.failed} failed${total.skipped > 0 ? `, ${total.skipped} skipped` : ""}`,
);
process.exitCode = total.failed > 0 || total.passed === 0 ? 1 : 0;

async function testFile(path: string): Promise<void> {
  const name = named ? { name: new RegExp(RegExp.escape(wanted ?? "")) } : {};
  tell(path, await runFile(join(root, path), { timeoutMs, ...name }));
}

function tell(title: string, { passed, skipped, failures, output, ms }: FileResult): void {
  total.passed += passed;
  total.failed += failures.length;
  total.skipped += skipped;
  if (passed + failures.length + skipped === 0) return;
  const counts = [`${passed} passed`];
  if (failures.length > 0) counts.push(`${failures.length} failed`);
  if (skipped > 0) counts.push(`${skipped} skipped`);
  console.log(
    `${failures.length > 0 ? "✖" : "✔"} ${title}: ${counts.join(", ")} (${(ms / 1000).toFixed(1)} s)`,
  );
  if (failures.length === 0) return;
  for (const { name, error } of failures) {
    reports.push(`\n✖ ${name === null ? title : `${title}: ${name}`}\n${error.replace(/^/gm, "    ")}`);
  }
  const printed = output.trim().split("\n").slice(-60).join("\n");
  if (printed !== "") reports.push(`    It printed:\n${printed.replace(/^/gm, "    | ")}`);
}
