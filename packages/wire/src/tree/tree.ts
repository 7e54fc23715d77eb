import { type Cid, type CidContent, type CidHash, formatCid, splitCid } from "../cid/cid.ts";
import { WireError } from "../errors.ts";
import { digestLength, hashLeaf, hashRoot } from "./digest.ts";

/** Bytes of a leaf; the last one of an object may be shorter. */
export type LeafSize = 16_384 | 65_536 | 262_144;

export const defaultLeafSize: LeafSize = 65_536;

/** What a CID says of an object: enough to verify what anybody sends of it. */
export type TreeRoot = {
  /** 32 bytes. */
  readonly root: Uint8Array;
  readonly leafSize: LeafSize;
};

/** The hash tree of an object, spec/wire.md §3. Get one from {@link openTree} or a hasher: its parts then agree. */
export type Tree = TreeRoot & {
  /** Bytes of the object. */
  readonly size: number;
  /** The digest of the topmost node, 32 bytes; the root binds it to the sizes. */
  readonly top: Uint8Array;
};

const hashOf: Readonly<Record<LeafSize, CidHash>> = {
  16384: "sha2-256-tree-16KiB",
  65536: "sha2-256-tree-64KiB",
  262144: "sha2-256-tree-256KiB",
};

export const leafSizes: readonly LeafSize[] = [16_384, 65_536, 262_144];

/**
 * The tree that belongs to a root, from the size and the top that somebody claims. Throws `tree_mismatch` when the
 * root is another's, `tree_size` when the size is no whole number up to 2^53 - 1.
 */
export function openTree(
  { root, leafSize }: TreeRoot,
  { size, top }: { readonly size: number; readonly top: Uint8Array },
): Tree {
  checkSize(size);
  checkLeafSize(leafSize);
  const fits = top.length === digestLength && hashRoot(size, leafSize, top).equals(root);
  // No leaf of an empty object is ever sent, so this is where its one digest is looked at.
  if (!fits || (size === 0 && !emptyTop().equals(top))) {
    throw new WireError("tree_mismatch", "size and top are not those of the root");
  }
  return { root: new Uint8Array(root), leafSize, size, top: new Uint8Array(top) };
}

/** The CID of an object. */
export function cidOfTree({ root, leafSize }: TreeRoot, content: CidContent = "raw"): Cid {
  return formatCid({ content, hash: hashOf[leafSize], digest: root });
}

/** The root that a CID names; null when it names a block, which has no tree. */
export function rootOfCid(cid: Cid): TreeRoot | null {
  const { hash, digest } = splitCid(cid);
  const leafSize = leafSizes.find((size) => hashOf[size] === hash);
  return leafSize === undefined ? null : { root: digest, leafSize };
}

/** How many leaves an object has: one even when it is empty. */
export function leafCount({ size, leafSize }: Pick<Tree, "size" | "leafSize">): number {
  return Math.max(1, Math.ceil(size / leafSize));
}

/** The leaves of the left child of a node with this many leaves: the largest power of two below it. */
export function leftLeaves(leaves: number): number {
  const most = leaves - 1;
  const high = Math.floor(most / 2 ** 32);
  return high > 0 ? 2 ** (63 - Math.clz32(high)) : 2 ** (31 - Math.clz32(most));
}

/** Bytes of an object's outboard, spec/wire.md §3.3: the digests of all nodes, each after those below it. */
export function outboardLength(tree: Pick<Tree, "size" | "leafSize">): number {
  return (2 * leafCount(tree) - 1) * digestLength;
}

/** Where in the outboard the digest of the node over `leaves` leaves from the leaf `first` on begins, in bytes. */
export function outboardOffset(first: number, leaves: number): number {
  // Before the first leaf of a node come the whole subtrees to its left: one for each bit of `first`.
  return (2 * first - countOnes(first) + 2 * leaves - 2) * digestLength;
}

export function checkLeafSize(leafSize: number): asserts leafSize is LeafSize {
  if (leafSizes.some((size) => size === leafSize)) return;
  throw new WireError("tree_leaf_size", `leaves of ${leafSize} bytes`);
}

export function checkSize(size: number): void {
  if (Number.isSafeInteger(size) && size >= 0) return;
  throw new WireError("tree_size", `an object of ${size} bytes`);
}

function emptyTop(): Buffer {
  const top = Buffer.alloc(digestLength);
  hashLeaf(top, 0, new Uint8Array(0));
  return top;
}

/** The bits that are set in a number below 2^53. */
function countOnes(value: number): number {
  let ones = 0;
  for (let rest = value; rest > 0; rest = Math.floor(rest / 2)) ones += rest % 2;
  return ones;
}
