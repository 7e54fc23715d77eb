import { hash } from "node:crypto";
import { fstatSync, read, type Stats } from "node:fs";
import { promisify } from "node:util";
import { StarError } from "../errors.ts";
import type { OpenedFile } from "../jail/jail.ts";
import type { ByteRange } from "./range.ts";
import type { SmallReads } from "./small-reads.ts";

/** So many blocks are in use at once: one is read, one was yielded, and two before it may still wait to be sent. */
const blocksInUse = 4;
const readSome = promisify(read);

/**
 * The bytes of a range in blocks of at most as many bytes as each time it is asked, the next one read while the one before is used. A
 * block is written over when the third one after it is asked for: memory that is made for each would keep the collector busy. Throws
 * StarError `file_changed` where the file became shorter, or is another one at the end.
 */
export async function* readRange(
  { fd, stats }: OpenedFile,
  { from, to }: ByteRange,
  blockBytes: () => number,
  small: SmallReads | null = null,
): AsyncGenerator<Buffer, void> {
  let at = from;
  let blocks = 0;
  const room: Buffer[] = [];
  const next = (): Promise<Buffer> | null => {
    if (at >= to) return null;
    const length = Math.min(blockBytes(), to - at);
    const memory = room[blocks % blocksInUse] ?? Buffer.allocUnsafeSlow(length);
    room[blocks++ % blocksInUse] = memory;
    const block = memory.subarray(0, length);
    const reading = fill(block, fd, at, small);
    reading.catch(() => undefined); // It is awaited below.
    at += block.length;
    return reading;
  };
  let reading = next();
  try {
    while (reading !== null) {
      const block = await reading;
      reading = next();
      yield block;
    }
  } finally {
    await reading?.catch(() => undefined); // The descriptor is not closed while it is read from.
  }
  if (validatorOf(fstatSync(fd)) !== validatorOf(stats)) throw changed();
}

/** Changes whenever a file is written to or another one takes its place, as far as the file system tells. */
export function validatorOf({ dev, ino, size, mtimeMs, ctimeMs }: Stats): string {
  return hash("sha256", `${dev} ${ino} ${size} ${mtimeMs} ${ctimeMs}`).slice(0, 32);
}

async function fill(block: Buffer, fd: number, position: number, small: SmallReads | null): Promise<Buffer> {
  for (let filled = 0; filled < block.length; ) {
    const left = block.length - filled;
    const bytesRead =
      small?.read(fd, block.subarray(filled), position + filled) ??
      (await readSome(fd, block, filled, left, position + filled)).bytesRead;
    if (bytesRead === 0) throw changed();
    filled += bytesRead;
  }
  return block;
}

function changed(): StarError {
  return new StarError("file_changed", "the file changed while it was read");
}
