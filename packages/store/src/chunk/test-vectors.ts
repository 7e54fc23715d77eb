import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { ByteRange } from "@catalyst/wire";
import { makeBytes } from "../test-objects.ts";

const folder = join(import.meta.dirname, "../../../../spec/vectors");

/** A part of an input in the vectors, spec/vectors/README.md: a byte repeated, or bytes of a stream. */
export type InputPart =
  | { readonly byte: number; readonly length: number }
  | ({ readonly stream: number } & ByteRange);

/** The bytes that parts describe. */
export function bytesOfParts(parts: readonly InputPart[]): Uint8Array {
  return Buffer.concat(
    parts.map((part) =>
      "byte" in part
        ? Buffer.alloc(part.length, part.byte)
        : makeBytes(part.end, part.stream).subarray(part.start),
    ),
  );
}

/** The cases of a file of vectors. */
export function readVectors<Vector>(path: string): readonly Vector[] {
  const { vectors } = JSON.parse(readFileSync(join(folder, path), "utf8")) as { vectors: readonly Vector[] };
  return vectors;
}
