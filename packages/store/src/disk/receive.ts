import { createHash, type Hash } from "node:crypto";
import {
  type ByteRange,
  type Cid,
  createRangeVerifier,
  leafCount,
  openTree,
  outboardLength,
  rootOfCid,
  type Tree,
  wholeObject,
} from "@catalyst/wire";
import { inStoreTerms, StoreError } from "../errors.ts";
import type { Damage } from "../events.ts";
import { addRange, bytesOf, missingIn, type RangeSet } from "../range-set.ts";
import type { RangeWriter, ReceiveOptions, ReceiveOutcome, Receiver, TreeClaim, Usage } from "../store.ts";
import { discard, discardAfterFailure } from "./discard.ts";
import { hold } from "./hold.ts";
import { openBytes } from "./object-bytes.ts";
import type { OpenObject } from "./object-files.ts";
import type { ObjectRow } from "./objects.ts";
import type { DiskParts } from "./parts.ts";
import { damageError, readVerified } from "./read.ts";

/** Verified bytes that a crash may cost at most. */
const checkpointBytes = 64 * 1024 * 1024;
const digestLength = 32;

/** {@link Store.receive} on disk. */
export async function receiveObject(
  parts: DiskParts,
  cid: Cid,
  claim: TreeClaim,
  { namespace }: ReceiveOptions,
): Promise<ReceiveOutcome> {
  const root = rootOfCid(cid);
  if (root === null)
    throw new StoreError("option_invalid", `${cid} names a block, which is put in one piece`);
  const tree = openTree(root, claim);
  const { objects, receiving, files, commits } = parts;
  const refused = await commits.store(() => hold(parts, namespace, cid));
  if (refused === null) return { kind: "present" };
  if (refused.kind === "quota_exceeded") return refused;
  if (receiving.has(cid)) return { kind: "busy" };
  receiving.add(cid);
  try {
    const row = objects.find(cid) ?? (await beginPartial(parts, cid, tree, namespace));
    if (!("tree" in row)) {
      receiving.delete(cid);
      return { kind: "quota_exceeded", ...row };
    }
    if (row.state === "whole") {
      receiving.delete(cid);
      return receiveObject(parts, cid, claim, { namespace });
    }
    const receiver = new DiskReceiver(parts, namespace, row, await files.open(row.id, "update"));
    return { kind: "receiving", receiver };
  } catch (error) {
    receiving.delete(cid);
    throw error;
  }
}

/** Makes the row and the files of an object of which nothing is here yet; or says what quota it would exceed. */
async function beginPartial(
  parts: DiskParts,
  cid: Cid,
  tree: Tree,
  namespace: string,
): Promise<ObjectRow | Usage> {
  const { commits, objects, keeping, now } = parts;
  const exceeded = keeping.exceeded(namespace, null, tree.size);
  if (exceeded !== null) return exceeded;
  const id = await commits.store(() => objects.begin(now()));
  try {
    await createFiles(parts, id, tree);
    const begun = await commits.store(() => {
      const known = objects.find(cid); // somebody may have put it meanwhile
      const refused = known ?? keeping.exceeded(namespace, id, tree.size);
      if (refused !== null) return refused;
      objects.fill(id, { cid, tree, state: "partial", sha256: null, bytes: null }, now());
      keeping.hold(namespace, id, tree.size);
      return objects.find(cid) as ObjectRow;
    });
    if (!("id" in begun) || begun.id !== id) await discard(parts, id);
    return begun;
  } catch (error) {
    await discardAfterFailure(parts, id);
    throw error;
  }
}

async function createFiles({ files }: DiskParts, id: number, tree: Tree): Promise<void> {
  const file = await files.create(id);
  try {
    await file.outboard.write(tree.top, outboardLength(tree) - digestLength);
    await file.outboard.sync();
    await file.data.sync();
    await files.syncFolder(id);
  } finally {
    await file.close();
  }
}

class DiskReceiver implements Receiver {
  readonly tree: Tree;
  readonly #parts: DiskParts;
  readonly #namespace: string;
  readonly #row: ObjectRow;
  readonly #file: OpenObject;
  #ranges: RangeSet;
  /** Digests that are not in the outboard file yet, by their place. */
  #nodes = new Map<number, Uint8Array>();
  #unsynced = 0;
  #checkpoints: Promise<void> = Promise.resolve();
  /** SHA-256 of all before `hashed`, as long as leaves come in their order. */
  #flat: Hash | null;
  #hashed = 0;
  #closed = false;

