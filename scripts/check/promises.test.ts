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
declare const emitter: import("node:events").EventEmitter;
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

test("A promise that is returned to a timer, an emitter or another caller who expects nothing is found", () => {
  const faults = [
    "setTimeout(async () => { await local(); }, 1);",
    "setInterval(() => local(), 1);",
    "setTimeout(local, 1);",
    "setTimeout(api.run, 1);",
    'process.on("SIGTERM", async () => { await local(); });',
    'emitter.once("end", async function () {});',
    'new AbortController().signal.addEventListener("abort", async () => {});',
    "[1].forEach(async () => {});",
    "const watch: { onChange: () => void } = { onChange: async () => {} }; watch.onChange();",
    "await new Promise<void>(async (resolve) => resolve());",
  ];
  assert.deepEqual(faultsAmong(faults), faults);
});

test("A function that gives its promise up, handles it, or is expected to return one is fine", () => {
  const fine = [
    "setTimeout(() => void local(), 1);",
    "setInterval(() => local().catch(() => {}), 1);",
    "setTimeout(() => { local().catch(() => {}); }, 1);",
    "await Promise.all([1].map(async () => {}));",
    "await local().then(async () => {}, local);",
    "const later: () => unknown = async () => {}; later();",
    "const either: () => void | Promise<void> = async () => {}; await either();",
  ];
  assert.deepEqual(faultsAmong(fine), []);
});
