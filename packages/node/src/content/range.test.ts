import assert from "node:assert/strict";
import { test } from "node:test";
import { readRange } from "./range.ts";

const spans: readonly (readonly [string | undefined, number, number, boolean])[] = [
  [undefined, 0, 100, false],
  ["bytes=0-0", 0, 1, true],
  ["bytes=0-", 0, 100, true],
  ["bytes=90-", 90, 100, true],
  ["bytes=90-1000", 90, 100, true],
  ["bytes=-10", 90, 100, true],
  ["bytes=-1000", 0, 100, true],
  ["bytes=-", 0, 100, false],
  ["bytes=0-1,5-6", 0, 100, false],
  ["lines=0-1", 0, 100, false],
  ["nonsense", 0, 100, false],
];

for (const [header, start, end, isPart] of spans) {
  test(`of 100 bytes, ${header ?? "no range"} is from ${start} to ${end}`, () => {
    assert.deepEqual(readRange(header, 100), { start, end, sizeBytes: 100, isPart });
  });
}

for (const header of ["bytes=100-", "bytes=5-4", "bytes=-0"]) {
  test(`of 100 bytes, none is in ${header}`, () => {
    assert.throws(() => readRange(header, 100), { name: "RpcError", code: "range_invalid" });
  });
}

test("an empty object is given whole, and has no range", () => {
  assert.deepEqual(readRange(undefined, 0), { start: 0, end: 0, sizeBytes: 0, isPart: false });
  assert.throws(() => readRange("bytes=0-0", 0), { code: "range_invalid" });
});
