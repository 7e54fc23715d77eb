import { hash } from "node:crypto";
import {
  type Cid,
  cidOfTree,
  decodeCbor,
  encodeCbor,
  openTree,
  parseCid,
  rootOfCid,
  type Tree,
} from "@catalyst/wire";

/** How an object is spread: any `data` of the `data + parity` shards give it back. With one, shards are copies. */
export type Scheme = { readonly data: number; readonly parity: number };

/**
 * What is known of a placed object, on every device that has a part of it. Byte `n` of the object lies in block
 * `n / blockBytes`; block `b` is in stripe `b / data`, in shard `b mod data`; what the last stripe lacks is zeros.
 */
export type Plan = {
  readonly cid: Cid;
  readonly sizeBytes: number;
  readonly scheme: Scheme;
  readonly blockBytes: number;
  /** The tree of each shard: the data shards, then the parity shards. */
  readonly shards: readonly Tree[];
};

const digestBytes = 32;
const version = 1;

/** The largest block: a leaf of a shard's tree. Small objects have blocks that fit. */
export const maxBlockBytes = 65_536;
const smallestBlockBytes = 64;

/** The bytes of a block for an object of this size. */
export function blockBytesFor(sizeBytes: number, { data }: Scheme): number {
  const share = Math.ceil(sizeBytes / data / smallestBlockBytes) * smallestBlockBytes;
  return Math.min(maxBlockBytes, Math.max(smallestBlockBytes, share));
}

/** The stripes of an object; one even when it is empty. */
export function stripesOf({ sizeBytes, scheme, blockBytes }: Omit<Plan, "shards">): number {
  return Math.max(1, Math.ceil(sizeBytes / (scheme.data * blockBytes)));
}

/** Deterministic CBOR, then its SHA-256. */
export function encodePlan({ cid, sizeBytes, scheme, blockBytes, shards }: Plan): Uint8Array {
  const trees = shards.map((tree) => [cidOfTree(tree), tree.size, tree.top]);
  const bytes = encodeCbor([version, cid, sizeBytes, scheme.data, scheme.parity, blockBytes, trees]);
  return Buffer.concat([bytes, hash("sha256", bytes, "buffer")]);
}

/** Reads a plan; null when the bytes are none that was written so. */
export function decodePlan(bytes: Uint8Array): Plan | null {
  const content = bytes.subarray(0, Math.max(0, bytes.length - digestBytes));
  const digest = bytes.subarray(content.length);
  if (Buffer.compare(hash("sha256", content, "buffer"), digest) !== 0) return null;
  const value = decodeCbor(content);
  if (!Array.isArray(value) || value[0] !== version) return null;
  const [, cid, sizeBytes, data, parity, blockBytes, trees] = value as [
    number,
    string,
    number,
    number,
    number,
    number,
    [string, number, Uint8Array][],
  ];
  const scheme = { data, parity };
  return { cid: parseCid(cid), sizeBytes, scheme, blockBytes, shards: trees.map(readTree) };
}

function readTree([cid, size, top]: [string, number, Uint8Array]): Tree {
  const root = rootOfCid(parseCid(cid));
  if (root === null) throw new Error("unreachable: the digest of a plan is that of one we wrote");
  return openTree(root, { size, top });
}
