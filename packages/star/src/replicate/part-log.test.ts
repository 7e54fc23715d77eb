import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { decodeLog, encodeHeader, encodeRecord } from "./part-log.ts";

const plain = { noNullPrototype: true };
const header = fc.record({ identity: fc.string(), size: fc.maxSafeNat() }, plain);
const record = fc.record(
  {
    from: fc.maxSafeNat(),
    length: fc.integer({ min: 1, max: 2 ** 32 - 1 }),
    crc: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
  },
  plain,
);

test("A log is read as it was written, up to where it is cut off, and its next record goes there", () => {
  fc.assert(
    fc.property(header, fc.array(record), fc.nat(), (of, records, cut) => {
      const start = encodeHeader(of);
      const whole = Buffer.concat([start, ...records.map(encodeRecord)]);
      const bytes = whole.subarray(0, cut % (whole.length + 1));
      const left = Math.floor((bytes.length - start.length) / 20);
      const expected = { header: of, records: records.slice(0, left), end: start.length + left * 20 };
      assert.deepEqual(decodeLog(bytes), bytes.length < start.length ? null : expected);
    }),
  );
});

test("A record that was torn or never came is left out, and those behind it are not; a torn header is no log", () => {
  fc.assert(
    fc.property(
      header,
      fc.array(record, { minLength: 1 }),
      fc.nat(),
      fc.integer({ min: 1, max: 255 }),
      (of, records, at, by) => {
        const start = encodeHeader(of);
        const bytes = Buffer.concat([start, ...records.map(encodeRecord)]);
        const place = at % bytes.length;
        bytes[place] = (bytes[place] ?? 0) ^ by;
        const log = decodeLog(bytes);
        if (place < start.length) return assert.equal(log, null);
        const torn = Math.floor((place - start.length) / 20);
        assert.deepEqual(
          log?.records,
          records.filter((_, index) => index !== torn),
        );
      },
    ),
  );
});
