import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { IdentityFolder } from "@catalyst/identity";
import { newDataDir } from "../root/test-auth.ts";
import { TrustAge } from "./trust-age.ts";

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;

function world() {
  const folder = new IdentityFolder(join(newDataDir(), "identity"));
  const clock = { now: 1_800_000_000_000 };
  const open = () => new TrustAge({ folder, maxMs: dayMs, now: () => clock.now });
  return { clock, open, age: open() };
}

test("what was heard may be gone by for as long as it was said, and then not until the root is heard again", () => {
  const { clock, age } = world();
  clock.now += dayMs;
  assert.equal(age.isStale(), false);
  clock.now += 1;
  assert.equal(age.isStale(), true);
  age.heard();
  assert.equal(age.isStale(), false);
});

test("a start makes nothing younger", () => {
  const { clock, age, open } = world();
  clock.now += 20 * hourMs;
  age.heard();
  clock.now += 20 * hourMs;
  assert.equal(open().isStale(), false);
  clock.now += 4 * hourMs + 1;
  assert.equal(open().isStale(), true);
});

test("a clock that is set back brings nothing back, before a start or after one", () => {
  const { clock, age, open } = world();
  clock.now += 2 * dayMs;
  assert.equal(age.isStale(), true);
  clock.now -= 2 * dayMs;
  assert.equal(age.isStale(), true);
  const after = open();
  assert.equal(after.isStale(), true);
  after.heard();
  assert.equal(open().isStale(), false);
});
