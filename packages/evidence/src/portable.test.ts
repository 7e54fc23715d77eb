import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { nodeUses } from "../../identity/test/reach.ts";

test("verifying needs no module and no global of Node", () => {
  assert.deepEqual(nodeUses(join(import.meta.dirname, "portable.ts")), []);
});

test("the search finds what does need Node", () => {
  assert.ok(nodeUses(join(import.meta.dirname, "index.ts")).includes("node:crypto"));
});
