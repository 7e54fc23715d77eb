import { type ChunkMean, chunkParameters, defaultChunkMean, gear, hashBits } from "./parameters.ts";

/** What a byte adds to the hash when another one follows at once. */
const shiftedGear = gear.map((value) => value << 1);

/** Finds where chunks end in bytes that come in pieces; the places do not depend on the pieces. */
export type Cutter = {
  /**
   * Looks at a piece from an index on, which goes on where the last look ended. Returns the index right after the
   * chunk's last byte, at which the next look begins; or -1 when the chunk does not end in this piece.
   */
  next(piece: Uint8Array, from: number): number;
};

/** Cuts by content, spec/content.md §1.3. The end of the last chunk is the end of all bytes. */
export function createCutter(mean: ChunkMean = defaultChunkMean): Cutter {
  const { min, normal, max, strictMask, looseMask } = chunkParameters(mean);
  let length = 0;
  let hash = 0;

  /** Rolls the hash over bytes, and stops after the one that has zeros under the mask; -1 when there is none. */
  const roll = (bytes: Uint8Array, from: number, to: number, mask: number): number => {
    const shiftedMask = mask << 1;
    let rolling = hash;
    let at = from;
    for (; at < to - 1; at += 2) {
      rolling = ((rolling << 2) + (shiftedGear[bytes[at] as number] as number)) | 0;
      if ((rolling & shiftedMask) === 0) return at + 1;
      rolling = (rolling + (gear[bytes[at + 1] as number] as number)) | 0;
      if ((rolling & mask) === 0) return at + 2;
    }
    if (at < to) rolling = ((rolling << 1) + (gear[bytes[at] as number] as number)) | 0;
    hash = rolling;
    return at < to && (rolling & mask) === 0 ? to : -1;
  };

  /** Where the current chunk ends. */
  const find = (piece: Uint8Array, from: number): number => {
    const start = from - length;
    const within = (index: number) => Math.min(piece.length, Math.max(from, start + index));
    for (let at = within(min - hashBits); at < within(min - 1); at++) {
      hash = ((hash << 1) + (gear[piece[at] as number] as number)) | 0;
    }
    const strict = roll(piece, within(min - 1), within(normal - 1), strictMask);
    if (strict >= 0) return strict;
    const loose = roll(piece, within(normal - 1), within(max - 1), looseMask);
    if (loose >= 0) return loose;
    return start + max <= piece.length ? start + max : -1;
  };

  return {
    next: (piece, from) => {
      const end = find(piece, from);
      length = end < 0 ? length + piece.length - from : 0;
      if (end >= 0) hash = 0;
      return end;
    },
  };
}
