import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, test } from "node:test";
import { limitFaults } from "./limits.ts";

const root = mkdtempSync(join(tmpdir(), "catalyst-limits-"));
after(() => rmSync(root, { recursive: true }));

function isFault(path: string, text = ""): boolean {
  const checkout = mkdtempSync(join(root, "t-"));
  mkdirSync(dirname(join(checkout, path)), { recursive: true });
  writeFileSync(join(checkout, path), text);
  return limitFaults(checkout).length > 0;
}

test("A file is named after what is in it, in kebab-case", () => {
  for (const name of [
    "utils",
    "string-utils",
    "helper",
    "peer-manager",
    "types",
    "shared",
    "PeerTable",
    "a_b",
  ]) {
    assert.ok(isFault(`packages/rpc/src/${name}.ts`), name);
  }
  for (const name of ["peer-table", "index", "peer-table.test", "resource-type", "http2"]) {
    assert.ok(!isFault(`packages/rpc/src/${name}.ts`), name);
  }
});

test("An error without a code is thrown only by tests, and for what is unreachable", () => {
  const bare = 'throw new Error("no");';
  assert.ok(isFault("packages/rpc/src/a.ts", bare));
  for (const path of [
    "packages/rpc/src/a.test.ts",
    "packages/rpc/test/a.ts",
    "packages/harness/src/a.ts",
    "scripts/a.ts",
  ]) {
    assert.ok(!isFault(path, bare), path);
  }
  assert.ok(!isFault("packages/rpc/src/a.ts", 'throw new RpcError("internal", "no");'));
  assert.ok(!isFault("packages/rpc/src/a.ts", 'throw new Error("unreachable: a length is never negative");'));
});
