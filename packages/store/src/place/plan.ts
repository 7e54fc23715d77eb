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
import type { FileFact } from "../store.ts";

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
  /** What the object keeps: it comes back with them. */
  readonly references: readonly Cid[];
  /** The file that it is the manifest of. */
  readonly file: FileFact | null;
};

const digestBytes = 32;
const version = 1;

/** What a plan says before its shards are written. */
export type Shape = Pick<Plan, "cid" | "sizeBytes" | "scheme" | "blockBytes">;

/** The largest block: a leaf of a shard's tree. Small objects have blocks that fit. */
export const maxBlockBytes = 65_536;
const smallestBlockBytes = 64;

/** The bytes of a block for an object of this size. */
export function blockBytesFor(sizeBytes: number, { data }: Scheme): number {
  const share = Math.ceil(sizeBytes / data / smallestBlockBytes) * smallestBlockBytes;
  return Math.min(maxBlockBytes, Math.max(smallestBlockBytes, share));
}

/** The stripes of an object; one even when it is empty. */
export function stripesOf({ sizeBytes, scheme, blockBytes }: Shape): number {
  return Math.max(1, Math.ceil(sizeBytes / (scheme.data * blockBytes)));
}

/** Deterministic CBOR, then its SHA-256. */
export function encodePlan(plan: Plan): Uint8Array {
  const { cid, sizeBytes, scheme, blockBytes, references, file } = plan;
  const trees = plan.shards.map((tree) => [cidOfTree(tree), tree.size, tree.top]);
  const fact = file === null ? [] : [file.sizeBytes, file.sha256];
  const shape = [cid, sizeBytes, scheme.data, scheme.parity, blockBytes];
  const bytes = encodeCbor([version, ...shape, trees, [...references], fact]);
  return Buffer.concat([bytes, hash("sha256", bytes, "buffer")]);
}

/** Reads a plan; null when the bytes are none that was written so. */
export function decodePlan(bytes: Uint8Array): Plan | null {
  const content = bytes.subarray(0, Math.max(0, bytes.length - digestBytes));
  const digest = bytes.subarray(content.length);
  if (Buffer.compare(hash("sha256", content, "buffer"), digest) !== 0) return null;
  const value = decodeCbor(content);
  if (!Array.isArray(value) || value[0] !== version) return null;
  const [, cid, sizeBytes, data, parity, blockBytes, trees, references, [fileBytes, sha256]] = value as [
    number,
    string,
    number,
    number,
    number,
    number,
    [string, number, Uint8Array][],
    string[],
    [number?, Uint8Array?],
  ];
  return {
    cid: parseCid(cid),
    sizeBytes,
    scheme: { data, parity },
    blockBytes,
    shards: trees.map(readTree),
    references: references.map(parseCid),
    file: fileBytes === undefined || sha256 === undefined ? null : { sizeBytes: fileBytes, sha256 },
  };
}

function readTree([cid, size, top]: [string, number, Uint8Array]): Tree {
  const root = rootOfCid(parseCid(cid));
  if (root === null) throw new Error("unreachable: the digest of a plan is that of one we wrote");
  return openTree(root, { size, top });
}
