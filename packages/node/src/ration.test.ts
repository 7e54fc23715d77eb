import assert from "node:assert/strict";
import { test } from "node:test";
import { Ration } from "./ration.ts";

const tenAMinute = { most: 10, inMs: 60_000 };

test("of each kind no more is taken than it may have, and again when its time is over", () => {
  const ration = new Ration();
  const taken = (kind: string, now: number) =>
    Array.from({ length: 50 }, () => ration.takes(kind, tenAMinute, now)).filter(Boolean).length;
  assert.equal(taken("one", 0), 10);
  assert.equal(taken("other", 0), 10);
  assert.equal(taken("one", 59_999), 0);
  assert.equal(taken("one", 60_000), 10);
});

test("a clock that is set back holds nothing up for longer than the time itself", () => {
  const ration = new Ration();
  assert.ok(ration.takes("one", { most: 1, inMs: 1_000 }, 1_000_000));
  assert.ok(!ration.takes("one", { most: 1, inMs: 1_000 }, 1_000_500));
  assert.ok(ration.takes("one", { most: 1, inMs: 1_000 }, 0));
});

test("whoever invents kinds fills no memory, and those that were are forgotten in time", () => {
  const ration = new Ration();
  const kinds = Array.from({ length: 10_000 }, (_, at) => `kind ${at}`);
  const taken = (now: number) => kinds.filter((kind) => ration.takes(kind, tenAMinute, now)).length;
  assert.equal(taken(0), 4_096);
  assert.equal(taken(60_000), 4_096);
});
