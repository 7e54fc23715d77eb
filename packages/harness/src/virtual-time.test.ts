import assert from "node:assert/strict";
import { test } from "node:test";
import { seededRandom } from "./virtual-network.ts";
import { VirtualTime } from "./virtual-time.ts";

test("what is due happens in the order of its time, and of its planning where that is equal", async () => {
  const random = seededRandom(1);
  for (let round = 0; round < 100; round++) {
    const delays = Array.from({ length: Math.floor(random() * 60) }, () => Math.floor(random() * 50));
    const time = new VirtualTime();
    const happened: [number, number][] = [];
    for (const [order, delay] of delays.entries())
      time.after(delay, () => happened.push([time.now(), order]));
    await time.advance(50);
    const expected = delays.map((delay, order): [number, number] => [delay, order]);
    assert.deepEqual(
      happened,
      expected.sort(([a, first], [b, second]) => a - b || first - second),
    );
  }
});

test("what was prevented does not happen, and what is planned meanwhile does when its time comes", async () => {
  const time = new VirtualTime();
  const happened: string[] = [];
  const prevent = time.after(10, () => happened.push("never"));
  time.after(5, () => {
    prevent();
    time.after(5, () => happened.push(`at ${time.now()}`));
  });
  assert.equal(time.pending, 2);
  await time.advance(9);
  assert.deepEqual(happened, []);
  await time.advance(1);
  assert.deepEqual(happened, ["at 10"]);
  assert.equal(time.pending, 0);
});

test("promises run on between two events", async () => {
  const time = new VirtualTime();
  const happened: string[] = [];
  const chain = async () => {
    for (let at = 0; at < 10; at++) await Promise.resolve();
    happened.push("promise");
  };
  let running = Promise.resolve();
  time.after(1, () => {
    running = chain();
  });
  time.after(1, () => happened.push("event"));
  await time.advance(1);
  await running;
  assert.deepEqual(happened, ["promise", "event"]);
});

test("waiting for what never comes ends with a rejection", async () => {
  const time = new VirtualTime();
  await assert.rejects(
    time.until(() => false, 100),
    /not within 100 ms/,
  );
  time.after(10, () => undefined);
  await time.until(() => time.now() === 10, 10);
});

test("a host's wall clock may be wrong, its timers are not", async () => {
  const time = new VirtualTime(1_000);
  const late = time.withSkew(-500);
  let at = -1;
  late.after(20, () => {
    at = late.now();
  });
  await time.advance(20);
  assert.deepEqual([time.wall(), late.wall(), at], [1_020, 520, 20]);
});
