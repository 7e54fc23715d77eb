import { WireError } from "../errors.ts";
import { digestLength } from "./digest.ts";
import { checkSize, openTree, type Tree, type TreeRoot } from "./tree.ts";
import { createRangeVerifier, type RangeVerifier } from "./verifier.ts";
import { type ByteRange, stepLength, walkRange, wholeObject } from "./walk.ts";

const headLength = 8 + digestLength;

/** Gives bytes of the object, or of its outboard, from `offset` on. */
export type ReadBytes = (offset: number, length: number) => Uint8Array;

/**
 * Writes ranges of an object, by default all of it, with their proof, spec/wire.md §4: piece by piece, so that an
 * object of any size takes the memory of a leaf. Throws `tree_range`.
 */
export function* encodeSlice(
  tree: Tree,
  read: { readonly object: ReadBytes; readonly outboard: ReadBytes },
  ranges: readonly ByteRange[] = wholeObject,
): Generator<Uint8Array> {
  yield encodeHead(tree);
  for (const step of walkRange(tree, ranges)) {
    if (step.kind === "leaf") {
      yield read.object(step.offset, step.length);
      continue;
    }
    yield read.outboard(step.left, digestLength);
    yield read.outboard(step.right, digestLength);
  }
}

function encodeHead({ size, top }: Tree): Uint8Array {
  const head = new Uint8Array(headLength);
  new DataView(head.buffer).setBigUint64(0, BigInt(size));
  head.set(top, 8);
  return head;
}

/** A leaf that is proven to be the object's. */
export type VerifiedLeaf = {
  readonly index: number;
  /** Where in the object its bytes begin. */
  readonly offset: number;
  /** A view into the piece that was pushed, or memory of its own when the leaf came in several pieces. */
  readonly bytes: Uint8Array;
};

export type SliceDecoderOptions = {
  readonly root: TreeRoot;
  /** What was asked for, in the same words. Default: everything. */
  readonly ranges?: readonly ByteRange[];
  /** Gets each leaf as soon as it is verified, also those before a refusal in the same piece. */
  readonly onLeaf: (leaf: VerifiedLeaf) => void;
};

/** Reads a slice that arrives in pieces of any size. */
export type SliceDecoder = {
  /**
   * Takes the next bytes. Throws `tree_mismatch`, `tree_size`, `tree_trailing`; after that, and after a failure of
   * `onLeaf`, every call throws `misused`.
   */
  readonly push: (bytes: Uint8Array) => void;
  /** Ends the slice. Throws `tree_truncated` when something is missing. */
  readonly finish: () => Tree;
};

/**
 * Starts to read a slice, spec/wire.md §4, against nothing but its root. Takes the memory of one leaf besides the
 * pieces, and of the tree's height.
 */
export function createSliceDecoder({
  root,
  ranges = wholeObject,
  onLeaf,
}: SliceDecoderOptions): SliceDecoder {
  const decoder = new Decoder(root, ranges, onLeaf);
  return { push: (bytes) => decoder.push(bytes), finish: () => decoder.finish() };
}

class Decoder {
  readonly root: TreeRoot;
  readonly ranges: readonly ByteRange[];
  readonly onLeaf: (leaf: VerifiedLeaf) => void;
  opened: { readonly tree: Tree; readonly verifier: RangeVerifier } | null = null;
  /** The part of a head, parent or leaf that came with earlier pieces, and how many bytes of it. */
  begun: Uint8Array | null = null;
  filled = 0;
  failed = false;

  constructor(root: TreeRoot, ranges: readonly ByteRange[], onLeaf: (leaf: VerifiedLeaf) => void) {
    this.root = root;
    this.ranges = ranges;
    this.onLeaf = onLeaf;
    // Ranges that are none of any object are the caller's fault: found here, not when bytes arrive.
    walkRange({ size: 0, leafSize: root.leafSize }, ranges).next();
  }

  push(bytes: Uint8Array): void {
    if (this.failed) throw new WireError("misused", "the slice was refused: begin another one");
    this.failed = true;
    for (let at = 0; at < bytes.length; ) {
      const wanted = this.wanted();
      if (wanted === 0) throw new WireError("tree_trailing", "bytes follow the slice");
      const part = bytes.subarray(at, at + wanted - this.filled);
      at += part.length;
      const whole = part.length === wanted ? part : this.collect(part, wanted);
      if (whole !== null) this.accept(whole);
    }
    this.failed = false;
  }

  finish(): Tree {
    if (this.failed) throw new WireError("misused", "the slice was refused");
    if (this.opened === null || this.wanted() > 0) {
      throw new WireError("tree_truncated", "the slice ends before its last part");
    }
    return this.opened.tree;
  }

  /** The bytes of what is next; 0 at the end. */
  wanted(): number {
    if (this.opened === null) return headLength;
    const step = this.opened.verifier.next();
    return step === null ? 0 : stepLength(step);
  }

  /** Adds to what has begun; returns it when it is whole. */
  collect(part: Uint8Array, wanted: number): Uint8Array | null {
    this.begun ??= new Uint8Array(wanted);
    this.begun.set(part, this.filled);
    this.filled += part.length;
    if (this.filled < wanted) return null;
    const whole = this.begun;
    this.begun = null;
    this.filled = 0;
    return whole;
  }

  accept(bytes: Uint8Array): void {
    if (this.opened === null) {
      const tree = openTree(this.root, decodeHead(bytes));
      this.opened = { tree, verifier: createRangeVerifier(tree, this.ranges) };
      return;
    }
    const { verifier } = this.opened;
    const step = verifier.next();
    if (step?.kind !== "leaf") {
      verifier.acceptParent(bytes);
      return;
    }
    verifier.acceptLeaf(bytes);
    this.onLeaf({ index: step.index, offset: step.offset, bytes });
  }
}

function decodeHead(bytes: Uint8Array): { size: number; top: Uint8Array } {
  const size = Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0));
  checkSize(size);
  return { size, top: bytes.subarray(8) };
}
