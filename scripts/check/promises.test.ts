import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { promiseFaults } from "./promises.ts";

const root = mkdtempSync(join(tmpdir(), "catalyst-promises-"));
after(() => rmSync(root, { recursive: true }));

const typeRoots = [join(import.meta.dirname, "..", "..", "node_modules", "@types")];
writeFileSync(
  join(root, "tsconfig.json"),
  JSON.stringify({
    compilerOptions: {
      module: "nodenext",
      target: "esnext",
      strict: true,
      noEmit: true,
      types: ["node"],
      typeRoots,
    },
    include: ["*.ts"],
  }),
);

const beginning = `import { writeFile } from "node:fs/promises";
import { test } from "node:test";
declare const api: { run(): Promise<number>; close?: () => Promise<void> };
async function local(): Promise<void> {}
let kept: Promise<void> | undefined;
`;

/** Those of the statements, each in an async function of its own, that are faults. */
function faultsAmong(statements: readonly string[]): string[] {
  const lines = statements.map((statement, index) => `export async function f${index}() { ${statement} }`);
  writeFileSync(join(root, "planted.ts"), `${beginning}${lines.join("\n")}\n`);
  const firstLine = beginning.split("\n").length;
  return promiseFaults(root).map(({ path, line = 0 }) => {
    assert.equal(path, "planted.ts");
    return statements[line - firstLine] ?? `line ${line}`;
  });
}

test("A promise that nobody awaits is found, wherever its type comes from", () => {
  const faults = [
    "local();",
    "api.run();",
    "api.close?.();",
    'writeFile("a", "b");',
    "Promise.all([local()]);",
    "local().then(() => 1);",
    "local().finally(() => {});",
    "kept && local();",
    "kept;",
    "(async () => {})();",
  ];
  assert.deepEqual(faultsAmong(faults), faults);
});

test("A promise that is awaited, kept, handled or given up in so many words is none", () => {
  const fine = [
    "await local();",
    "void local();",
    "kept = local();",
    "kept ??= local();",
    "local().catch(() => {});",
    "local().then(() => 1, () => 2);",
    "local().catch(() => {}).finally(() => {});",
    'test("name", async () => {});',
    "console.log(local());",
    "return local();",
  ];
  assert.deepEqual(faultsAmong(fine), []);
});
