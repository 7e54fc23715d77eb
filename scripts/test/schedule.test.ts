import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { alone, onDefaultPorts, schedule } from "./schedule.ts";

const root = join(import.meta.dirname, "..", "..");
const lonely = Object.keys(alone);
const integration = ["test/a.test.ts", ...onDefaultPorts, ...lonely, "test/b.test.ts"];
const unit = ["packages/a/src/a.test.ts"];

test("Every file runs once: those on the default ports one after the other, some alone, whole nodes before units", () => {
  assert.deepEqual(schedule(integration, unit), {
    beside: [onDefaultPorts, ["test/a.test.ts"], ["test/b.test.ts"], unit],
    alone: lonely,
  });
});

test("What is not asked for does not run", () => {
  assert.deepEqual(schedule([], unit), { beside: [unit], alone: [] });
});

test("The files that are named exist", () => {
  for (const path of [...onDefaultPorts, ...lonely]) assert.ok(existsSync(join(root, path)), path);
});
