import { copyFileSync, readdirSync, renameSync, statSync, truncateSync } from "node:fs";
import { join } from "node:path";

/** A log larger than this is set aside; one older generation is kept. */
export const maxLogBytes = 16 * 1024 * 1024;

/**
 * Keeps the logs in a folder bounded: a file over the limit is copied to `<name>.1` and emptied in place,
 * because its process goes on appending to it. What is written during the copy may be lost.
 */
export function trimLogs(folder: string, maxBytes = maxLogBytes): void {
  for (const name of readdirSync(folder)) {
    if (!name.endsWith(".log")) continue;
    const path = join(folder, name);
    if (statSync(path).size <= maxBytes) continue;
    copyFileSync(path, `${path}.part`);
    renameSync(`${path}.part`, `${path}.1`);
    truncateSync(path);
  }
}
