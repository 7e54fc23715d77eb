import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { decodeFrames, encodeFrame } from "./frame.ts";

const record = fc.uint8Array({ maxLength: 64 });

test("Frames decode to the records they were made of", () => {
  fc.assert(
    fc.property(fc.array(record), (records) => {
      const bytes = Buffer.concat(records.map(encodeFrame));
      const decoded = decodeFrames(bytes, 0);
      assert.deepEqual(
        decoded.records.map((each) => Buffer.from(each)),
        records.map((each) => Buffer.from(each)),
      );
      assert.equal(decoded.end, bytes.length);
    }),
  );
});

test("A frame with one bit flipped ends the decoding where it begins", () => {
  fc.assert(
    fc.property(record, record, fc.nat(), (first, second, position) => {
      const intact = encodeFrame(first);
      const damaged = encodeFrame(second);
      const bit = position % (damaged.length * 8);
      damaged[bit >> 3] = (damaged[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      const decoded = decodeFrames(Buffer.concat([intact, damaged]), 0);
      assert.equal(decoded.records.length, 1);
      assert.equal(decoded.end, intact.length);
    }),
  );
});

test("Zeros are no empty records", () => {
  assert.deepEqual(decodeFrames(new Uint8Array(4096), 0), { records: [], end: 0 });
});

test("Changing the caller's buffer afterwards does not change the frame", () => {
  const bytes = new Uint8Array([1, 2, 3]);
  const frame = encodeFrame(bytes);
  bytes.fill(9);
  assert.deepEqual([...(decodeFrames(frame, 0).records[0] ?? [])], [1, 2, 3]);
});
