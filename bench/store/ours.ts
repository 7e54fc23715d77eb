import { readdirSync } from "node:fs";
import { join } from "node:path";
import { openDiskStore, type Store } from "@catalyst/store";
import {
  concurrency,
  dropFromCache,
  firstByteBytes,
  firstByteCount,
  forEach,
  largeBytes,
  pieces,
  small,
  smallBytes,
  smallCount,
} from "./content.ts";
import { type Measured, measure } from "./meter.ts";

const namespace = "bench";
const unlimited = Number.MAX_SAFE_INTEGER;
const defaultScrubMs = 3_000;

/** Leaves compiled code behind for the processes that are measured. */
export const warmUp = async (): Promise<null> => null;

export async function putLarge(folder: string): Promise<Measured> {
  await using store = await openDiskStore(folder);
  return await measure(async () => {
    await store.put(pieces(largeBytes), { namespace });
    return { bytes: largeBytes };
  });
}

/** Takes every piece and looks no further at it. */
export const getLarge = (folder: string): Promise<Measured> => readLarge(folder, true);

/** The same when the reader may keep the pieces, which are copies then. */
export const getLargeToKeep = (folder: string): Promise<Measured> => readLarge(folder, false);

async function readLarge(folder: string, borrow: boolean): Promise<Measured> {
  await using store = await openDiskStore(folder);
  return await measure(async () => {
    const [object] = await store.list();
    const found = object === undefined ? null : await store.get(object.cid, undefined, { borrow });
    let bytes = 0;
    if (found?.kind === "found") for await (const piece of found.bytes) bytes += piece.length;
    return { bytes };
  });
}

export async function putSmall(folder: string): Promise<Measured> {
  await using store = await openDiskStore(folder);
  return await measure(async () => {
    await forEach(smallCount, concurrency, async (number) => {
      await store.put([small(number)], { namespace });
    });
    return { bytes: smallCount * smallBytes, objects: smallCount };
  });
}

export async function scrub(folder: string): Promise<Measured> {
  await using store = await openDiskStore(folder);
  return await measure(() => store.scrub({ maxBytesPerSecond: unlimited }));
}

/** As much of a round as is read in three seconds when nothing is said of its rate. */
export async function scrubByDefault(folder: string): Promise<Measured> {
  await using store = await openDiskStore(folder);
  return await measure(() => store.scrub({ signal: AbortSignal.timeout(defaultScrubMs) }));
}

export async function firstByteHot(folder: string): Promise<Measured> {
  await putForFirstByte(folder);
  await using store = await openDiskStore(folder);
  await firstBytes(store, () => {});
  return await firstBytes(store, () => {});
}

/** Null where nothing drops the page cache. */
export async function firstByteCold(folder: string): Promise<Measured | null> {
  await putForFirstByte(folder);
  const names = readdirSync(folder, { recursive: true, encoding: "utf8" });
  const files = names.filter((name) => /\.(data|outboard)$/.test(name)).map((name) => join(folder, name));
  if (!dropFromCache(files)) return null;
  await using store = await openDiskStore(folder);
  return await firstBytes(store, () => dropFromCache([join(folder, "store.db")]));
}

async function putForFirstByte(folder: string): Promise<void> {
  await using store = await openDiskStore(folder);
  for (let number = 0; number < firstByteCount; number++) {
    await store.put(pieces(firstByteBytes), { namespace });
  }
}

async function firstBytes(store: Store, prepare: () => void): Promise<Measured> {
  const objects = await store.list();
  return await measure(async () => {
    const latenciesMs: number[] = [];
    for (const { cid } of objects) {
      prepare();
      const start = performance.now();
      const found = await store.get(cid);
      if (found.kind !== "found") throw new Error(`${cid} is not there`);
      for await (const piece of found.bytes) {
        if (piece.length > 0) break;
      }
      latenciesMs.push(performance.now() - start);
    }
    return { bytes: 0, objects: objects.length, latenciesMs };
  });
}
