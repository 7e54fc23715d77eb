import { WireError } from "../errors.ts";
import { digestLength, hashLeaf, hashParent } from "./digest.ts";
import type { Tree } from "./tree.ts";
import { type ByteRange, type TreeNode, type TreeStep, Walk, wholeObject } from "./walk.ts";

/**
 * Verifies parents and leaves of an object in the order of a slice, whatever carries them.
 *
 * A refusal changes nothing: the same step is still next, and can be tried with other bytes.
 */
export type RangeVerifier = {
  /** What has to come next; null when all ranges are verified. */
  readonly next: () => TreeStep | null;
  /** Takes the children's digests, 64 bytes. Throws `tree_mismatch`; `misused` when no parent is next. */
  readonly acceptParent: (pair: Uint8Array) => void;
  /** Takes the bytes of a leaf. Throws `tree_mismatch`; `misused` when no leaf is next. */
  readonly acceptLeaf: (bytes: Uint8Array) => void;
  /** Leaves out what is next, with everything below it. Throws `misused` at the end. */
  readonly skip: () => TreeNode;
};

/**
 * Starts to verify ranges of an object, by default all of it, spec/wire.md §4. Takes memory for the height of the
 * tree. Throws `tree_range`.
 *
 * @example
 * const tree = openTree(root, { size, top }); // from what the peer claims
 * const verifier = createRangeVerifier(tree, [{ start: 0, end: 1_000_000 }]);
 * for (let step = verifier.next(); step !== null; step = verifier.next()) {
 *   if (step.kind === "parent") verifier.acceptParent(await read(64));
 *   else verifier.acceptLeaf(await read(step.length));
 * }
 */
export function createRangeVerifier(tree: Tree, ranges: readonly ByteRange[] = wholeObject): RangeVerifier {
  const verifier = new Verifier(tree, ranges);
  return {
    next: () => verifier.step,
    acceptParent: (pair) => verifier.acceptParent(pair),
    acceptLeaf: (bytes) => verifier.acceptLeaf(bytes),
    skip: () => verifier.advance(),
  };
}

/** A node whose digest is known, because its parent's was. */
type KnownNode = { readonly node: TreeNode; readonly digest: Uint8Array };

class Verifier {
  readonly walk: Walk;
  /** What is still to come, the next one last. */
  readonly known: KnownNode[];
  readonly found = Buffer.alloc(digestLength);
  step: TreeStep | null = null;

  constructor(tree: Tree, ranges: readonly ByteRange[]) {
    this.walk = new Walk(tree, ranges);
    this.known = this.walk.begin().map((node) => ({ node, digest: tree.top }));
    this.look();
  }

  acceptParent(pair: Uint8Array): void {
    const { node } = this.expect("parent");
    if (pair.length !== 2 * digestLength) this.refuse(node, `${pair.length} bytes for two digests`);
    hashParent(this.found, 0, pair, 0);
    this.compare();
    this.advance();
    const digests = new Uint8Array(pair);
    for (const child of this.walk.below(node).reverse()) {
      const at = child.first === node.first ? 0 : digestLength;
      this.known.push({ node: child, digest: digests.subarray(at, at + digestLength) });
    }
    this.look();
  }

  acceptLeaf(bytes: Uint8Array): void {
    const { node } = this.expect("leaf");
    const length = this.step?.kind === "leaf" ? this.step.length : 0;
    if (bytes.length !== length) this.refuse(node, `${bytes.length} bytes instead of ${length}`);
    hashLeaf(this.found, 0, bytes);
    this.compare();
    this.advance();
  }

  advance(): TreeNode {
    const done = this.known.pop();
    if (done === undefined) throw new WireError("misused", "everything is verified: nothing is next");
    this.look();
    return done.node;
  }

  look(): void {
    const next = this.known.at(-1);
    this.step = next === undefined ? null : this.walk.step(next.node);
  }

  expect(kind: TreeStep["kind"]): KnownNode {
    const next = this.known.at(-1);
    if (next !== undefined && this.step?.kind === kind) return next;
    throw new WireError("misused", `a ${kind} came where ${this.step?.kind ?? "nothing"} is next`);
  }

  compare(): void {
    const next = this.known.at(-1);
    if (next === undefined || this.found.equals(next.digest)) return;
    this.refuse(next.node, "the digest is another one");
  }

  refuse({ first, leaves }: TreeNode, message: string): never {
    const what = leaves === 1 ? `leaf ${first}` : `the parent of leaves ${first} to ${first + leaves - 1}`;
    throw new WireError("tree_mismatch", `${what}: ${message}`, { evidence: { firstLeaf: first, leaves } });
  }
}
