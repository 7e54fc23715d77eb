import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type Child, type ChildEffect, type ChildEvent, defaultChildTimings, stepChild } from "./child.ts";

const timings = { ...defaultChildTimings, minBackoffMs: 100, maxBackoffMs: 1_000, hangMs: 5_000 };

function run(events: readonly (readonly [number, ChildEvent])[], from: Child = { kind: "idle" }) {
  let child = from;
  const effects: ChildEffect[] = [];
  for (const [at, event] of events) {
    const [next, asked] = stepChild(child, event, at, timings);
    child = next;
    effects.push(...asked);
  }
  return { child, effects };
}

const start = { kind: "start" } as const;
const ready = { kind: "answered", ready: true, reason: null } as const;
const exited = { kind: "exited" } as const;
const tick = { kind: "tick" } as const;
const stop = { kind: "stop", hard: false } as const;
const end = { kind: "stop", hard: true } as const;

test("a child that ends is started again after a wait that doubles with every failure", () => {
  const first = run([
    [0, start],
    [10, exited],
  ]);
  assert.deepEqual(first.child, { kind: "backoff", until: 110, failures: 1 });
  const early = run([[109, tick]], first.child);
  assert.deepEqual(early.effects, []);
  const second = run(
    [
      [110, tick],
      [120, exited],
    ],
    first.child,
  );
  assert.deepEqual(second.effects, [{ kind: "spawn" }]);
  assert.deepEqual(second.child, { kind: "backoff", until: 320, failures: 2 });
});

test("a child that was ready for long starts again without a history of failures", () => {
  const { child } = run([
    [0, start],
    [10, ready],
    [20_000, exited],
  ]);
  assert.deepEqual(child, { kind: "backoff", until: 20_100, failures: 1 });
});

test("a child that stops answering is killed, and started again once it is gone", () => {
  const hung = run([
    [0, start],
    [10, ready],
    [5_010, tick],
  ]);
  assert.deepEqual(hung.effects, [{ kind: "spawn" }, { kind: "signal", hard: true }]);
  const again = run(
    [
      [5_020, exited],
      [6_000, tick],
    ],
    hung.child,
  );
  assert.deepEqual(again.effects, [{ kind: "spawn" }]);
});

test("a child that is asked to end and does not is killed", () => {
  const { child, effects } = run([
    [0, start],
    [10, stop],
    [9_999, tick],
    [10_010, tick],
    [10_020, exited],
  ]);
  assert.deepEqual(effects.slice(1), [
    { kind: "signal", hard: false },
    { kind: "signal", hard: true },
  ]);
  assert.deepEqual(child, { kind: "stopped" });
});

test("a child that is finishing what runs can be ended at once", () => {
  const { child, effects } = run([
    [0, start],
    [10, stop],
    [20, stop],
    [30, end],
    [40, exited],
  ]);
  assert.deepEqual(effects.slice(1), [
    { kind: "signal", hard: false },
    { kind: "signal", hard: true },
  ]);
  assert.deepEqual(child, { kind: "stopped" });
  const waiting = run(
    [[20, end]],
    run([
      [0, start],
      [10, exited],
    ]).child,
  );
  assert.deepEqual(waiting, { child: { kind: "stopped" }, effects: [] });
});

test("a stopped child stays stopped, and one process runs at a time", () => {
  const event = fc.constantFrom<ChildEvent>(start, ready, exited, tick, stop, end, {
    kind: "answered",
    ready: false,
    reason: "warming up",
  });
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.integer({ min: 0, max: 3_000 }), event)), (events) => {
      let child: Child = { kind: "idle" };
      let now = 0;
      let alive = false;
      let asked = false;
      for (const [ms, each] of events) {
        now += ms;
        if (each.kind === "exited" && !alive) continue;
        if (each.kind === "exited") alive = false;
        if (each.kind === "stop") asked = true;
        const [next, effects] = stepChild(child, each, now, timings);
        for (const effect of effects) {
          if (effect.kind !== "spawn") {
            assert.ok(alive, "only a live child is signalled");
            continue;
          }
          assert.ok(!alive, "one process at a time");
          assert.ok(!asked, "a stopped child is not started");
          alive = true;
        }
        child = next;
      }
    }),
  );
});
