import { type Cid, cidOfTree, createTreeHasher, defaultLeafSize, type HashedObject } from "@catalyst/wire";
import type { ByteSource, PutOptions, PutOutcome, Usage } from "../store.ts";
import { discard, discardAfterFailure } from "./discard.ts";
import type { OpenObject } from "./object-files.ts";
import type { DiskParts } from "./parts.ts";
import { TreeWriter } from "./tree-writer.ts";

/** Objects up to this size lie in the database. */
export const maxInlineBytes = 16 * 1024;
/** Objects up to this size are held in memory until it is known whether they are here already. */
const maxHeldBytes = 1024 * 1024;
/** What is hashed at once: between two pieces others have their turn. */
const pieceBytes = 1024 * 1024;

/** {@link Store.put} on disk. */
export async function putObject(
  parts: DiskParts,
  source: ByteSource,
  options: PutOptions,
): Promise<PutOutcome> {
  const pieces = piecesOf(source);
  let held = Buffer.alloc(0);
  let length = 0;
  for (let next = await pieces.next(); !next.done; next = await pieces.next()) {
    held = withRoom(held, length + next.value.length);
    held.set(next.value, length);
    length += next.value.length;
    if (length > maxHeldBytes) return putStream(parts, held.subarray(0, length), pieces, options);
  }
  return putHeld(parts, held.subarray(0, length), options);
}

/** Bytes that come one by one take no more room than those that come at once. */
function withRoom(held: Buffer<ArrayBuffer>, wanted: number): Buffer<ArrayBuffer> {
  if (wanted <= held.length) return held;
  const larger = Buffer.allocUnsafeSlow(Math.max(wanted, 2 * held.length));
  larger.set(held);
  return larger;
}

/** Of what is here already nothing is written. */
async function putHeld(parts: DiskParts, bytes: Uint8Array, options: PutOptions): Promise<PutOutcome> {
  const nodes: Uint8Array[] = [];
  const hasher = createTreeHasher({
    leafSize: options.leafSize ?? defaultLeafSize,
    sha256: true,
    onNode: (digest) => nodes.push(Buffer.from(digest)),
  });
  hasher.update(bytes);
  const hashed = hasher.finish();
  const cid = cidOfTree(hashed, options.content);
  if (isUnexpected(cid, options)) return { kind: "other_content", cid };
  const isInline = bytes.length <= maxInlineBytes;
  const needsFile = () => !isInline && parts.objects.find(cid)?.state !== "whole";
  const outcome = await parts.commits.store(() =>
    needsFile() ? null : commit(parts, null, cid, hashed, isInline ? bytes : null, options),
  );
  if (outcome !== null) return told(parts, outcome, options);
  return putFile(parts, options, async ({ data, outboard }) => {
    await Promise.all([data.write(bytes, 0), outboard.write(Buffer.concat(nodes), 0)]);
    await Promise.all([data.sync(), outboard.sync()]);
    return hashed;
  });
}

async function putStream(
  parts: DiskParts,
  head: Uint8Array,
  pieces: AsyncGenerator<Uint8Array>,
  options: PutOptions,
): Promise<PutOutcome> {
  try {
    const usage = parts.keeping.usage(options.namespace);
    return await putFile(parts, options, (file) => writeStream(file, head, pieces, usage, options));
  } finally {
    await pieces.return(undefined);
  }
}

/** Makes the files of an object, and an object of them; `write` fills them, or says what quota they would exceed. */
async function putFile(
  parts: DiskParts,
  options: PutOptions,
  write: (file: OpenObject) => Promise<HashedObject | Usage>,
): Promise<PutOutcome> {
  const id = await parts.commits.store(() => parts.objects.begin(parts.now()));
  try {
    const outcome = await writeAndCommit(parts, id, write, options);
    if (outcome.kind !== "stored" || !outcome.isNew) await discard(parts, id);
    return told(parts, outcome, options);
  } catch (error) {
    await discardAfterFailure(parts, id);
    throw error;
  }
}

