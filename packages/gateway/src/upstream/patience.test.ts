import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { isTimedOut, Patience, whenAborted } from "./patience.ts";

describe("patience", () => {
  it("ends once: when its time is over, or when nobody waits any more, and tells the listener it has then", async () => {
    using short = new Patience(10);
    const told: string[] = [];
    short.listen(() => told.push("first"));
    short.listen(() => told.push("second"));
    await new Promise((resolve) => setTimeout(resolve, 30));
    short.end("cancelled");
    assert.equal(short.ended, "timeout");
    assert.deepEqual(told, ["second"]);
    assert.ok(short.remaining < 0);
  });

  it("tells nobody when it is disposed of", async () => {
    const told: string[] = [];
    const patience = new Patience(10);
    patience.listen(() => told.push("end"));
    patience[Symbol.dispose]();
    await new Promise((resolve) => setTimeout(resolve, 30));
    assert.deepEqual([patience.ended, told], [null, []]);
  });

  it("pauses as long as it is told, but not beyond its end", async () => {
    using patience = new Patience(10_000);
    const started = performance.now();
    await patience.pause(20);
    assert.ok(performance.now() - started >= 19);
    setTimeout(() => patience.end("cancelled"), 10);
    await patience.pause(10_000);
    assert.ok(performance.now() - started < 5_000);
  });
});

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
