import {
  closeSync,
  openSync,
  readdirSync,
  readSync,
  renameSync,
  statSync,
  truncateSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";

/** A log larger than this is set aside; one older generation is kept, as large at the most. */
export const maxLogBytes = 16 * 1024 * 1024;

/**
 * Keeps the logs in a folder bounded: the end of a file over the limit is copied to `<name>.1`, and the file is
 * emptied in place, because its process goes on appending to it. What is written during the copy may be lost.
 *
 * The file is emptied also where the copy fails: on a full disk the older generation is what has to yield.
 */
export function trimLogs(folder: string, maxBytes = maxLogBytes): void {
  for (const name of readdirSync(folder)) {
    if (!name.endsWith(".log")) continue;
    const path = join(folder, name);
    if (statSync(path).size <= maxBytes) continue;
    try {
      copyEnd(path, `${path}.part`, maxBytes);
      renameSync(`${path}.part`, `${path}.1`);
    } finally {
      truncateSync(path);
    }
  }
}

function copyEnd(from: string, to: string, maxBytes: number): void {
  const [source, target] = [openSync(from, "r"), openSync(to, "w", 0o600)];
  try {
    const chunk = Buffer.allocUnsafe(1024 * 1024);
    const end = statSync(from).size;
    for (let at = Math.max(0, end - maxBytes); at < end; ) {
      const read = readSync(source, chunk, 0, Math.min(chunk.length, end - at), at);
      if (read === 0) break;
      writeSync(target, chunk, 0, read);
      at += read;
    }
  } finally {
    closeSync(source);
    closeSync(target);
  }
}
