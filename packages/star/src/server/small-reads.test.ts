import assert from "node:assert/strict";
import { test } from "node:test";
import { SmallReads } from "./small-reads.ts";

/** A disk that takes as long as it is told to, in ms. */
function disk() {
  const of = { now: 1_000, takesMs: 0.01, reads: 0 };
  const small = new SmallReads({
    now: () => of.now,
    read: (_fd, target) => {
      of.reads += 1;
      of.now += of.takesMs;
      return target.length;
    },
  });
  return Object.assign(of, { small });
}

test("After a read that took long all are left to the pool for fifty times as long", () => {
  const of = disk();
  const read = () => of.small.read(0, new Uint8Array(4_096), 0);
  for (let times = 0; times < 3; times++) assert.equal(read(), 4_096);
  of.takesMs = 8;
  assert.equal(read(), 4_096);
  const began = of.now - 8;
  of.takesMs = 0.01;
  of.now = began + 399;
  assert.equal(read(), null);
  of.now = began + 401;
  assert.equal(read(), 4_096);
  assert.equal(of.reads, 5);
});

test("A block above 16 KiB is never read on the thread", () => {
  const of = disk();
  assert.equal(of.small.read(0, new Uint8Array(16 * 1024 + 1), 0), null);
  assert.equal(of.small.read(0, new Uint8Array(16 * 1024), 0), 16 * 1024);
  assert.equal(of.reads, 1);
});
