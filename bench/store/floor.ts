import { createHash, hash } from "node:crypto";
import { type FileHandle, open } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import {
  concurrency,
  dropFromCache,
  firstByteBytes,
  firstByteCount,
  largeBytes,
  pieces,
  small,
  smallBytes,
  smallCount,
} from "./content.ts";
import { type Measured, measure } from "./meter.ts";

const leafBytes = 64 * 1024;

/** Leaves compiled code behind for the processes that are measured. */
export const warmUp = async (): Promise<null> => null;

/** Plain SHA-256 of a stream while it is written to a file, then one sync. */
export async function putLarge(folder: string): Promise<Measured> {
  return measure(async () => {
    const flat = createHash("sha256");
    await using file = await open(join(folder, "large"), "wx");
    for (const piece of pieces(largeBytes)) {
      const writing = file.write(piece);
      flat.update(piece);
      await writing;
    }
    flat.digest();
    await file.datasync();
    return { bytes: largeBytes };
  });
}

/** Reads the file and hashes it, the next block while the one before is hashed. */
export async function getLarge(folder: string): Promise<Measured> {
  return measure(async () => {
    const flat = createHash("sha256");
    await using file = await open(join(folder, "large"));
    const blocks = [Buffer.alloc(512 * 1024), Buffer.alloc(512 * 1024)] as const;
    let bytes = 0;
    let reading = read(file, blocks[0], 0);
    for (let at = 0; ; at++) {
      const length = await reading;
      if (length === 0) break;
      bytes += length;
      reading = read(file, blocks[at % 2 === 0 ? 1 : 0], bytes);
      flat.update(blocks[at % 2 === 0 ? 0 : 1].subarray(0, length));
    }
    flat.digest();
    return { bytes };
  });
}

/** What the disk reads when the file is not in the page cache; null where nothing drops it from there. */
export async function readCold(folder: string): Promise<Measured | null> {
  return dropFromCache([join(folder, "large")]) ? getLarge(folder) : null;
}

async function read(file: FileHandle, target: Buffer, position: number): Promise<number> {
  return (await file.read(target, 0, target.length, position)).bytesRead;
}

/** Hashes each and inserts it by its digest; as many share a transaction as are on their way at once. */
export async function putSmall(folder: string): Promise<Measured> {
  const database = new DatabaseSync(join(folder, "small.db"));
  database.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA locking_mode = EXCLUSIVE");
  database.exec("CREATE TABLE object (sha256 BLOB PRIMARY KEY, bytes BLOB) WITHOUT ROWID");
  const insert = database.prepare("INSERT INTO object VALUES (?, ?)");
  return measure(async () => {
    for (let number = 0; number < smallCount; ) {
      database.exec("BEGIN");
      for (let at = 0; at < concurrency && number < smallCount; at++, number++) {
        const bytes = small(number);
        insert.run(hash("sha256", bytes, "buffer"), bytes);
      }
      database.exec("COMMIT");
    }
    return { bytes: smallCount * smallBytes, objects: smallCount };
  });
}

/** The first 64 KiB of a file, hashed, when it was read once before. */
export async function firstByteHot(folder: string): Promise<Measured> {
  const paths = await writeFiles(folder);
  await firstBytes(paths);
  return firstBytes(paths);
}

/** The same when the file is not in the page cache; null where nothing drops it from there. */
export async function firstByteCold(folder: string): Promise<Measured | null> {
  const paths = await writeFiles(folder);
  return dropFromCache(paths) ? firstBytes(paths) : null;
}

async function writeFiles(folder: string): Promise<readonly string[]> {
  const paths = Array.from({ length: firstByteCount }, (_, number) => join(folder, `${number}`));
  for (const path of paths) {
    await using file = await open(path, "wx");
    await file.write(Buffer.alloc(firstByteBytes, path));
    await file.datasync();
  }
  return paths;
}

function firstBytes(paths: readonly string[]): Promise<Measured> {
  return measure(async () => {
    const latenciesMs: number[] = [];
    for (const path of paths) {
      const start = performance.now();
      await using file = await open(path);
      const target = Buffer.alloc(leafBytes);
      await read(file, target, 0);
      hash("sha256", target, "buffer");
      latenciesMs.push(performance.now() - start);
    }
    return { bytes: 0, objects: paths.length, latenciesMs };
  });
}
