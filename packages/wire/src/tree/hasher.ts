import { createHash, type Hash } from "node:crypto";
import { WireError } from "../errors.ts";
import { digestLength, hashLeaf, hashLeafDigest, hashParent, hashRoot } from "./digest.ts";
import { checkLeafSize, checkSize, defaultLeafSize, type LeafSize, type Tree } from "./tree.ts";

export type TreeHasherOptions = {
  /** Default 65,536. Small leaves verify small ranges sooner, large ones have smaller trees. */
  readonly leafSize?: LeafSize;
  /** Whether the plain SHA-256 is made too. It costs a second pass, but not for an object of one leaf. Default false. */
  readonly sha256?: boolean;
  /** Gets each node's digest, 32 bytes, in the order of the outboard; the view is good until it returns. */
  readonly onNode?: (digest: Uint8Array) => void;
};

export type HashedObject = Tree & {
  /** SHA-256 of the object's bytes; null when it was not asked for. */
  readonly sha256: Uint8Array | null;
};

/** Hashes an object that arrives in pieces of any size. */
export type TreeHasher = {
  /** Takes the next bytes, which are the caller's again afterwards. */
  readonly update: (bytes: Uint8Array) => void;
  /** Ends the object. Called once; afterwards both throw `misused`. */
  readonly finish: () => HashedObject;
};

/**
 * Starts the hash tree of an object, spec/wire.md §3. Takes about 2 kB, however large the object. Throws
 * `tree_leaf_size` for a leaf size other than 16, 64 and 256 KiB.
 *
 * @example
 * const hasher = createTreeHasher();
 * for await (const chunk of createReadStream(path)) hasher.update(chunk);
 * const cid = cidOfTree(hasher.finish());
 */
export function createTreeHasher(options: TreeHasherOptions = {}): TreeHasher {
  checkLeafSize(options.leafSize ?? defaultLeafSize);
  const hasher = new Hasher(options);
  return { update: (bytes) => hasher.update(bytes), finish: () => hasher.finish() };
}

/** The hash tree of an object that is in memory. */
export function hashTree(bytes: Uint8Array, options: TreeHasherOptions = {}): HashedObject {
  const hasher = createTreeHasher(options);
  hasher.update(bytes);
  return hasher.finish();
}

/** Nodes without a parent so far: at most one for each bit of the number of leaves, which is below 2^39. */
const mostWaiting = 40;

class Hasher {
  readonly leafSize: LeafSize;
  readonly wantsFlat: boolean;
  readonly onNode: TreeHasherOptions["onNode"];
  /** The digests of `waiting` nodes, left to right, each with more leaves than the next. */
  readonly nodes = Buffer.alloc(mostWaiting * digestLength);
  waiting = 0;
  leaves = 0;
  size = 0;
  /** The leaf that has begun with an earlier piece, and how many bytes it has. */
  leaf: Hash | null = null;
  filled = 0;
  /** SHA-256 of everything, once there is more than a leaf: until then the leaf's own is the same. */
  flat: Hash | null = null;
  finished = false;

  constructor({ leafSize = defaultLeafSize, sha256 = false, onNode }: TreeHasherOptions) {
    this.leafSize = leafSize;
    this.wantsFlat = sha256;
    this.onNode = onNode;
  }

  update(bytes: Uint8Array): void {
    this.refuseFinished();
    this.size += bytes.length;
    for (let at = 0; at < bytes.length; ) {
      const part = bytes.subarray(at, at + this.leafSize - this.filled);
      at += part.length;
      this.flat?.update(part);
      const inFirstLeaf = this.wantsFlat && this.flat === null;
      if (part.length === this.leafSize && !inFirstLeaf) {
        hashLeaf(this.nodes, this.waiting * digestLength, part);
        this.addLeaf();
        continue;
      }
      this.leaf ??= createHash("sha256");
      this.leaf.update(part);
      this.filled += part.length;
      if (this.filled < this.leafSize) return;
      if (inFirstLeaf) this.flat = this.leaf.copy();
      this.endLeaf(this.leaf.digest());
    }
  }

  finish(): HashedObject {
    this.refuseFinished();
    this.finished = true;
    checkSize(this.size);
    let sha256: Uint8Array | null = this.flat?.digest() ?? null;
    if (this.leaf !== null || this.leaves === 0) {
      const digest = (this.leaf ?? createHash("sha256")).digest();
      if (this.wantsFlat) sha256 ??= digest;
      this.endLeaf(digest);
    }
    while (this.waiting > 1) this.join();
    const { size, leafSize } = this;
    const top = this.nodes.subarray(0, digestLength);
    return { size, leafSize, root: plain(hashRoot(size, leafSize, top)), top: plain(top), sha256 };
  }

  endLeaf(sha256: Uint8Array): void {
    this.leaf = null;
    this.filled = 0;
    hashLeafDigest(this.nodes, this.waiting * digestLength, sha256);
    this.addLeaf();
  }

  /** Counts the leaf whose digest was just written, and joins what has become complete. */
  addLeaf(): void {
    this.waiting++;
    this.leaves++;
    this.tell();
    for (let pairs = this.leaves; pairs % 2 === 0; pairs /= 2) this.join();
  }

  /** Makes a parent of the last two nodes. */
  join(): void {
    this.waiting--;
    const left = (this.waiting - 1) * digestLength;
    hashParent(this.nodes, left, this.nodes, left);
    this.tell();
  }

  tell(): void {
    this.onNode?.(this.nodes.subarray((this.waiting - 1) * digestLength, this.waiting * digestLength));
  }

  refuseFinished(): void {
    if (this.finished) throw new WireError("misused", "the object is finished: begin another one");
  }
}

/** A copy that is no Buffer, and does not hold on to the memory of one. */
function plain(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(bytes);
}
