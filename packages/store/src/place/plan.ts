import { hash } from "node:crypto";
import {
  type CborValue,
  type Cid,
  cidOfTree,
  decodeCbor,
  encodeCbor,
  openTree,
  parseCid,
  rootOfCid,
  type Tree,
  WireError,
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
  /** What the object keeps: it comes back with them. */
  readonly references: readonly Cid[];
};

const digestBytes = 32;
const version = 2;
/** A plan that is longer is none. */
export const maxPlanBytes = 1024 * 1024;

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
  const { cid, sizeBytes, scheme, blockBytes, references } = plan;
  const trees = plan.shards.map((tree) => [cidOfTree(tree), tree.size, tree.top]);
  const shape = [cid, sizeBytes, scheme.data, scheme.parity, blockBytes];
  const bytes = encodeCbor([version, ...shape, trees, [...references]]);
  return Buffer.concat([bytes, hash("sha256", bytes, "buffer")]);
}

/** Whether an object can be spread so. */
export function isScheme({ data, parity }: Scheme): boolean {
  return [data, parity].every(Number.isSafeInteger) && data >= 1 && parity >= 0 && data + parity <= 256;
}

/**
 * Reads a plan; null when the bytes are none. The digest shows an accident and nothing more: whoever can write to a
 * device can write whatever has one.
 */
export function decodePlan(bytes: Uint8Array): Plan | null {
  const content = bytes.subarray(0, Math.max(0, bytes.length - digestBytes));
  const digest = bytes.subarray(content.length);
  if (Buffer.compare(hash("sha256", content, "buffer"), digest) !== 0) return null;
  try {
    return readPlan(decodeCbor(content));
  } catch (error) {
    if (error instanceof WireError) return null;
    throw error;
  }
}

function readPlan(value: CborValue): Plan | null {
  if (!isList(value) || value.length !== 8 || value[0] !== version) return null;
  const [, cid, sizeBytes, data, parity, blockBytes, trees, references] = value;
  if (typeof cid !== "string" || !isList(trees) || !isList(references)) return null;
  if (!isCount(sizeBytes) || !isCount(data) || !isCount(parity) || !isCount(blockBytes)) return null;
  const shape = { cid: parseCid(cid), sizeBytes, scheme: { data, parity }, blockBytes };
  if (!isScheme(shape.scheme) || blockBytes !== blockBytesFor(sizeBytes, shape.scheme)) return null;
  const shards = trees.map((tree) => readTree(tree, shape)).filter((tree) => tree !== null);
  if (shards.length !== data + parity || shards.length !== trees.length) return null;
  const cids = references.filter((reference) => typeof reference === "string").map(parseCid);
  return cids.length === references.length ? { ...shape, shards, references: cids } : null;
}

function readTree(value: CborValue, shape: Shape): Tree | null {
  if (!isList(value) || value.length !== 3) return null;
  const [cid, size, top] = value;
  if (typeof cid !== "string" || !(top instanceof Uint8Array)) return null;
  const root = rootOfCid(parseCid(cid));
  if (root?.leafSize !== maxBlockBytes || size !== stripesOf(shape) * shape.blockBytes) return null;
  return openTree(root, { size, top });
}

function isList(value: CborValue | undefined): value is readonly CborValue[] {
  return Array.isArray(value);
}

function isCount(value: CborValue | undefined): value is number {
  return typeof value === "number" && value >= 0;
}
