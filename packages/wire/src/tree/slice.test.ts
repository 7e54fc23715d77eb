import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { hostileBytes, refusal } from "../../test/mutation.ts";
import { join, makeObject, patternBytes, type TestObject } from "../../test/objects.ts";
import { WireError } from "../errors.ts";
import { hashTree } from "./hasher.ts";
import { createSliceDecoder, encodeSlice, type VerifiedLeaf } from "./slice.ts";
import type { ByteRange } from "./walk.ts";

const leafSize = 16_384;
const objects = new Map<number, TestObject>();

/** Objects of some sizes, made once. */
function objectOf(size: number): TestObject {
  const object = objects.get(size) ?? makeObject(size, leafSize);
  objects.set(size, object);
  return object;
}

const sliceOf = ({ tree, read }: TestObject, ranges?: readonly ByteRange[]) =>
  join(encodeSlice(tree, read, ranges));

/** Reads a slice in pieces of these sizes, the last of them over and over. */
function decode(
  slice: Uint8Array,
  object: TestObject,
  ranges?: readonly ByteRange[],
  pieces = [slice.length],
) {
  const leaves: VerifiedLeaf[] = [];
  const decoder = createSliceDecoder({
    root: object.tree,
    ...(ranges === undefined ? {} : { ranges }),
    onLeaf: (leaf) => leaves.push(leaf),
  });
  for (let at = 0, piece = 0; at < slice.length; piece++) {
    const length = Math.max(1, pieces[Math.min(piece, pieces.length - 1)] ?? 1);
    decoder.push(slice.subarray(at, at + length));
    at += length;
  }
  return { tree: decoder.finish(), leaves };
}

const sizes = fc.constantFrom(
  0,
  1,
  leafSize,
  leafSize + 1,
  3 * leafSize,
  5 * leafSize + 9,
  16 * leafSize,
  37 * leafSize - 1,
);
const rangesUpTo = fc
  .uniqueArray(fc.nat(40 * leafSize), { minLength: 2, maxLength: 8 })
  .map((places) => places.sort((a, b) => a - b))
  .map((places) =>
    places.flatMap((start, at) =>
      at % 2 === 0 && at + 1 < places.length ? [{ start, end: places[at + 1] ?? 0 }] : [],
    ),
  );

test("a slice gives exactly the leaves that its ranges touch, in whatever pieces it comes", () => {
  fc.assert(
    fc.property(
      sizes,
      rangesUpTo,
      fc.array(fc.nat(70_000), { minLength: 1, maxLength: 6 }),
      (size, ranges, pieces) => {
        const object = objectOf(size);
        const { leaves, tree } = decode(sliceOf(object, ranges), object, ranges, pieces);
        assert.equal(tree.size, size);
        const touched = Array.from({ length: Math.ceil(size / leafSize) }, (_, index) => index).filter(
          (index) =>
            ranges.some(
              ({ start, end }) => start < Math.min(size, (index + 1) * leafSize) && end > index * leafSize,
            ),
        );
        assert.deepEqual(
          leaves.map(({ index }) => index),
          touched,
        );
        for (const { offset, bytes } of leaves) {
          assert.equal(
            Buffer.compare(bytes, object.bytes.subarray(offset, Math.min(size, offset + leafSize))),
            0,
          );
        }
      },
    ),
  );
});

test("without ranges it is the whole object, each parent once: 64 bytes for every leaf but one", () => {
  for (const leaves of [1, 2, 3, 7, 8, 33]) {
    const object = objectOf(leaves * leafSize);
    const slice = sliceOf(object);
    assert.equal(slice.length, 40 + leaves * leafSize + (leaves - 1) * 64);
    assert.deepEqual(join(decode(slice, object).leaves.map(({ bytes }) => bytes)), object.bytes);
  }
});

test("a slice of no leaf proves the size", () => {
  const object = objectOf(3 * leafSize);
  const beyond = [{ start: 3 * leafSize, end: 4 * leafSize }];
  assert.equal(sliceOf(object, beyond).length, 40);
  assert.equal(decode(sliceOf(object, beyond), object, beyond).tree.size, 3 * leafSize);
  assert.equal(decode(sliceOf(object, []), object, []).tree.size, 3 * leafSize);
});

test("a leaf that comes in one piece is not copied", () => {
  const object = objectOf(2 * leafSize);
  const slice = sliceOf(object);
  const { leaves } = decode(slice, object);
  assert.deepEqual(
    leaves.map(({ bytes }) => bytes.buffer === slice.buffer),
    [true, true],
  );
  const piecewise = decode(slice, object, undefined, [10_000]).leaves;
  assert.deepEqual(
    piecewise.map(({ bytes }) => bytes.buffer === slice.buffer),
    [false, false],
  );
});

test("what comes before a wrong byte is delivered, and the leaf with it is named", () => {
  const object = objectOf(5 * leafSize + 9);
  const slice = sliceOf(object);
  const wrong = slice.slice();
  const place = slice.length - 64 - 9 - 100;
  wrong[place] = (wrong[place] ?? 0) ^ 0x80;
  const seen: number[] = [];
  const decoder = createSliceDecoder({ root: object.tree, onLeaf: ({ index }) => seen.push(index) });
  assert.throws(
    () => decoder.push(wrong),
    (error) => {
      assert.ok(error instanceof WireError && error.code === "tree_mismatch");
      assert.deepEqual(error.evidence, { firstLeaf: 4, leaves: 1 });
      return true;
    },
  );
  assert.deepEqual(seen, [0, 1, 2, 3]);
  assert.equal(
    refusal(() => decoder.push(slice)),
    "misused",
  );
  assert.equal(
    refusal(() => decoder.finish()),
    "misused",
  );
});

