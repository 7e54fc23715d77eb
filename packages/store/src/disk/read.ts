import {
  type ByteRange,
  type Cid,
  createRangeVerifier,
  encodeSlice,
  type Tree,
  type TreeStep,
  WireError,
  wholeObject,
} from "@catalyst/wire";
import { inStoreTerms, StoreError } from "../errors.ts";
import type { Damage } from "../events.ts";
import { bytesOf, leavesOf, missingIn } from "../range-set.ts";
import type { GetOptions, GetOutcome } from "../store.ts";
import { type ObjectBytes, openBytes } from "./object-bytes.ts";
import type { ObjectRow } from "./objects.ts";
import type { DiskParts } from "./parts.ts";

/** {@link Store.get} on disk. */
export function getObject(
  parts: DiskParts,
  cid: Cid,
  range: ByteRange = { start: 0, end: Number.MAX_SAFE_INTEGER },
  options: GetOptions = {},
): GetOutcome {
  return find(parts, cid, [range], (row) => keep(readRange(parts, row, range), options));
}

/** {@link Store.slice} on disk. */
export function sliceObject(
  parts: DiskParts,
  cid: Cid,
  ranges: readonly ByteRange[] = wholeObject,
  options: GetOptions = {},
): GetOutcome {
  return find(parts, cid, ranges, (row) => keep(readSlice(parts, row, ranges), options));
}

/** The pieces, or copies that are the reader's to keep. */
function keep(pieces: AsyncGenerator<Uint8Array>, { borrow = false }: GetOptions): AsyncIterable<Uint8Array> {
  return borrow ? pieces : copiesOf(pieces);
}

async function* copiesOf(pieces: AsyncGenerator<Uint8Array>): AsyncGenerator<Uint8Array> {
  for await (const piece of pieces) yield new Uint8Array(piece);
}

function find(
  parts: DiskParts,
  cid: Cid,
  ranges: readonly ByteRange[],
  read: (row: ObjectRow) => AsyncIterable<Uint8Array>,
): GetOutcome {
  const row = parts.objects.find(cid);
  if (row === null) return { kind: "not_found" };
  const { tree } = row;
  createRangeVerifier(tree, ranges); // refuses ranges that are none, before anything is read
  const here = (range: ByteRange) => missingIn(row.ranges, leavesOf(range, tree)).length === 0;
  if (row.state === "partial" && !ranges.every(here)) {
    return { kind: "incomplete", verified: bytesOf(row.ranges, tree) };
  }
  return { kind: "found", sizeBytes: tree.size, bytes: read(row) };
}

async function* readRange(parts: DiskParts, row: ObjectRow, range: ByteRange): AsyncGenerator<Uint8Array> {
  for await (const { step, bytes } of readOrTell(parts, row, [range])) {
    if (step.kind !== "leaf") continue;
    const from = Math.max(0, range.start - step.offset);
    yield bytes.subarray(from, range.end - step.offset);
  }
}

async function* readSlice(
  parts: DiskParts,
  row: ObjectRow,
  ranges: readonly ByteRange[],
): AsyncGenerator<Uint8Array> {
  yield headOf(row.tree);
  for await (const { bytes } of readOrTell(parts, row, ranges)) yield bytes;
}

/** The first piece of every slice: size and top. */
function headOf(tree: Tree): Uint8Array {
  const unread = () => new Uint8Array(0);
  return encodeSlice(tree, { object: unread, outboard: unread }, []).next().value ?? unread();
}

/** Reads, and notes damage before it fails of it. Nothing is opened before somebody reads. */
async function* readOrTell(
  parts: DiskParts,
  row: ObjectRow,
  ranges: readonly ByteRange[],
): AsyncGenerator<ReadStep> {
  const found: Damage[] = [];
  await using bytes = await inStoreTerms(() => openBytes(parts, row, ranges));
  const steps = readVerified(row, ranges, bytes, (damage) => found.push(damage));
  for (;;) {
    const next = await inStoreTerms(() => steps.next());
    if (next.done || found.length > 0) break;
    yield next.value;
  }
  const [damage] = found;
  if (damage === undefined) return;
  if (parts.objects.findById(row.id) === null) {
    throw new StoreError("object_removed", `${row.cid} was removed before it was read`);
  }
  await noteDamage(parts, row, found);
  throw damageError(damage);
}

/** What a reader is told. */
export function damageError({ cid, part, firstLeaf, leaves }: Damage): StoreError {
  const where = leaves === 1 ? `leaf ${firstLeaf}` : `leaves ${firstLeaf} to ${firstLeaf + leaves - 1}`;
  const what = part === "data" ? where : `the tree above ${where}`;
  return new StoreError("object_damaged", `${what} of ${cid} is damaged on this disk: repair the object`, {
    evidence: { cid, firstLeaf, leaves },
  });
}

/** A part of an object that was verified, of parents the two digests; the bytes are good until the next step. */
export type ReadStep = { readonly step: TreeStep; readonly bytes: Uint8Array };

/** Reads ranges of an object and verifies each part; what is damaged is left out, with all below it, and told. */
export async function* readVerified(
  { cid, tree }: Pick<ObjectRow, "cid" | "tree">,
  ranges: readonly ByteRange[],
  bytes: ObjectBytes,
  onDamage: (damage: Damage) => void,
): AsyncGenerator<ReadStep> {
  const verifier = createRangeVerifier(tree, ranges);
  for (let step = verifier.next(); step !== null; step = verifier.next()) {
    const found =
      step.kind === "leaf"
        ? await bytes.leaf(step.offset, step.length)
        : await bytes.pair(step.left, step.right);
    try {
      if (step.kind === "leaf") verifier.acceptLeaf(found);
      else verifier.acceptParent(found);
    } catch (error) {
      if (!(error instanceof WireError && error.code === "tree_mismatch")) throw error;
      const { first, leaves } = verifier.skip();
      onDamage({ cid, part: leaves === 1 ? "data" : "outboard", firstLeaf: first, leaves });
      continue;
    }
    yield { step, bytes: found };
  }
}

/** Keeps what was found until it is repaired, and tells of what is new. */
export async function noteDamage(
  { commits, objects, emit }: DiskParts,
  { id }: ObjectRow,
  found: readonly Damage[],
): Promise<void> {
  const added = await commits.run(() => found.filter((damage) => objects.addDamage(id, damage)));
  for (const damage of added) emit({ kind: "damaged", damage });
}
