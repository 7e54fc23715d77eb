import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { buildSchema } from "graphql";
import { Generations } from "./generation.ts";

const compiled = {
  schema: buildSchema("type Query { a: Int }"),
  execute: async () => ({ data: null }),
  subscribe: async () => ({ data: null }),
  explain: async () => [],
};
const next = (digest: string) => ({ compiled, sdl: "", supergraphSdl: "", digest, services: [] });

function generations(retireMs = 10_000, maxGenerations = 4): Generations {
  return new Generations({ retireMs, maxGenerations });
}

describe("a generation", () => {
  it("is none before the first, and none again when nothing is served", () => {
    using all = generations();
    assert.equal(all.pin(), null);
    all.replace(next("a"));
    all.replace(null);
    assert.equal(all.current, null);
    assert.equal(all.pin(), null);
    assert.equal(all.count, 2);
  });

  it("stays with those who pinned it, and retires when the last of them is done", () => {
    using all = generations();
    all.replace(next("a"));
    const [first, second] = [all.pin(), all.pin()];
    all.replace(next("b"));
    assert.equal(first?.generation.digest, "a");
    assert.equal(all.pin()?.generation.digest, "b");
    first?.[Symbol.dispose]();
    first?.[Symbol.dispose]();
    assert.equal(second?.generation.retired.aborted, false);
    assert.deepEqual(all.alive, { pins: 2, generations: 2 });
    second?.[Symbol.dispose]();
    assert.equal(second?.generation.retired.aborted, true);
    assert.deepEqual(all.alive, { pins: 1, generations: 1 });
  });

  it("can be pinned again by who holds it after it was replaced", () => {
    using all = generations();
    all.replace(next("a"));
    const first = all.pin();
    all.replace(next("b"));
    const again = all.pin(first?.generation);
    first?.[Symbol.dispose]();
    assert.equal(again?.generation.digest, "a");
    assert.equal(again?.generation.retired.aborted, false);
    again?.[Symbol.dispose]();
    assert.equal(all.pin(first?.generation), null);
  });

  it("retires at once when nobody holds it as it is replaced", () => {
    using all = generations();
    all.replace(next("a"));
    const { current } = all;
    all.replace(next("b"));
    assert.equal(current?.retired.aborted, true);
  });

  it("retires when its time is up though somebody holds it", async () => {
    using all = generations(20);
    all.replace(next("a"));
    const pin = all.pin();
    all.replace(next("b"));
    await new Promise((resolve) => setTimeout(resolve, 60));
    assert.equal(pin?.generation.retired.aborted, true);
  });

  it("retires early, the oldest first, when there are too many", () => {
    using all = generations(10_000, 3);
    const pins = ["a", "b", "c", "d"].map((digest) => {
      all.replace(next(digest));
      return all.pin();
    });
    assert.deepEqual(
      pins.map((pin) => pin?.generation.retired.aborted),
      [true, false, false, false],
    );
    assert.equal(all.alive.generations, 3);
  });

  it("lets a drain wait for those who hold one, but not longer than its time", async () => {
    using all = generations();
    all.replace(next("a"));
    const pin = all.pin();
    const started = performance.now();
    await all.idle(50);
    assert.ok(performance.now() - started >= 45);
    setTimeout(() => pin?.[Symbol.dispose](), 20);
    await all.idle(10_000);
    assert.equal(all.alive.pins, 0);
  });
});
