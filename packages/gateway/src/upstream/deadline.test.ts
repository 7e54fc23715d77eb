import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Deadline } from "./deadline.ts";

describe("a deadline", () => {
  it("ends once: when its time is over, or when nobody waits any more, and tells the listener it has then", async () => {
    using short = new Deadline(10);
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
    const deadline = new Deadline(10);
    deadline.listen(() => told.push("end"));
    deadline[Symbol.dispose]();
    await new Promise((resolve) => setTimeout(resolve, 30));
    assert.deepEqual([deadline.ended, told], [null, []]);
  });

  it("pauses as long as it is told, but not beyond its end", async () => {
    using deadline = new Deadline(10_000);
    const started = performance.now();
    await deadline.pause(20);
    assert.ok(performance.now() - started >= 19);
    setTimeout(() => deadline.end("cancelled"), 10);
    await deadline.pause(10_000);
    assert.ok(performance.now() - started < 5_000);
  });
});
