import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { isDue, startSchedule } from "./schedule.ts";

const hour = 3_600_000;

test("work is due when its time has passed since it was done last, over restarts too", () => {
  assert.equal(isDue(24 * hour, 0, 30 * hour, 24 * hour - 1), false);
  assert.equal(isDue(24 * hour, 0, 23.99 * hour, 24 * hour), true);
});

test("work that was never done is due an hour after the start, or sooner when it is to be done more often", () => {
  assert.equal(isDue(168 * hour, null, 0, hour - 1), false);
  assert.equal(isDue(168 * hour, null, 0, hour), true);
  assert.equal(isDue(1_000, null, 0, 1_000), true);
});

test("a clock that was set back does not put work off for ever, and 0 is never", () => {
  assert.equal(isDue(24 * hour, 1_000 * hour, 0, 2 * hour), true);
  assert.equal(isDue(0, null, 0, 1_000 * hour), false);
});

test("what is due begins, and what fails is told and tried again", async () => {
  mock.timers.enable({ apis: ["setInterval"] });
  let now = 0;
  const begun: string[] = [];
  const failures: string[] = [];
  const each = (name: string, everyMs: number) => ({
    everyMs,
    lastAt: async () => null,
    begin: async () => {
      begun.push(name);
      if (name === "bad") throw new Error("no");
    },
  });
  const schedule = startSchedule(
    { good: each("good", 1_000), bad: each("bad", 2_000), never: each("never", 0) },
    (name) => failures.push(name),
    { now: () => now, lookMs: 1_000 },
  );
  for (let at = 0; at < 2; at++) {
    now += 1_000;
    mock.timers.tick(1_000);
    await new Promise(setImmediate);
  }
  assert.deepEqual(begun, ["good", "good", "bad"]);
  assert.deepEqual(failures, ["bad"]);
  schedule[Symbol.dispose]();
  now += 10_000;
  mock.timers.tick(10_000);
  assert.equal(begun.length, 3);
  mock.timers.reset();
});
