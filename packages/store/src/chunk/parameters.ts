import { hash } from "node:crypto";
import { StoreError } from "../errors.ts";

/** How long chunks are in the mean, in bytes: the name of a set of parameters, spec/content.md §1.2. */
export const chunkMeans = [65_536, 131_072, 262_144] as const;
export type ChunkMean = (typeof chunkMeans)[number];
export const defaultChunkMean: ChunkMean = 131_072;

/** A set of parameters: lengths in bytes, and masks of the hash that a place to cut at has zeros under. */
export type ChunkParameters = {
  readonly min: number;
  /** From this length on places to cut at are sixteen times as frequent. */
  readonly normal: number;
  readonly max: number;
  readonly strictMask: number;
  readonly looseMask: number;
};

/** Bits of the hash, and bytes that it is about: older ones have been shifted out. */
export const hashBits = 31;

/** The parameters for a mean length. Throws `option_invalid` for one that has none. */
export function chunkParameters(mean: ChunkMean): ChunkParameters {
  if (!chunkMeans.includes(mean)) {
    throw new StoreError("option_invalid", `the mean of chunks is one of ${chunkMeans.join(", ")} bytes`);
  }
  const bits = Math.log2(mean);
  return {
    min: mean / 4,
    normal: (mean / 16) * 13,
    max: mean * 4,
    strictMask: maskOf(bits + 2),
    looseMask: maskOf(bits - 2),
  };
}

/** The uppermost bits of the hash: they are about the most bytes. */
function maskOf(bits: number): number {
  return (2 ** bits - 1) * 2 ** (hashBits - bits);
}

/** What each byte adds to the hash, spec/content.md §1.1. */
export const gear = Int32Array.from({ length: 256 }, (_, byte) =>
  hash("sha256", Buffer.from(`catalyst gear ${byte}`), "buffer").readInt32BE(),
);
