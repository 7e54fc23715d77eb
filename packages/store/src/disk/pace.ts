import { setTimeout as sleep } from "node:timers/promises";
import type { ReadingOptions } from "../store.ts";

/** Is told of bytes that were read; what it returns is to be waited for. */
export type Pace = (bytes: number) => Promise<void> | undefined;

/** Tells of bytes read, and waits so that no more a second are read than allowed. Throws the signal's reason. */
export function createPace(
  { signal, onProgress }: ReadingOptions,
  bytesPerSecond = Number.POSITIVE_INFINITY,
): Pace {
  const start = performance.now();
  let total = 0;
  return (bytes) => {
    signal?.throwIfAborted();
    onProgress?.(bytes);
    total += bytes;
    const aheadMs = (total / bytesPerSecond) * 1000 - (performance.now() - start);
    if (aheadMs < 5) return undefined;
    return sleep(aheadMs, undefined, signal === undefined ? {} : { signal }).catch(() => {
      signal?.throwIfAborted();
    });
  };
}
