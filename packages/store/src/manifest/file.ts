import { createHash } from "node:crypto";
import { type ByteRange, type Cid, splitCid } from "@catalyst/wire";
import { StoreError } from "../errors.ts";
import type { Store } from "../store.ts";
import {
  checkPart,
  checkRoot,
  decodeManifest,
  type Manifest,
  type ManifestPart,
  maxManifestBytes,
  refuse,
} from "./manifest.ts";

export type ManifestOutcome =
  | {
      readonly kind: "found";
      /** Of the file. */
      readonly sizeBytes: number;
      /** Plain SHA-256 of the file, 32 bytes, as the manifest says; a reading of the whole file checks it. */
      readonly sha256: Uint8Array;
      /**
       * The bytes of a range, by default all, a chunk at a time; only chunks that the range touches are read. Throws
       * `option_invalid` for a range that is none. Reading on throws `chunk_missing`, and `manifest_invalid` when
       * chunks are not what the manifest says; and as {@link Store.get} does.
       */
      readonly read: (range?: ByteRange) => AsyncIterable<Uint8Array>;
    }
  | { readonly kind: "not_found" }
  /** A part of the manifest has not come yet. */
  | { readonly kind: "incomplete" };

/**
 * Opens a file that was imported in chunks by the CID of its manifest. Throws `manifest_invalid` when the object is
 * no manifest of a file, and as {@link Store.get} does.
 *
 * @example
 * const file = await openManifest(store, cid);
 * if (file.kind === "found") await pipeline(file.read({ start: 0, end: 1_000 }), response);
 */
export async function openManifest(store: Store, cid: Cid): Promise<ManifestOutcome> {
  const manifest = await readManifest(store, cid);
  if ("kind" in manifest) return manifest;
  const sha256 = checkRoot(manifest);
  const read = (range: ByteRange = { start: 0, end: manifest.size }) => {
    checkRange(range);
    const isWhole = range.start === 0 && range.end >= manifest.size;
    const bytes = readChunks(store, chunksIn(store, manifest, range));
    return isWhole ? checked(bytes, sha256, cid) : bytes;
  };
  return { kind: "found", sizeBytes: manifest.size, sha256, read };
}

/** Where a range touches a chunk. */
type Stretch = { readonly part: ManifestPart; readonly range: ByteRange };

async function readManifest(
  store: Store,
  cid: Cid,
): Promise<Manifest | { readonly kind: "not_found" | "incomplete" }> {
  const { content, hash } = splitCid(cid);
  if (content !== "cbor" || hash !== "sha2-256-tree-64KiB") refuse("its CID says so", { cid });
  const found = await store.get(cid);
  if (found.kind !== "found") return { kind: found.kind };
  if (found.sizeBytes > maxManifestBytes) refuse("it is too long", { cid });
  return decodeManifest(await collect(found.bytes, found.sizeBytes));
}

/** The chunks that a range touches, in their order, and what of each. Memory is for one manifest of each level. */
async function* chunksIn(
  store: Store,
  { level, parts }: Manifest,
  { start, end }: ByteRange,
  isLast = true,
): AsyncGenerator<Stretch> {
  let offset = 0;
  for (const [at, part] of parts.entries()) {
    const range = { start: Math.max(0, start - offset), end: Math.min(part.size, end - offset) };
    offset += part.size;
    if (range.start >= range.end) continue;
    if (level === 0) yield { part, range };
    else {
      const isLastPart = isLast && at === parts.length - 1;
      yield* chunksIn(store, await openPart(store, part, level - 1, isLastPart), range, isLastPart);
    }
  }
}

async function openPart(
  store: Store,
  { cid, size }: ManifestPart,
  level: number,
  isLast: boolean,
): Promise<Manifest> {
  const manifest = await readManifest(store, cid);
  if ("kind" in manifest) throw missing(cid);
  checkPart(manifest, { level, size, isLast });
  return manifest;
}

/** One chunk is loaded while the one before is used. */
async function* readChunks(store: Store, stretches: AsyncGenerator<Stretch>): AsyncGenerator<Uint8Array> {
  let loading: Promise<Uint8Array> | null = null;
  try {
    for await (const stretch of stretches) {
      const loaded: Promise<Uint8Array> | null = loading;
      loading = loadChunk(store, stretch);
      loading.catch(() => {}); // told when its turn comes
      if (loaded !== null) yield await loaded;
    }
    if (loading !== null) yield await loading;
  } finally {
    await loading?.catch(() => {}); // told, or of no interest any more
  }
}

async function loadChunk(store: Store, { part, range }: Stretch): Promise<Uint8Array> {
  const found = await store.get(part.cid, range);
  if (found.kind !== "found") throw missing(part.cid);
  if (found.sizeBytes !== part.size) refuse("a chunk of another size than it says", { cid: part.cid });
  return collect(found.bytes, range.end - range.start);
}

/** Compares what is read to its end with the SHA-256 that the manifest gives. */
async function* checked(
  bytes: AsyncIterable<Uint8Array>,
  sha256: Uint8Array,
  cid: Cid,
): AsyncGenerator<Uint8Array> {
  const hash = createHash("sha256");
  for await (const piece of bytes) {
    hash.update(piece);
    yield piece;
  }
  if (Buffer.compare(hash.digest(), sha256) !== 0) refuse("a SHA-256 that is not the file's", { cid });
}

async function collect(pieces: AsyncIterable<Uint8Array>, length: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(length);
  let at = 0;
  for await (const piece of pieces) {
    bytes.set(piece, at);
    at += piece.length;
  }
  return bytes;
}

function checkRange({ start, end }: ByteRange): void {
  if ([start, end].every(Number.isSafeInteger) && start >= 0 && start <= end) return;
  throw new StoreError("option_invalid", `a range from ${start} to ${end}`);
}

function missing(cid: Cid): StoreError {
  return new StoreError("chunk_missing", `${cid}, a part of the file, is not here`, { evidence: { cid } });
}
