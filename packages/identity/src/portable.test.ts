import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { nodeUses } from "../test/reach.ts";

test("the portable door needs no module and no global of Node", () => {
  assert.deepEqual(nodeUses(join(import.meta.dirname, "portable.ts")), []);
});