async function writeAndCommit(
  parts: DiskParts,
  id: number,
  write: (file: OpenObject) => Promise<HashedObject | Usage>,
  options: PutOptions,
): Promise<PutOutcome> {
  const file = await parts.files.create(id);
  const hashed = await writeAndClose(file, write);
  if (!("root" in hashed)) return { kind: "quota_exceeded", ...hashed };
  await parts.files.syncFolder(id);
  const cid = cidOfTree(hashed, options.content);
  if (isUnexpected(cid, options)) return { kind: "other_content", cid };
  return parts.commits.store(() => commit(parts, id, cid, hashed, null, options));
}

async function writeAndClose(
  file: OpenObject,
  write: (file: OpenObject) => Promise<HashedObject | Usage>,
): Promise<HashedObject | Usage> {
  try {
    return await write(file);
  } finally {
    await file.close();
  }
}

async function writeStream(
  file: OpenObject,
  head: Uint8Array,
  pieces: AsyncGenerator<Uint8Array>,
  usage: Usage,
  { leafSize = defaultLeafSize }: PutOptions,
): Promise<HashedObject | Usage> {
  const mostBytes = usage.maxBytes ?? Number.POSITIVE_INFINITY;
  const writer = new TreeWriter(file, { leafSize, sha256: true });
  let length = 0;
  try {
    await writer.append(head);
    for await (const piece of pieces) {
      await writer.append(piece);
      length += piece.length;
      if (length > mostBytes) return usage;
    }
    return await writer.finish();
  } finally {
    await writer.settle();
  }
}

/** Makes what was written an object; or says why not, or that it is one already. Inside a transaction. */
function commit(
  { objects, keeping, logical, garbage, now }: DiskParts,
  id: number | null,
  cid: Cid,
  hashed: HashedObject,
  bytes: Uint8Array | null,
  { namespace, references = [], standsFor }: PutOptions,
): PutOutcome {
  const exceeded = keeping.exceeded(namespace, objects.find(cid)?.id ?? null, hashed.size);
  if (exceeded !== null) return { kind: "quota_exceeded", ...exceeded };
  const missing = references.find((reference) => objects.find(reference)?.state !== "whole");
  if (missing !== undefined) return { kind: "reference_missing", cid: missing };
  const known = objects.find(cid);
  const isNew = known?.state !== "whole" || known.id === id;
  const row = isNew ? (id ?? objects.begin(now())) : known.id;
  if (isNew && known !== null && known.id !== id) {
    garbage.note(known.id);
    objects.remove(known.id);
  }
  const { size, sha256 } = hashed;
  if (isNew) objects.fill(row, { cid, tree: hashed, state: "whole", sha256, bytes }, now());
  else objects.touch(cid, now());
  for (const reference of references) {
    objects.refer(row, reference);
    objects.touch(reference, now());
  }
  logical.note(row, isNew, size, standsFor);
  keeping.hold(namespace, row, size);
  return { kind: "stored", cid, sizeBytes: size, sha256: sha256 ?? new Uint8Array(0), isNew };
}

function isUnexpected(cid: Cid, { expected }: PutOptions): boolean {
  return expected !== undefined && expected !== cid;
}

function told({ emit }: DiskParts, outcome: PutOutcome, { namespace }: PutOptions): PutOutcome {
  if (outcome.kind === "stored") {
    const { cid, sizeBytes, isNew } = outcome;
    emit({ kind: "stored", namespace, cid, sizeBytes, isNew });
  }
  return outcome;
}

/** The source in pieces that do not take long to hash. */
async function* piecesOf(source: ByteSource): AsyncGenerator<Uint8Array> {
  for await (const bytes of source) {
    for (let at = 0; at < bytes.length; at += pieceBytes) yield bytes.subarray(at, at + pieceBytes);
  }
}
