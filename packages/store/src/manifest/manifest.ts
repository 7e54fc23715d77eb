import {
  type CborValue,
  type Cid,
  type CidHash,
  cidFromBytes,
  cidToBytes,
  decodeCbor,
  encodeCbor,
  splitCid,
  WireError,
} from "@catalyst/wire";
import { StoreError } from "../errors.ts";

/** A chunk, or on a higher level a manifest of the level below, and how many bytes of the file it stands for. */
export type ManifestPart = { readonly cid: Cid; readonly size: number };

/** What a file, or a stretch of one, consists of: spec/content.md §2. */
export type Manifest = {
  /** How many levels of manifests lie below. */
  readonly level: number;
  readonly size: number;
  readonly parts: readonly ManifestPart[];
  /** Plain SHA-256 of the file, 32 bytes; null in the manifest of a stretch. */
  readonly sha256: Uint8Array | null;
};

/** A manifest that stands for more has levels below it. */
export const maxParts = 1_024;
export const maxManifestBytes = 65_536;
const maxLevel = 3;
const maxChunkBytes = 1_048_576;
const version = 1;
const digestLength = 32;
const limits = { maxBytes: maxManifestBytes, maxDepth: 3, maxItems: 4_096 };
const chunkHashes: readonly CidHash[] = [
  "sha2-256-tree-16KiB",
  "sha2-256-tree-64KiB",
  "sha2-256-tree-256KiB",
];

/** The bytes of a manifest. */
export function encodeManifest({ level, size, parts, sha256 }: Manifest): Uint8Array {
  return encodeCbor({
    size,
    level,
    parts: parts.map((part) => [cidToBytes(part.cid), part.size]),
    ...(sha256 === null ? {} : { sha256 }),
    manifest: version,
  });
}

/** Reads a manifest, spec/content.md §2.3. Throws StoreError `manifest_invalid` for whatever else it is. */
export function decodeManifest(bytes: Uint8Array): Manifest {
  const map = mapOf(bytes);
  if (map.get("manifest") !== version) refuse("no manifest of version 1");
  const sha256 = map.get("sha256") ?? null;
  if (map.size !== (sha256 === null ? 4 : 5)) refuse("members that a manifest does not have");
  if (sha256 !== null && !(sha256 instanceof Uint8Array && sha256.length === digestLength)) {
    refuse("a SHA-256 that has not 32 bytes");
  }
  const level = integer(map.get("level"), 0, maxLevel, "level");
  const size = integer(map.get("size"), 0, Number.MAX_SAFE_INTEGER, "size");
  const listed = map.get("parts");
  if (!isArray(listed) || listed.length > maxParts) refuse("no list of up to 1,024 parts");
  const parts = listed.map((part) => readPart(part, level));
  if (parts.reduce((sum, part) => sum + part.size, 0) !== size) refuse("parts whose sizes do not add up");
  return { level, size, parts, sha256 };
}

/** Refuses what is no manifest of a whole file. */
export function checkRoot({ level, parts, sha256 }: Manifest): Uint8Array {
  if (level > 0 && parts.length < 2) refuse("a level too many");
  return sha256 ?? refuse("the manifest of a stretch, not of a file");
}

/** Refuses what is not the manifest that another one has as its part. Only the last of a level may have fewer parts. */
export function checkPart(
  manifest: Manifest,
  wanted: { level: number; size: number; isLast: boolean },
): void {
  const { level, size, parts, sha256 } = manifest;
  if (level !== wanted.level || size !== wanted.size || sha256 !== null)
    refuse("a part of another kind or size");
  if (parts.length < (wanted.isLast ? 1 : maxParts)) refuse("a part that could hold more");
}

export function refuse(what: string, options: ErrorOptions & { readonly cid?: Cid } = {}): never {
  const { cid, ...rest } = options;
  throw new StoreError("manifest_invalid", `this is no manifest: ${what}`, {
    ...rest,
    evidence: cid === undefined ? {} : { cid },
  });
}

function mapOf(bytes: Uint8Array): ReadonlyMap<unknown, CborValue> {
  const value = inOwnTerms(() => decodeCbor(bytes, limits));
  return value instanceof Map ? value : refuse("no map");
}

function readPart(value: CborValue, level: number): ManifestPart {
  if (!isArray(value) || value.length !== 2) refuse("a part that is no pair");
  const [bytes, listed] = value;
  if (!(bytes instanceof Uint8Array)) refuse("a part without a CID");
  const cid = inOwnTerms(() => cidFromBytes(bytes));
  const { content, hash } = splitCid(cid);
  const isRight =
    level === 0
      ? content === "raw" && chunkHashes.includes(hash)
      : content === "cbor" && hash === chunkHashes[1];
  if (!isRight) refuse(`a part that is no ${level === 0 ? "chunk" : "manifest"}`);
  const most = level === 0 ? maxChunkBytes : Number.MAX_SAFE_INTEGER;
  return { cid, size: integer(listed, 1, most, "size of a part") };
}

function integer(value: CborValue | undefined, least: number, most: number, what: string): number {
  return typeof value === "number" && value >= least && value <= most
    ? value
    : refuse(`no ${what} that can be`);
}

function isArray(value: CborValue | undefined): value is readonly CborValue[] {
  return Array.isArray(value);
}

function inOwnTerms<T>(read: () => T): T {
  try {
    return read();
  } catch (cause) {
    if (cause instanceof WireError) refuse(cause.message, { cause });
    throw cause;
  }
}
