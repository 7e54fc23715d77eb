import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { isTimedOut, whenAborted } from "./abort-signal.ts";

describe("an abort signal", () => {
  it("has one listener, and runs what was not taken back", () => {
    const controller = new AbortController();
    let listeners = 0;
    const { signal } = controller;
    const add = signal.addEventListener.bind(signal);
    signal.addEventListener = (...args: Parameters<typeof add>) => {
      listeners += 1;
      add(...args);
    };
    const ran: number[] = [];
    const [, second] = [1, 2, 3].map((n) => whenAborted(signal, () => ran.push(n)));
    second?.();
    controller.abort();
    assert.deepEqual([listeners, ran], [1, [1, 3]]);
  });

  it("says whether it was a time limit", async () => {
    assert.equal(isTimedOut(AbortSignal.abort()), false);
    assert.equal(isTimedOut(new AbortController().signal), false);
    const timed = AbortSignal.timeout(5);
    await new Promise((resolve) => timed.addEventListener("abort", resolve, { once: true }));
    assert.equal(isTimedOut(timed), true);
  });
});
