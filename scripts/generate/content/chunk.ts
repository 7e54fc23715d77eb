import { createHash } from "node:crypto";
import { chunksOf } from "../../../packages/store/src/chunk/chunks.ts";
import type { ChunkMean } from "../../../packages/store/src/chunk/parameters.ts";
import { bytesOfParts, type InputPart } from "../../../packages/store/src/chunk/test-vectors.ts";
import type { VectorFile } from "../wire-vectors.ts";

type Case = { readonly mean: ChunkMean; readonly input: readonly InputPart[] };

const random = (length: number): readonly InputPart[] => [{ stream: 1, start: 0, end: length }];
const byte = (value: number, length: number): InputPart => ({ byte: value, length });

const cases: Readonly<Record<string, Case>> = {
  "no bytes: no chunk": { mean: 65_536, input: [] },
  "one byte": { mean: 65_536, input: [byte(7, 1)] },
  "the least length, exactly": { mean: 65_536, input: random(16_384) },
  "a byte more than the least length": { mean: 65_536, input: random(16_385) },
  "the greatest length, exactly, of zeros": { mean: 65_536, input: [byte(0, 262_144)] },
  "zeros: chunks of the greatest length": { mean: 65_536, input: [byte(0, 600_000)] },
  "random bytes, a mean of 64 KiB": { mean: 65_536, input: random(1_500_000) },
  "random bytes, a mean of 128 KiB": { mean: 131_072, input: random(3_000_000) },
  "random bytes, a mean of 256 KiB": { mean: 262_144, input: random(6_000_000) },
  "random bytes with one inserted: the chunks after it are the same again": {
    mean: 65_536,
    input: [{ stream: 1, start: 0, end: 500_000 }, byte(1, 1), { stream: 1, start: 500_000, end: 1_500_000 }],
  },
  "random bytes that are repeated": {
    mean: 65_536,
    input: [
      { stream: 2, start: 0, end: 400_000 },
      { stream: 2, start: 0, end: 400_000 },
    ],
  },
  "random bytes between zeros": {
    mean: 131_072,
    input: [byte(0, 1_000_000), { stream: 3, start: 5, end: 700_005 }, byte(0, 1_000_000)],
  },
};

export async function chunkVectors(): Promise<VectorFile> {
  const vectors: object[] = [];
  for (const [name, { mean, input }] of Object.entries(cases)) {
    const bytes = bytesOfParts(input);
    const sha256 = createHash("sha256").update(bytes).digest("hex");
    vectors.push({ name, mean, input, sha256, ends: await endsOf(bytes, mean) });
  }
  return {
    about: "spec/content.md §1. The places at which chunks end, as offsets from the beginning of the input.",
    vectors,
  };
}

async function endsOf(bytes: Uint8Array, mean: ChunkMean): Promise<number[]> {
  const ends: number[] = [];
  for await (const { length } of chunksOf([bytes], mean)) ends.push((ends.at(-1) ?? 0) + length);
  return ends;
}
