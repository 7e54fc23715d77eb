import { WireError } from "../errors.ts";
import { fromBase32, toBase32 } from "./base32.ts";

/**
 * A content identifier in its one text form, spec/wire.md §2: equal text names equal content, so CIDs are compared
 * and kept as strings. 64 characters for an object, 59 for a block.
 */
export type Cid = string & { readonly __brand: "Cid" };

/** What the bytes are: any bytes, or one item of CBOR (§1). */
export type CidContent = keyof typeof contents;

/** How the digest is made of the bytes: in one piece, or as the root of a tree (§3) over leaves of some KiB. */
export type CidHash = keyof typeof hashes;

export type CidParts = {
  readonly content: CidContent;
  readonly hash: CidHash;
  /** 32 bytes. */
  readonly digest: Uint8Array;
};

/** Multicodec numbers. Those of trees lie in its range for private use: 0x300000 and the size of a leaf in KiB. */
const contents = { raw: 0x55, cbor: 0x51 } as const;
const hashes = {
  "sha2-256": 0x12,
  "sha2-256-tree-16KiB": 0x300010,
  "sha2-256-tree-64KiB": 0x300040,
  "sha2-256-tree-256KiB": 0x300100,
} as const;

const version = 1;
const digestLength = 32;
const longestText = 128;

/**
 * The CID of a digest. Throws `cid_malformed` when the digest has not 32 bytes.
 *
 * @example
 * formatCid({ content: "raw", hash: "sha2-256", digest: sha256 }); // bafkrei…
 */
export function formatCid(parts: CidParts): Cid {
  return toText(toBytes(parts));
}

/** Reads the text form. Throws `cid_malformed`, or `cid_unsupported` for versions, contents and hashes not listed. */
export function parseCid(text: string): Cid {
  fromBytes(fromText(text));
  return text as Cid;
}

/** Reads the binary form. Throws as {@link parseCid} does. */
export function cidFromBytes(bytes: Uint8Array): Cid {
  fromBytes(bytes);
  return toText(bytes);
}

/** The binary form: 36 bytes for a block, 39 for an object. */
export function cidToBytes(cid: Cid): Uint8Array {
  return fromText(cid);
}

/** What a CID says of its content. */
export function splitCid(cid: Cid): CidParts {
  return fromBytes(fromText(cid));
}

function toText(bytes: Uint8Array): Cid {
  return `b${toBase32(bytes)}` as Cid;
}

function fromText(text: string): Uint8Array {
  const bytes = text.length <= longestText && text.startsWith("b") ? fromBase32(text.slice(1)) : null;
  return bytes ?? refuse("a CID is b and base32 in lower case");
}

function toBytes({ content, hash, digest }: CidParts): Uint8Array {
  if (digest.length !== digestLength) refuse(`a digest of ${digest.length} bytes`);
  return Uint8Array.of(
    version,
    ...toVarint(contents[content]),
    ...toVarint(hashes[hash]),
    digestLength,
    ...digest,
  );
}

function fromBytes(bytes: Uint8Array): CidParts {
  const reader = { bytes, at: 0 };
  const found = readVarint(reader);
  if (found !== version) throw new WireError("cid_unsupported", `version ${found} of CIDs is not known`);
  const content = nameOf(contents, readVarint(reader), "content");
  const hash = nameOf(hashes, readVarint(reader), "hash");
  const length = readVarint(reader);
  const digest = bytes.slice(reader.at);
  if (length !== digestLength || digest.length !== digestLength) refuse("a digest that has not 32 bytes");
  return { content, hash, digest };
}

function nameOf<Name extends string>(
  table: Readonly<Record<Name, number>>,
  code: number,
  what: string,
): Name {
  for (const name in table) if (table[name] === code) return name;
  throw new WireError("cid_unsupported", `the ${what} 0x${code.toString(16)} is not known`);
}

function toVarint(value: number): number[] {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...toVarint(value >>> 7)];
}

/** An unsigned varint in its shortest form, of at most 4 bytes. */
function readVarint(reader: { readonly bytes: Uint8Array; at: number }): number {
  let value = 0;
  for (let shift = 0; shift < 28; shift += 7) {
    const byte = reader.bytes[reader.at++] ?? refuse("a CID that ends early");
    value |= (byte & 0x7f) << shift;
    if (byte >= 0x80) continue;
    return byte === 0 && shift > 0 ? refuse("a number that is not in its shortest form") : value;
  }
  return refuse("a number that is too long");
}

function refuse(message: string): never {
  throw new WireError("cid_malformed", message);
}
