import { statSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

const watchMs = 1_000;

/**
 * Calls `onChange` whenever one of the files is another than before, until the signal aborts. What it throws (of
 * a pair one file is replaced, the other not yet) is passed to `onInvalid`; the next change is looked at again.
 */
export async function watchFiles(
  files: readonly string[],
  signal: AbortSignal,
  onChange: () => void,
  onInvalid: (error: unknown) => void,
  everyMs = watchMs,
): Promise<void> {
  let seen = stamp(files);
  while (!signal.aborted) {
    await sleep(everyMs, undefined, { signal }).catch(() => undefined);
    const now = stamp(files);
    if (now === seen || signal.aborted) continue;
    seen = now;
    try {
      onChange();
    } catch (error) {
      onInvalid(error);
    }
  }
}

function stamp(files: readonly string[]): string {
  return files
    .map((file) => {
      const stat = statSync(file, { throwIfNoEntry: false });
      return stat === undefined ? "absent" : `${stat.ino}:${stat.size}:${stat.mtimeMs}`;
    })
    .join(" ");
}
