import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { toHex } from "../../test/hex.ts";
import { refusal } from "../../test/mutation.ts";
import { makeObject, patternBytes } from "../../test/objects.ts";
import { cidOfBlock } from "../cid/block.ts";
import { splitCid } from "../cid/cid.ts";
import { hashRoot } from "./digest.ts";
import { hashTree } from "./hasher.ts";
import {
  cidOfTree,
  leafCount,
  leafSizes,
  leftLeaves,
  openTree,
  outboardLength,
  outboardOffset,
  rootOfCid,
} from "./tree.ts";

test("a CID gives the root back, with the size of its leaves; that of a block has none", () => {
  for (const leafSize of leafSizes) {
    const { root } = hashTree(patternBytes(0, 100), { leafSize });
    const cid = cidOfTree({ root, leafSize });
    assert.deepEqual(rootOfCid(cid), { root, leafSize });
    assert.equal(splitCid(cidOfTree({ root, leafSize }, "cbor")).content, "cbor");
  }
  assert.equal(rootOfCid(cidOfBlock(patternBytes(0, 100))), null);
});

test("only the true size and top open a tree", () => {
  const { size, top, root, leafSize } = hashTree(patternBytes(0, 40_000), { leafSize: 16_384 });
  assert.deepEqual(openTree({ root, leafSize }, { size, top }), { size, top, root, leafSize });
  const wrongTop = top.slice();
  wrongTop[31] = (wrongTop[31] ?? 0) ^ 1;
  for (const claim of [
    { size: size + 1, top },
    { size: 0, top },
    { size, top: wrongTop },
    { size, top: top.subarray(1) },
  ]) {
    assert.equal(
      refusal(() => openTree({ root, leafSize }, claim)),
      "tree_mismatch",
    );
  }
  assert.equal(
    refusal(() => openTree({ root, leafSize: 65_536 }, { size, top })),
    "tree_mismatch",
  );
  for (const wrong of [-1, 0.5, Number.NaN, 2 ** 53]) {
    assert.equal(
      refusal(() => openTree({ root, leafSize }, { size: wrong, top })),
      "tree_size",
    );
  }
});

test("a root that binds size 0 to another top than that of no bytes opens no tree", () => {
  const top = new Uint8Array(32).fill(7);
  const forged = hashRoot(0, 16_384, top);
  assert.equal(
    refusal(() => openTree({ root: forged, leafSize: 16_384 }, { size: 0, top })),
    "tree_mismatch",
  );
});

test("the left child has the largest power of two of leaves, for numbers beyond 32 bits too", () => {
  for (const [leaves, left] of [
    [2, 1],
    [3, 2],
    [4, 2],
    [5, 4],
    [2 ** 31 + 1, 2 ** 31],
    [2 ** 32, 2 ** 31],
    [2 ** 32 + 1, 2 ** 32],
    [2 ** 39, 2 ** 38],
  ] as const) {
    assert.equal(leftLeaves(leaves), left);
  }
});

test("in the outboard each node comes right after its right child, and that after the whole left one", () => {
  fc.assert(
    fc.property(fc.maxSafeInteger(), (size) => {
      const tree = { size: Math.abs(size), leafSize: 16_384 } as const;
      let [first, leaves] = [0, leafCount(tree)];
      assert.equal(outboardOffset(first, leaves), outboardLength(tree) - 32);
      while (leaves > 1) {
        const left = leftLeaves(leaves);
        const right = outboardOffset(first + left, leaves - left);
        assert.equal(right, outboardOffset(first, leaves) - 32);
        assert.equal(outboardOffset(first, left), right - (2 * (leaves - left) - 1) * 32);
        [first, leaves] = size % 2 === 0 ? [first, left] : [first + left, leaves - left];
      }
    }),
  );
});

test("a leaf and a parent with the same content have different digests", () => {
  const { outboard } = makeObject(2 * 16_384, 16_384);
  const parentAsLeaf = hashTree(outboard.subarray(0, 64), { leafSize: 16_384 });
  assert.notEqual(toHex(parentAsLeaf.top), toHex(outboard.slice(64)));
});
