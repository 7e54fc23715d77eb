import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { describe, test } from "node:test";
import { fromHex, toHex } from "../../test/hex.ts";
import { refusal } from "../../test/mutation.ts";
import { join, makeObject, patternBytes } from "../../test/objects.ts";
import { readCases } from "../../test/vectors.ts";
import { createSliceDecoder, encodeSlice } from "./slice.ts";
import { cidOfTree, type LeafSize, openTree } from "./tree.ts";

type Sizes = { readonly size: number; readonly leafSize: LeafSize; readonly root: string };
type GoodTree = Sizes & {
  readonly sha256: string;
  readonly top: string;
  readonly cid: string;
  readonly outboard?: string;
};
type BadTree = Sizes & { readonly top: string; readonly code: string };
type Part = string | { readonly start: number; readonly length: number };
type Slice = Sizes & { readonly ranges: readonly [number, number][]; readonly parts: readonly Part[] };
type BadSlice = Slice & { readonly leaves: readonly number[]; readonly code: string };

describe("the vectors of spec/wire.md §3", () => {
  for (const { name, size, leafSize, ...wanted } of readCases<GoodTree>("tree/good.json")) {
    test(`${name}: root, top, CID, outboard and SHA-256`, () => {
      const { bytes, tree, outboard } = makeObject(size, leafSize);
      assert.equal(toHex(tree.root), wanted.root);
      assert.equal(toHex(tree.top), wanted.top);
      assert.equal(cidOfTree(tree), wanted.cid);
      assert.equal(toHex(tree.sha256 ?? bytes), wanted.sha256);
      assert.equal(toHex(createHash("sha256").update(bytes).digest()), wanted.sha256);
      if (wanted.outboard !== undefined) assert.equal(toHex(outboard), wanted.outboard);
    });
  }
  for (const { name, root, leafSize, size, top, code } of readCases<BadTree>("tree/bad.json")) {
    test(`${name}: refused as ${code}`, () => {
      const claimed = { size, top: fromHex(top) };
      assert.equal(
        refusal(() => openTree({ root: fromHex(root), leafSize }, claimed)),
        code,
      );
    });
  }
});

describe("the vectors of spec/wire.md §4", () => {
  for (const vector of readCases<Slice>("slice/good.json")) {
    test(`${vector.name}: written as the parts say, and verified`, () => {
      const { tree, read } = makeObject(vector.size, vector.leafSize);
      const slice = join(encodeSlice(tree, read, rangesOf(vector)));
      assert.equal(Buffer.compare(slice, bytesOf(vector.parts)), 0);
      const { leaves, code } = verify(vector);
      assert.equal(code, null);
      const starts = vector.parts.flatMap((part) => (typeof part === "string" ? [] : [part.start]));
      assert.deepEqual(
        leaves,
        starts.map((start) => start / vector.leafSize),
      );
    });
  }
  for (const vector of readCases<BadSlice>("slice/bad.json")) {
    test(`${vector.name}: refused as ${vector.code}, after the leaves before`, () => {
      assert.deepEqual(verify(vector), { leaves: vector.leaves, code: vector.code });
    });
  }
});

const rangesOf = ({ ranges }: Slice) => ranges.map(([start, end]) => ({ start, end }));

function bytesOf(parts: readonly Part[]): Uint8Array {
  return join(
    parts.map((part) => (typeof part === "string" ? fromHex(part) : patternBytes(part.start, part.length))),
  );
}

function verify(slice: Slice): { leaves: number[]; code: string | null } {
  const leaves: number[] = [];
  const code = refusal(() => {
    const decoder = createSliceDecoder({
      root: { root: fromHex(slice.root), leafSize: slice.leafSize },
      ranges: rangesOf(slice),
      onLeaf: ({ index }) => leaves.push(index),
    });
    decoder.push(bytesOf(slice.parts));
    decoder.finish();
  });
  return { leaves, code };
}
