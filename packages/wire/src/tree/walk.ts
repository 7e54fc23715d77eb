import { WireError } from "../errors.ts";
import { digestLength } from "./digest.ts";
import { leafCount, leftLeaves, outboardOffset, type Tree } from "./tree.ts";

/** Bytes of an object, from `start` up to and without `end`. What lies beyond its size is ignored. */
export type ByteRange = { readonly start: number; readonly end: number };

/** A node of a tree by what it stands for: `leaves` leaves from the leaf `first` on. */
export type TreeNode = { readonly first: number; readonly leaves: number };

/** What comes next in a slice, spec/wire.md §4. */
export type TreeStep =
  /** The digests of a node's children; both lie in the outboard, at `left` and `right`. */
  | ({ readonly kind: "parent"; readonly left: number; readonly right: number } & TreeNode)
  /** `length` bytes of the object from `offset` on; the digest lies in the outboard, at `digest`. */
  | {
      readonly kind: "leaf";
      readonly index: number;
      readonly offset: number;
      readonly length: number;
      readonly digest: number;
    };

type Sizes = Pick<Tree, "size" | "leafSize">;

/** Everything of an object. */
export const wholeObject: readonly ByteRange[] = [{ start: 0, end: Number.MAX_SAFE_INTEGER }];

/** Bytes that a step takes in a slice. */
export function stepLength(step: TreeStep): number {
  return step.kind === "parent" ? 2 * digestLength : step.length;
}

/**
 * The parts of a slice in their order: every parent above a wanted leaf once, before what is below it, and the wanted
 * leaves from left to right. Takes memory for the height of the tree. Throws `tree_range`.
 *
 * @example
 * for (const step of walkRange(tree, [{ start: 0, end: 1_000_000 }])) …
 */
export function* walkRange(tree: Sizes, ranges: readonly ByteRange[] = wholeObject): Generator<TreeStep> {
  const walk = new Walk(tree, ranges);
  const nodes = walk.begin();
  for (let node = nodes.pop(); node !== undefined; node = nodes.pop()) {
    yield walk.step(node);
    nodes.push(...walk.below(node).reverse());
  }
}

/** The way through a tree for some ranges; what a prover and a verifier have in common. */
export class Walk {
  readonly tree: Sizes;
  readonly wanted: readonly ByteRange[];

  constructor(tree: Sizes, ranges: readonly ByteRange[]) {
    this.tree = tree;
    this.wanted = toLeaves(tree, ranges);
  }

  /** The topmost node, or nothing when no leaf is wanted. */
  begin(): TreeNode[] {
    return this.keep([{ first: 0, leaves: leafCount(this.tree) }]);
  }

  /** The children of a node, left to right, that have a wanted leaf. */
  below(node: TreeNode): TreeNode[] {
    return node.leaves === 1 ? [] : this.keep(childrenOf(node));
  }

  step(node: TreeNode): TreeStep {
    const { first, leaves } = node;
    if (leaves > 1) {
      const [left, right] = childrenOf(node);
      return { kind: "parent", first, leaves, left: offsetOf(left), right: offsetOf(right) };
    }
    const { size, leafSize } = this.tree;
    const offset = first * leafSize;
    const length = Math.min(leafSize, size - offset);
    return { kind: "leaf", index: first, offset, length, digest: offsetOf(node) };
  }

  keep(nodes: readonly TreeNode[]): TreeNode[] {
    return nodes.filter(({ first, leaves }) => {
      const range = this.wanted[findRange(this.wanted, first)];
      return range !== undefined && range.start < first + leaves;
    });
  }
}

function offsetOf({ first, leaves }: TreeNode): number {
  return outboardOffset(first, leaves);
}

function childrenOf({ first, leaves }: TreeNode): [TreeNode, TreeNode] {
  const left = leftLeaves(leaves);
  return [
    { first, leaves: left },
    { first: first + left, leaves: leaves - left },
  ];
}

/** The first of ascending ranges that ends after a place. */
function findRange(ranges: readonly ByteRange[], place: number): number {
  let low = 0;
  let high = ranges.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((ranges[middle]?.end ?? 0) > place) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** The leaves that ranges of bytes touch, as ranges of leaves that are apart. */
function toLeaves({ size, leafSize }: Sizes, ranges: readonly ByteRange[]): readonly ByteRange[] {
  const wanted: { start: number; end: number }[] = [];
  let least = 0;
  for (const { start, end } of ranges) {
    const valid = Number.isSafeInteger(start) && Number.isSafeInteger(end) && start >= least && end > start;
    if (!valid) throw new WireError("tree_range", `the range from ${start} to ${end} after ${least}`);
    least = end;
    if (start >= size) continue;
    const from = Math.floor(start / leafSize);
    const to = Math.ceil(Math.min(end, size) / leafSize);
    const last = wanted.at(-1);
    if (last !== undefined && from <= last.end) last.end = to;
    else wanted.push({ start: from, end: to });
  }
  return wanted;
}
