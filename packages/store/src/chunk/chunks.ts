import type { ByteSource } from "../store.ts";
import { createCutter } from "./cutter.ts";
import { type ChunkMean, chunkParameters } from "./parameters.ts";

/**
 * The chunks of what a source gives, one after the other, each in memory of its own. Throws what the source throws;
 * a source that is not read to its end is ended.
 */
export async function* chunksOf(source: ByteSource, mean: ChunkMean): AsyncGenerator<Uint8Array> {
  const cutter = createCutter(mean);
  const filling = Buffer.allocUnsafeSlow(chunkParameters(mean).max);
  let filled = 0;
  for await (const piece of source) {
    for (let at = 0; at < piece.length; ) {
      const end = cutter.next(piece, at);
      const part = piece.subarray(at, end < 0 ? piece.length : end);
      filling.set(part, filled);
      filled += part.length;
      at += part.length;
      if (end < 0) continue;
      yield new Uint8Array(filling.subarray(0, filled));
      filled = 0;
    }
  }
  if (filled > 0) yield new Uint8Array(filling.subarray(0, filled));
}