  constructor(parts: DiskParts, namespace: string, row: ObjectRow, file: OpenObject) {
    this.tree = row.tree;
    this.#parts = parts;
    this.#namespace = namespace;
    this.#row = row;
    this.#file = file;
    this.#ranges = row.ranges;
    this.#flat = row.ranges.length === 0 ? createHash("sha256") : null;
  }

  missing(): readonly ByteRange[] {
    const { size } = this.tree;
    const missing = missingIn(this.#ranges, { start: 0, end: leafCount(this.tree) });
    return size === 0 ? [] : bytesOf(missing, this.tree);
  }

  take(ranges: readonly ByteRange[]): RangeWriter {
    const verifier = createRangeVerifier(this.tree, ranges);
    return {
      next: verifier.next,
      acceptParent: (pair) => {
        const step = verifier.next();
        verifier.acceptParent(pair);
        if (step?.kind !== "parent") return;
        this.#nodes.set(step.left, new Uint8Array(pair.subarray(0, digestLength)));
        this.#nodes.set(step.right, new Uint8Array(pair.subarray(digestLength)));
      },
      acceptLeaf: async (bytes) => {
        const step = verifier.next();
        verifier.acceptLeaf(bytes);
        if (step?.kind === "leaf") await inStoreTerms(() => this.#write(step, bytes));
      },
    };
  }

  checkpoint(): Promise<void> {
    const made = this.#checkpoints.then(() => inStoreTerms(() => this.#makeCheckpoint()));
    this.#checkpoints = made.catch(() => {}); // whoever asked for it is told
    return made;
  }

  async finish(): Promise<boolean> {
    if (this.missing().length > 0) return false;
    await this.checkpoint();
    const sha256 = this.#flat?.digest() ?? (await inStoreTerms(() => this.#hashAll()));
    this.#flat = null;
    const { commits, objects, now, emit } = this.#parts;
    const { id, cid, tree } = this.#row;
    const isWhole = await inStoreTerms(() =>
      commits.store(() => {
        const known = objects.find(cid);
        if (known?.state === "partial" && known.id === id) {
          objects.fill(id, { cid, tree, state: "whole", sha256, bytes: null }, now());
          return true;
        }
        return known?.state === "whole";
      }),
    );
    if (isWhole) emit({ kind: "stored", namespace: this.#namespace, cid, sizeBytes: tree.size, isNew: true });
    return isWhole;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    try {
      if (this.#unsynced > 0) await this.checkpoint();
    } finally {
      this.#parts.receiving.delete(this.#row.cid);
      await this.#file.close();
    }
  }

  async #write({ index, offset }: { index: number; offset: number }, bytes: Uint8Array): Promise<void> {
    if (offset === this.#hashed) {
      this.#flat?.update(bytes);
      this.#hashed += bytes.length;
    } else if (offset > this.#hashed) this.#flat = null;
    await this.#file.data.write(bytes, offset);
    this.#ranges = addRange(this.#ranges, { start: index, end: index + 1 });
    this.#unsynced += bytes.length;
    if (this.#unsynced >= checkpointBytes) await this.checkpoint();
  }

  async #makeCheckpoint(): Promise<void> {
    const ranges = this.#ranges;
    const nodes = this.#nodes;
    this.#unsynced = 0;
    this.#nodes = new Map();
    for (const { offset, bytes } of runsOf(nodes)) await this.#file.outboard.write(bytes, offset);
    await Promise.all([this.#file.data.sync(), this.#file.outboard.sync()]);
    const { commits, objects, now } = this.#parts;
    await commits.store(() => objects.setRanges(this.#row, ranges, now()));
  }

  async #hashAll(): Promise<Uint8Array> {
    const hash = createHash("sha256");
    await using bytes = await openBytes(this.#parts, this.#row, wholeObject);
    const refuse = (damage: Damage) => {
      throw damageError(damage);
    };
    for await (const { step, bytes: found } of readVerified(this.#row, wholeObject, bytes, refuse)) {
      if (step.kind === "leaf") hash.update(found);
    }
    return hash.digest();
  }
}

/** Digests that lie side by side, as one piece each. */
function* runsOf(nodes: ReadonlyMap<number, Uint8Array>): Generator<{ offset: number; bytes: Uint8Array }> {
  const offsets = [...nodes.keys()].sort((a, b) => a - b);
  for (let at = 0; at < offsets.length; ) {
    const offset = offsets[at] ?? 0;
    const run: Uint8Array[] = [];
    for (; offsets[at] === offset + run.length * digestLength; at++) {
      run.push(nodes.get(offset + run.length * digestLength) ?? new Uint8Array(digestLength));
    }
    yield { offset, bytes: Buffer.concat(run) };
  }
}
