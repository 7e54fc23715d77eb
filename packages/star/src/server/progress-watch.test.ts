import assert from "node:assert/strict";
import { mock, test } from "node:test";
import fc from "fast-check";
import { isWorthTelling, type ProgressMessage, ProgressWatch } from "./progress-watch.ts";

test("A file of any size is told of twenty thousand times at most, and one of unknown size not much oftener", () => {
  const sizes = fc.double({ min: 1, max: 1e18, noNaN: true });
  fc.assert(
    fc.property(sizes, fc.integer({ min: 1, max: 100_000 }), fc.boolean(), (size, looks, isKnown) => {
      let [told, times] = [{ bytes: 0, size: 0 }, 0];
      for (let look = 1; look <= looks; look++) {
        const now = { bytes: (size * look) / looks, size: isKnown ? size : Number.POSITIVE_INFINITY };
        if (!isWorthTelling(told, now)) continue;
        [told, times] = [now, times + 1];
      }
      assert.ok(times >= 1 && times <= (isKnown ? 20_001 : 30_000), `${times} times`);
    }),
    { numRuns: 30 },
  );
  assert.ok(isWorthTelling({ bytes: 10, size: 1e9 }, { bytes: 9, size: 1e9 }), "it was begun anew");
  assert.ok(!isWorthTelling({ bytes: 10, size: 1e9 }, { bytes: 10, size: 1e9 }));
});

test("Files on their way are told of when something came, twice a second at most, until they end", async () => {
  mock.timers.enable({ apis: ["setInterval"] });
  const told: ProgressMessage[] = [];
  const watch = new ProgressWatch(async (message) => void told.push(message));
  const pass = async () => {
    mock.timers.tick(500);
    await new Promise((resolve) => setImmediate(resolve));
  };
  const [first, second] = [watch.begin(0), watch.begin(1)];
  await pass();
  assert.deepEqual(told, []);
  for (let bytes = 1; bytes <= 1_000; bytes++) first.note(bytes, 2_000);
  second.note(7, Number.POSITIVE_INFINITY);
  await pass();
  await pass();
  assert.deepEqual(told, [
    { file: 0, progress: { bytes: 1_000n, totalSize: 2_000n } },
    { file: 1, progress: { bytes: 7n, totalSize: 0n } },
  ]);
  first.note(2_000, 2_000);
  first[Symbol.dispose]();
  await pass();
  assert.equal(told.length, 2);
  watch[Symbol.dispose]();
  second.note(9, 9);
  await pass();
  assert.equal(told.length, 2);
  mock.timers.reset();
});
