import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, test } from "node:test";
import { arrowFaults, folderFaults, shownTableFaults } from "./arrows.ts";

const root = mkdtempSync(join(tmpdir(), "catalyst-arrows-"));
after(() => rmSync(root, { recursive: true }));

const table = { low: [], high: ["low"] };

/** The messages for a checkout with these files; package.json files declare what `declared` lists. */
function messages(files: Record<string, string>, declared: Record<string, string[]> = {}): string[] {
  const checkout = mkdtempSync(join(root, "t-"));
  const manifests = Object.fromEntries(
    ["low", "high"].map((name) => [
      `packages/${name}/package.json`,
      JSON.stringify({ dependencies: Object.fromEntries((declared[name] ?? []).map((each) => [each, "*"])) }),
    ]),
  );
  const root_ = { "package.json": JSON.stringify({ devDependencies: { "fast-check": "*" } }) };
  for (const [path, text] of Object.entries({ ...root_, ...manifests, ...files })) {
    mkdirSync(dirname(join(checkout, path)), { recursive: true });
    writeFileSync(join(checkout, path), text);
  }
  return arrowFaults(checkout, table).map(({ path, line, message }) => `${path}:${line ?? 0} ${message}`);
}

test("An import down the table that is declared is fine", () => {
  const text = 'import { a } from "@catalyst/low";\nimport type { z } from "zod";\nimport "node:fs";\n';
  const declared = { high: ["@catalyst/low", "zod"] };
  assert.deepEqual(messages({ "packages/high/src/index.ts": text }, declared), []);
});

test("An import up the table is a fault in all its forms", () => {
  const forms = [
    'import { a } from "@catalyst/high";',
    'import type { a } from "@catalyst/high";',
    'import {\n  a,\n} from "@catalyst/high";',
    'export * from "@catalyst/high";',
    'export { a } from "@catalyst/high/deep";',
    'import "@catalyst/high";',
    'const a = await import("@catalyst/high");',
  ];
  for (const form of forms) {
    const found = messages({ "packages/low/src/a.ts": `// first\n${form}\n` }, { low: ["@catalyst/high"] });
    assert.equal(found.length, 1, form);
    assert.match(found[0] ?? "", /^packages\/low\/src\/a\.ts:[24] may not import @catalyst\/high$/);
  }
});

test("What is imported is declared, and what is declared is imported", () => {
  assert.deepEqual(messages({ "packages/low/src/a.ts": 'import { z } from "zod/v4";\n' }), [
    "packages/low/src/a.ts:1 imports zod, which its package.json does not declare",
  ]);
  assert.deepEqual(messages({}, { low: ["zod"] }), [
    "packages/low/package.json:0 declares zod, which its sources do not import",
  ]);
});

test("A test may import every package of ours and the tools of the workspace, and nothing undeclared besides", () => {
  const text = 'import fc from "fast-check";\nimport { a } from "@catalyst/high";\nimport ws from "ws";\n';
  assert.deepEqual(messages({ "packages/low/src/a.test.ts": text }), [
    "packages/low/src/a.test.ts:3 imports ws, which its package.json does not declare",
  ]);
});

test("No source reaches into another package by a path", () => {
  const files = {
    "packages/high/src/a.ts": 'import { b } from "../../low/src/b.ts";\nimport { c } from "./c.ts";\n',
  };
  assert.deepEqual(messages(files), [
    "packages/high/src/a.ts:1 reaches out of its package: ../../low/src/b.ts",
  ]);
});

test("A package that is not in the table is a fault", () => {
  assert.deepEqual(messages({ "packages/new/package.json": "{}" }), [
    "packages/new:0 is not in the table of scripts/check/arrows.ts",
  ]);
});

test("The table that people read is the one that is checked", () => {
  const checkout = mkdtempSync(join(root, "t-"));
  const written = (rows: readonly string[]) => {
    writeFileSync(
      join(checkout, "ARCHITECTURE.md"),
      ["# A", "", "| row | package |", ...rows, ""].join("\n"),
    );
    return shownTableFaults(checkout, table).map(({ message }) => message);
  };
  const low = "| 0 | `low` | what is below | |";
  assert.deepEqual(written([low, "| dev | `high` | what is above | `low` |"]), []);
  assert.deepEqual(
    written([low, "| 1 | `high` | what is above | |", "| 2 | `higher` | more | `high`, `low` |"]),
    [
      'for high says "", and scripts/check/arrows.ts allows "low"',
      'for higher says "high, low", and scripts/check/arrows.ts does not know it',
    ],
  );
  assert.deepEqual(written([low]), ['for high has no row, and scripts/check/arrows.ts allows "low"']);
});

test("A folder of a package imports the files in no folder, its own, and those that the table lists, and never the door", () => {
  const checkout = mkdtempSync(join(root, "t-"));
  const at = (name: string) => join(checkout, "packages/node/src", name);
  for (const [name, text] of Object.entries({
    "index.ts": 'export { a } from "./high/a.ts";\n',
    "top.ts": 'import { a } from "./low/a.ts";\n',
    "low/a.ts":
      'import { top } from "../top.ts";\nimport { b } from "./b.ts";\nimport { a } from "../high/a.ts";\n',
    "low/b.test.ts": 'import { a } from "../high/a.ts";\n',
    "high/a.ts": 'import { a } from "../low/a.ts";\nimport { door } from "../index.ts";\n',
    "other/a.ts": "",
  })) {
    mkdirSync(dirname(at(name)), { recursive: true });
    writeFileSync(at(name), text);
  }
  const found = (folders: Record<string, readonly string[]>) =>
    folderFaults(checkout, folders).map(({ path, message }) => `${path} ${message}`);
  const crossing = [
    "packages/node/src/high/a.ts may not import ../index.ts",
    "packages/node/src/low/a.ts may not import ../high/a.ts",
    "packages/node/src/other/a.ts other is not in the table of scripts/check/arrows.ts",
    "packages/node/src/top.ts may not import ./low/a.ts",
  ];
  assert.deepEqual(found(table), crossing);
  assert.deepEqual(found({ low: ["high"], high: ["low"] }).slice(0, 1), [
    "packages/node/src/low imports high, which is not above it",
  ]);
});
