import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { toHex } from "../../test/hex.ts";
import { refusal } from "../../test/mutation.ts";
import { decodeCbor } from "./decode.ts";
import { encodeCbor } from "./encode.ts";
import { type CborInput, CborTag } from "./value.ts";

const hexOf = (value: unknown) => toHex(encodeCbor(value as CborInput));
const codeOf = (value: unknown) => refusal(() => encodeCbor(value as CborInput));

test("a plain object is a map with text keys, shorter keys first", () => {
  assert.equal(hexOf({ size: 5, kind: "pin", at: 1 }), "a362617401646b696e646370696e6473697a6505");
  assert.equal(hexOf(Object.assign(Object.create(null), { a: 1 })), "a1616101");
  assert.equal(hexOf(JSON.parse('{"__proto__":1}')), "a1695f5f70726f746f5f5f01");
});

test("minus zero is zero, and a Buffer is its bytes", () => {
  assert.equal(hexOf(-0), "00");
  assert.equal(hexOf(Buffer.from("ab", "hex")), "41ab");
});

test("what has no representation is refused by name", () => {
  for (const value of [
    undefined,
    1n,
    Symbol("a"),
    () => 1,
    new Date(0),
    new Set(),
    new Uint16Array(1),
    [undefined],
  ]) {
    assert.equal(codeOf(value), "cbor_value");
  }
  for (const value of [0.5, Number.NaN, Number.POSITIVE_INFINITY]) assert.equal(codeOf(value), "cbor_float");
  for (const value of [2 ** 53, -(2 ** 53), 1e300]) assert.equal(codeOf(value), "cbor_integer_range");
  for (const value of ["\ud800", "a\udc00b", "\udc00\ud800", "\ud800".padStart(40)]) {
    assert.equal(codeOf(value), "cbor_utf8");
  }
  assert.equal(codeOf(new Map([[true, 1]])), "cbor_key_type");
  assert.equal(codeOf(new Map([[0.5, 1]])), "cbor_float");
  assert.equal(codeOf({ a: { b: undefined } }), "cbor_value");
  assert.equal(codeOf(new CborTag(17, 0)), "cbor_tag");
});

test("a value that contains itself is refused for its depth", () => {
  const circle: unknown[] = [];
  circle.push(circle);
  assert.equal(codeOf(circle), "cbor_too_deep");
});

test("the limits of the decoder are those of the encoder, to the byte", () => {
  const value = { bytes: new Uint8Array(500), list: [1, [2, [3]]] };
  const { length } = encodeCbor(value);
  assert.equal(encodeCbor(value, { maxBytes: length }).length, length);
  assert.equal(
    refusal(() => encodeCbor(value, { maxBytes: length - 1 })),
    "cbor_too_large",
  );
  assert.equal(
    refusal(() => encodeCbor(value, { maxItems: 10 })),
    null,
  );
  assert.equal(
    refusal(() => encodeCbor(value, { maxItems: 9 })),
    "cbor_too_many_items",
  );
  assert.equal(
    refusal(() => decodeCbor(encodeCbor(value), { maxItems: 9 })),
    "cbor_too_many_items",
  );
  assert.equal(
    refusal(() => encodeCbor(value, { maxDepth: 4 })),
    null,
  );
  assert.equal(
    refusal(() => encodeCbor(value, { maxDepth: 3 })),
    "cbor_too_deep",
  );
  assert.equal(
    refusal(() => decodeCbor(encodeCbor(value), { maxDepth: 3 })),
    "cbor_too_deep",
  );
});

test("a value of many sizes keeps its bytes while the buffer grows", () => {
  const large = { a: new Uint8Array(100_000).fill(1), b: "ü".repeat(50_000), c: [7] };
  const decoded = decodeCbor(encodeCbor(large));
  assert.deepEqual(decoded, new Map(Object.entries(large)));
});

test("an encoding begun inside another one, by a getter, harms neither", () => {
  const value = {
    a: 1,
    get b() {
      return encodeCbor([1, 2, 3]);
    },
    c: "end",
  };
  assert.equal(hexOf(value), "a361610161624483010203616363656e64");
});

test("encodings share no byte, however many there are", () => {
  const values = Array.from({ length: 2_000 }, (_, at) => ({
    at,
    bytes: new Uint8Array(at % 1_100).fill(at),
  }));
  const encodings = values.map((value) => encodeCbor(value));
  for (const [at, bytes] of encodings.entries()) assert.equal(toHex(bytes), hexOf(values[at]));
  for (const bytes of encodings) bytes.fill(0xff);
  assert.equal(hexOf({ a: 1 }), "a1616101");
});

test("the order in which a map was made does not show", () => {
  const key = fc.oneof(fc.maxSafeInteger(), fc.string({ unit: "grapheme", maxLength: 6 }), fc.nat(300));
  const entries = fc.uniqueArray(fc.tuple(key, fc.nat()), { selector: ([k]) => k, maxLength: 12 });
  fc.assert(
    fc.property(entries, fc.infiniteStream(fc.nat()), (list, picks) => {
      const shuffled = list
        .map((entry) => ({ entry, rank: picks.next().value as number }))
        .sort((a, b) => a.rank - b.rank)
        .map(({ entry }) => entry);
      assert.equal(hexOf(new Map(shuffled)), hexOf(new Map(list)));
    }),
  );
});
