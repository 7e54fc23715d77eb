import { createBLAKE3 } from "hash-wasm";
import { StarError } from "../errors.ts";
import type { OpenedFile } from "../jail/jail.ts";
import { type ByteRange, rangeOf } from "./range.ts";
import { readRange } from "./read-file.ts";

/** A header is looked at to tell what a file is: more than this in bytes is for ReadStream. */
const longestHeader = 1024 * 1024;
/** Hashing holds the process up for a fraction of a millisecond at a time. */
const blockBytes = 64 * 1024;

/** The first bytes of a file; fewer where it is shorter. Throws StarError `length_excessive` and `file_changed`. */
export async function headerOf(file: OpenedFile, length: number): Promise<Uint8Array> {
  if (length > longestHeader) {
    throw new StarError(
      "length_excessive",
      `a header has at most ${longestHeader} bytes, and ${length} were asked for`,
    );
  }
  const to = Math.min(length, file.stats.size);
  const blocks = await Array.fromAsync(readRange(file, { from: 0, to }, () => longestHeader));
  return Buffer.concat(blocks);
}

/** The BLAKE3 digest of a range, 32 bytes. `isWanted` is asked now and then. Throws StarError `range_invalid`, `file_changed` and `cancelled`. */
export async function digestOf(
  file: OpenedFile,
  offset: bigint,
  length: bigint,
  isWanted: () => boolean,
): Promise<Uint8Array> {
  const range: ByteRange = rangeOf(offset, length, file.stats.size);
  const hash = (await createBLAKE3()).init();
  for await (const block of readRange(file, range, () => blockBytes)) {
    if (!isWanted()) throw new StarError("cancelled", "nobody waits for the digest any more");
    hash.update(block);
  }
  return hash.digest("binary");
}
