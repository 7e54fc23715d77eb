import { createHash } from "node:crypto";
import { cidOfTree, encodeSlice, type LeafSize, leafCount, leafSizes, walkRange } from "@catalyst/wire";
import { toHex } from "../../../packages/wire/test/hex.ts";
import { join, makeObject } from "../../../packages/wire/test/objects.ts";
import type { VectorFile } from "../wire-vectors.ts";

/** Outboards of so many leaves are written out. */
const smallOutboard = 8;

export function treeVectors(): VectorFile {
  const small = [0, 1, 16_383, 16_384, 16_385, 32_768, 49_152, 65_537, 81_920, 114_688];
  const sizes = new Map<LeafSize, readonly number[]>([
    [16_384, [...small, 1_048_576, 1_048_577]],
    [65_536, [0, 1, 65_536, 65_537, 196_608, 458_753, 5_000_000]],
    [262_144, [0, 1, 262_144, 262_145, 1_310_721]],
  ]);
  return {
    about: "spec/wire.md §3. Objects of the pattern, with their trees; outboards of up to 8 leaves.",
    vectors: leafSizes.flatMap((leafSize) =>
      (sizes.get(leafSize) ?? []).map((size) => treeVector(size, leafSize)),
    ),
  };
}

function treeVector(size: number, leafSize: LeafSize): object {
  const { bytes, tree, outboard } = makeObject(size, leafSize);
  return {
    name: `${size} bytes, leaves of ${leafSize / 1024} KiB`,
    size,
    leafSize,
    sha256: toHex(createHash("sha256").update(bytes).digest()),
    top: toHex(tree.top),
    root: toHex(tree.root),
    cid: cidOfTree(tree),
    ...(leafCount(tree) <= smallOutboard ? { outboard: toHex(outboard) } : {}),
  };
}

type Slice = {
  readonly size: number;
  readonly leafSize: LeafSize;
  readonly ranges: readonly [number, number][];
};

const slices: Readonly<Record<string, Slice>> = {
  "a whole object of seven leaves": { size: 100_000, leafSize: 16_384, ranges: [[0, 100_000]] },
  "the first byte": { size: 100_000, leafSize: 16_384, ranges: [[0, 1]] },
  "the last byte": { size: 100_000, leafSize: 16_384, ranges: [[99_999, 100_000]] },
  "two bytes at the edge of two leaves": { size: 100_000, leafSize: 16_384, ranges: [[32_767, 32_769]] },
  "exactly one leaf": { size: 100_000, leafSize: 16_384, ranges: [[65_536, 81_920]] },
  "ranges apart": {
    size: 100_000,
    leafSize: 16_384,
    ranges: [
      [10, 20],
      [40_000, 50_000],
      [90_000, 90_001],
    ],
  },
  "ranges in the same leaf, which comes once": {
    size: 100_000,
    leafSize: 16_384,
    ranges: [
      [20_000, 20_001],
      [20_001, 20_002],
      [30_000, 30_001],
    ],
  },
  "a range that goes beyond the end": { size: 100_000, leafSize: 16_384, ranges: [[90_000, 1_000_000]] },
  "a range beyond the end: the head alone": { size: 100_000, leafSize: 16_384, ranges: [[100_000, 100_001]] },
  "no range: the head alone": { size: 100_000, leafSize: 16_384, ranges: [] },
  "an object of one leaf": { size: 5, leafSize: 65_536, ranges: [[0, 5]] },
  "an empty object": { size: 0, leafSize: 65_536, ranges: [[0, 1]] },
  "leaves of 256 KiB": { size: 600_000, leafSize: 262_144, ranges: [[300_000, 300_001]] },
};

export function sliceVectors(): VectorFile {
  return {
    about:
      "spec/wire.md §4. Slices of objects of the pattern, in parts: bytes, or `length` bytes of the object.",
    vectors: Object.entries(slices).map(([name, slice]) => sliceVector(name, slice)),
  };
}

function sliceVector(name: string, { size, leafSize, ranges }: Slice): object {
  const { tree, read } = makeObject(size, leafSize);
  const wanted = ranges.map(([start, end]) => ({ start, end }));
  const head = join(encodeSlice(tree, read, []));
  const parts = [...walkRange(tree, wanted)].map((step) =>
    step.kind === "leaf"
      ? { start: step.offset, length: step.length }
      : toHex(read.outboard(step.left, 32)) + toHex(read.outboard(step.right, 32)),
  );
  return { name, root: toHex(tree.root), size, leafSize, ranges, parts: [toHex(head), ...parts] };
}
