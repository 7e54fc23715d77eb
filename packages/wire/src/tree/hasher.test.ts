import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import fc from "fast-check";
import { toHex } from "../../test/hex.ts";
import { refusal } from "../../test/mutation.ts";
import { join, makeObject, patternBytes, specTree } from "../../test/objects.ts";
import { createTreeHasher, hashTree } from "./hasher.ts";
import { type LeafSize, outboardLength } from "./tree.ts";

const leafSize = 16_384;

test("root and outboard are those of the specification for every number of leaves up to 70", () => {
  for (let leaves = 0; leaves <= 70; leaves++) {
    for (const size of [leaves * leafSize, leaves * leafSize + 1]) {
      const { bytes, tree, outboard } = makeObject(size, leafSize);
      const wanted = specTree(bytes, leafSize);
      assert.equal(toHex(tree.root), wanted.root, `${size} bytes`);
      assert.equal(toHex(outboard), toHex(join(wanted.outboard)), `${size} bytes`);
      assert.equal(outboard.length, outboardLength(tree));
      assert.deepEqual(tree.top, outboard.slice(-32));
    }
  }
});

test("the sizes of leaves give different roots, each that of the specification", () => {
  const bytes = patternBytes(0, 600_000);
  const roots = ([16_384, 65_536, 262_144] as const).map((size) => {
    const root = toHex(hashTree(bytes, { leafSize: size }).root);
    assert.equal(root, specTree(bytes, size).root);
    return root;
  });
  assert.equal(new Set(roots).size, 3);
});

test("an object of one leaf has another root for each size of leaves", () => {
  const roots = ([16_384, 65_536, 262_144] as const).map((size) =>
    hashTree(patternBytes(0, 9), { leafSize: size }),
  );
  assert.equal(new Set(roots.map(({ root }) => toHex(root))).size, 3);
  assert.equal(new Set(roots.map(({ top }) => toHex(top))).size, 1);
});

test("the pieces in which an object arrives do not show, in its root or in its SHA-256", () => {
  const bytes = patternBytes(0, 5 * leafSize + 77);
  const size = fc.oneof(
    fc.nat(3 * leafSize),
    fc.constantFrom(0, 1, leafSize - 1, leafSize, leafSize + 1, 2 * leafSize),
  );
  fc.assert(
    fc.property(
      fc.nat(bytes.length),
      fc.array(size, { maxLength: 12 }),
      fc.boolean(),
      (length, cuts, sha256) => {
        const object = bytes.subarray(0, length);
        const hasher = createTreeHasher({ leafSize, sha256 });
        let at = 0;
        for (const cut of cuts) {
          hasher.update(object.subarray(at, at + cut));
          at = Math.min(at + cut, length);
        }
        hasher.update(object.subarray(at));
        const found = hasher.finish();
        assert.equal(found.size, length);
        assert.equal(toHex(found.root), specTree(object, leafSize).root);
        assert.equal(
          found.sha256 === null ? undefined : toHex(found.sha256),
          sha256 ? toHex(createHash("sha256").update(object).digest()) : undefined,
        );
      },
    ),
  );
});

test("a hasher keeps nothing of what it was given", () => {
  const bytes = patternBytes(0, leafSize + 100);
  const wanted = toHex(hashTree(bytes, { leafSize }).root);
  const hasher = createTreeHasher({ leafSize });
  for (let at = 0; at < bytes.length; at += 1_000) {
    const piece = bytes.slice(at, at + 1_000);
    hasher.update(piece);
    piece.fill(0);
  }
  assert.equal(toHex(hasher.finish().root), wanted);
});

test("the memory of a hasher does not grow with the object", () => {
  const piece = Buffer.alloc(1 << 20);
  const hasher = createTreeHasher({ leafSize, sha256: true });
  const measure = () => {
    const { heapUsed, external } = process.memoryUsage();
    return heapUsed + external;
  };
  for (let count = 0; count < 8; count++) hasher.update(piece);
  const before = measure();
  for (let count = 0; count < 256; count++) hasher.update(piece);
  assert.ok(measure() - before < 32e6);
  assert.equal(hasher.finish().size, 264 << 20);
});

test("leaves of other sizes, and a second end, are refused", () => {
  assert.equal(
    refusal(() => createTreeHasher({ leafSize: 32_768 as LeafSize })),
    "tree_leaf_size",
  );
  const hasher = createTreeHasher();
  hasher.finish();
  assert.equal(
    refusal(() => hasher.finish()),
    "misused",
  );
  assert.equal(
    refusal(() => hasher.update(Buffer.alloc(1))),
    "misused",
  );
});
