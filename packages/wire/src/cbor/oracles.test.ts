import assert from "node:assert/strict";
import { test } from "node:test";
import { cdeDecodeOptions, cdeEncodeOptions, decode as decodeCbor2, encode as encodeCbor2, Tag } from "cbor2";
import * as cborg from "cborg";
import fc from "fast-check";
import { fromHex, toHex } from "../../test/hex.ts";
import { hostileBytes } from "../../test/mutation.ts";
import { readCases } from "../../test/vectors.ts";
import { WireError, type WireErrorCode } from "../errors.ts";
import { decodeCbor } from "./decode.ts";
import { encodeCbor } from "./encode.ts";
import { type CborInput, CborTag, type CborValue } from "./value.ts";

const text = fc.string({ unit: "grapheme", maxLength: 30 });
const key = fc.oneof(fc.maxSafeInteger(), fc.integer({ min: -300, max: 300 }), text);
const { value: values } = fc.letrec<{ value: CborInput }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    fc.oneof(
      fc.maxSafeInteger(),
      fc.integer({ min: -300, max: 70_000 }),
      text,
      fc.boolean(),
      fc.constant(null),
    ),
    fc.uint8Array({ maxLength: 40 }),
    fc.array(tie("value"), { maxLength: 5 }),
    fc.array(fc.tuple(key, tie("value")), { maxLength: 5 }).map((entries) => new Map(entries)),
  ),
}));

test("cborg and cbor2 encode every value of the profile to the same bytes", () => {
  fc.assert(
    fc.property(values, (value) => {
      const ours = toHex(encodeCbor(value));
      assert.equal(toHex(cborg.encode(value, cborg.rfc8949EncodeOptions)), ours);
      assert.equal(toHex(encodeCbor2(value, cdeEncodeOptions)), ours);
    }),
    { numRuns: 1_000 },
  );
});

/** What cborg and cbor2, at their strictest, must refuse too; the other codes are narrower than RFC 8949. */
const againstRfc: ReadonlySet<WireErrorCode> = new Set<WireErrorCode>([
  "cbor_truncated",
  "cbor_trailing",
  "cbor_not_shortest",
  "cbor_indefinite",
  "cbor_reserved",
  "cbor_utf8",
  "cbor_key_order",
  "cbor_key_duplicate",
]);

test("what is accepted means the same to cborg and cbor2; what RFC 8949 forbids, cbor2 refuses too", () => {
  const seeds = ["cbor/good.json", "cbor/bad.json"].flatMap((path) =>
    readCases<{ hex: string }>(path).map(({ hex }) => fromHex(hex)),
  );
  const seen = { accepted: 0, refused: 0 };
  fc.assert(
    fc.property(hostileBytes(seeds), (bytes) => {
      fc.pre(!toHex(bytes).includes(byteOrderMark));
      let ours: CborValue;
      try {
        ours = decodeCbor(bytes);
      } catch (error) {
        assert.ok(error instanceof WireError);
        if (!againstRfc.has(error.code)) return;
        seen.refused++;
        assert.throws(() => decodeCbor2(bytes, { ...cdeDecodeOptions, preferMap: true }), toHex(bytes));
        return;
      }
      seen.accepted++;
      assert.deepEqual(fromCbor2(decodeCbor2(bytes, { ...cdeDecodeOptions, preferMap: true })), ours);
      assert.deepEqual(cborg.decode(bytes, cborgOptions), ours);
    }),
    { numRuns: 5_000 },
  );
  assert.ok(seen.accepted > 50 && seen.refused > 500, JSON.stringify(seen));
});

/** At the beginning of text cborg loses it, against RFC 8949. */
const byteOrderMark = "efbbbf";

const cborgOptions = {
  strict: true,
  useMaps: true,
  rejectDuplicateMapKeys: true,
  allowIndefinite: false,
  tags: { 18: (content: () => unknown) => new CborTag(18, content() as CborValue) },
};

/** cbor2's result in our terms. */
function fromCbor2(value: unknown): unknown {
  if (value instanceof Tag) return new CborTag(Number(value.tag), fromCbor2(value.contents));
  if (Array.isArray(value)) return value.map(fromCbor2);
  if (value instanceof Map) return new Map([...value].map(([name, item]) => [name, fromCbor2(item)]));
  return value;
}
