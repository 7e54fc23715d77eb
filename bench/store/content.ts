import { spawnSync } from "node:child_process";
import { randomFillSync } from "node:crypto";

export const largeBytes = 1024 ** 3;
export const smallCount = 100_000;
export const smallBytes = 4096;
/** Small objects that are on their way at once. */
export const concurrency = 64;
export const firstByteCount = 100;
export const firstByteBytes = 1024 ** 2;

/** As a stream delivers them. */
const pieceBytes = 256 * 1024;

/** Random bytes in pieces of 256 KiB, no two alike; each is good until the next one is asked for. */
export function* pieces(bytes: number): Generator<Uint8Array> {
  const block = randomFillSync(Buffer.alloc(4 * pieceBytes));
  for (let at = 0; at < bytes; at += pieceBytes) {
    const from = at % block.length;
    block.writeDoubleBE(at, from);
    yield block.subarray(from, from + Math.min(pieceBytes, bytes - at));
  }
}

/** The small object with this number. */
export function small(number: number): Uint8Array {
  const bytes = Buffer.alloc(smallBytes, "catalyst");
  bytes.writeUInt32BE(number);
  return bytes;
}

/** Runs as many calls as there are numbers, so many at a time. */
export async function forEach(
  count: number,
  atOnce: number,
  run: (number: number) => Promise<void>,
): Promise<void> {
  let next = 0;
  const worker = async () => {
    while (next < count) await run(next++);
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
}

/** Drops files from the page cache by what GNU dd does for it; false where there is no such dd. */
export function dropFromCache(paths: readonly string[]): boolean {
  return paths.every((path) => {
    const { status } = spawnSync("dd", [`if=${path}`, "iflag=nocache", "count=0"], { stdio: "ignore" });
    return status === 0;
  });
}