test("a slice that ends early, goes on, or belongs to other ranges is refused", () => {
  const object = objectOf(5 * leafSize + 9);
  const slice = sliceOf(object);
  assert.equal(
    refusal(() => decode(slice.subarray(0, -1), object)),
    "tree_truncated",
  );
  assert.equal(
    refusal(() => decode(new Uint8Array(0), object)),
    "tree_truncated",
  );
  assert.equal(
    refusal(() => decode(join([slice, Uint8Array.of(0)]), object)),
    "tree_trailing",
  );
  const first = [{ start: 0, end: 1 }];
  const last = [{ start: 5 * leafSize, end: 5 * leafSize + 9 }];
  assert.equal(
    refusal(() => decode(sliceOf(object, last), object)),
    "tree_mismatch",
  );
  assert.equal(
    refusal(() => decode(sliceOf(object, first), object)),
    "tree_truncated",
  );
  assert.equal(
    refusal(() => decode(slice, object, first)),
    "tree_trailing",
  );
});

test("ranges that are none are refused when asked for, and before bytes arrive", () => {
  const { tree, read } = objectOf(3 * leafSize);
  for (const ranges of [
    [{ start: 5, end: 5 }],
    [{ start: 5, end: 4 }],
    [{ start: -1, end: 4 }],
    [{ start: 0.5, end: 4 }],
    [{ start: 0, end: Number.POSITIVE_INFINITY }],
    [{ start: 0, end: 2 ** 53 }],
    [
      { start: 10, end: 20 },
      { start: 0, end: 5 },
    ],
    [
      { start: 0, end: 6 },
      { start: 5, end: 9 },
    ],
  ]) {
    assert.equal(
      refusal(() => [...encodeSlice(tree, read, ranges)]),
      "tree_range",
    );
    assert.equal(
      refusal(() => createSliceDecoder({ root: tree, ranges, onLeaf: () => {} })),
      "tree_range",
    );
  }
  assert.equal(
    refusal(() => [
      ...encodeSlice(tree, read, [
        { start: 0, end: 5 },
        { start: 5, end: 9 },
      ]),
    ]),
    null,
  );
});

test("a head that claims an impossible size is refused before its root is looked at", () => {
  const object = objectOf(1);
  const slice = sliceOf(object);
  slice[0] = 0xff;
  assert.equal(
    refusal(() => decode(slice, object)),
    "tree_size",
  );
});

test("whatever arrives, nothing but the object's own leaves is delivered, and only coded errors are thrown", () => {
  const object = objectOf(3 * leafSize);
  const ranges = [{ start: leafSize, end: 3 * leafSize }];
  const seeds = [
    sliceOf(object),
    sliceOf(object, ranges),
    sliceOf(objectOf(leafSize + 1)),
    sliceOf(objectOf(0)),
  ];
  let accepted = 0;
  fc.assert(
    fc.property(
      hostileBytes(seeds),
      fc.boolean(),
      fc.integer({ min: 1, max: 40_000 }),
      (bytes, whole, piece) => {
        const code = refusal(() => {
          const decoder = createSliceDecoder({
            root: object.tree,
            ...(whole ? {} : { ranges }),
            onLeaf: (leaf) => {
              assert.deepEqual(leaf.bytes, object.bytes.subarray(leaf.offset, leaf.offset + leafSize));
              accepted++;
            },
          });
          for (let at = 0; at < bytes.length; at += piece) decoder.push(bytes.subarray(at, at + piece));
          decoder.finish();
        });
        assert.ok(code === null || code.startsWith("tree_"), String(code));
      },
    ),
    { numRuns: 400 },
  );
  assert.ok(accepted > 3, `${accepted} leaves`);
});

test("the memory of a decoder does not grow with the object", () => {
  const size = 64 << 20;
  const bytes = Buffer.alloc(size, 3);
  const nodes: Uint8Array[] = [];
  const tree = hashTree(bytes, { leafSize, onNode: (digest) => nodes.push(Uint8Array.from(digest)) });
  const outboard = join(nodes);
  const read = {
    object: (offset: number, length: number) => bytes.subarray(offset, offset + length),
    outboard: (offset: number, length: number) => outboard.subarray(offset, offset + length),
  };
  const before = process.memoryUsage().arrayBuffers;
  let most = 0;
  let delivered = 0;
  const decoder = createSliceDecoder({
    root: tree,
    onLeaf: (leaf) => {
      delivered += leaf.bytes.length;
      most = Math.max(most, process.memoryUsage().arrayBuffers - before);
    },
  });
  for (const piece of encodeSlice(tree, read)) decoder.push(piece);
  decoder.finish();
  assert.equal(delivered, size);
  assert.ok(most < 16e6, `${most} bytes`);
});

test("an onLeaf that fails ends the decoder", () => {
  const object = objectOf(leafSize);
  const decoder = createSliceDecoder({
    root: object.tree,
    onLeaf: () => {
      throw new RangeError("the disk is full");
    },
  });
  assert.throws(() => decoder.push(sliceOf(object)), RangeError);
  assert.equal(
    refusal(() => decoder.finish()),
    "misused",
  );
  assert.equal(
    refusal(() => decoder.push(patternBytes(0, 1))),
    "misused",
  );
});
