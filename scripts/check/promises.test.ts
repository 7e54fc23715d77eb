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

/** Whether the statement, in an async function, is a fault. */
function isFault(statement: string): boolean {
  writeFileSync(join(root, "planted.ts"), `${beginning}export async function f() {\n${statement}\n}\n`);
  const faults = promiseFaults(root);
  assert.ok(faults.every(({ path, line }) => path === "planted.ts" && line === 7));
  return faults.length > 0;
}

test("A promise that nobody awaits is found, wherever its type comes from", () => {
  for (const statement of [
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
  ]) {
    assert.ok(isFault(statement), statement);
  }
});

test("A promise that is awaited, kept, handled or given up in so many words is none", () => {
  for (const statement of [
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
  ]) {
    assert.ok(!isFault(statement), statement);
  }
});
