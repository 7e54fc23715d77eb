import {
  chmodSync,
  closeSync,
  existsSync,
  fsyncSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { type FileHandle, open, readFile, rename, rm, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { fileError } from "./errors.ts";

/**
 * Every touch of plain files by this package goes through here: the seam behind which something can stand that
 * forgets what was not synced. Each operation throws DurableError `disk_full` or `io_failed`.
 *
 * SQLite does its own input and output and is not behind it.
 */

/** An open file. What is written survives a power cut only after `sync`. */
export type OpenFile = {
  /** Writes all of the bytes at the position, in bytes from the start. */
  write(bytes: Uint8Array, position: number): Promise<void>;
  /** Cuts off, or fills up with zeros, to this size in bytes. */
  truncate(size: number): Promise<void>;
  sync(): Promise<void>;
  close(): Promise<void>;
};

/** Opens to read and write; `create` makes it anew, empty, with exactly this mode. */
export async function openFile(path: string, options: { create?: number } = {}): Promise<OpenFile> {
  const { create } = options;
  const handle = await attempt("open", path, () => open(path, create === undefined ? "r+" : "w", create));
  if (create !== undefined) await attempt("change the mode of", path, () => handle.chmod(create));
  return {
    write: (bytes, position) => attempt("write", path, () => writeAll(handle, bytes, position)),
    truncate: (size) => attempt("truncate", path, () => handle.truncate(size)),
    sync: () => attempt("sync", path, () => handle.datasync()),
    close: () => attempt("close", path, () => handle.close()),
  };
}

/** The whole content; null when there is no such file. */
export async function readWhole(path: string): Promise<Uint8Array | null> {
  return attempt("read", path, () => missingAsNull(readFile(path)));
}

/** The permission bits; null when there is no such file. */
export async function modeOf(path: string): Promise<number | null> {
  const stats = await attempt("read", path, () => missingAsNull(stat(path)));
  return stats === null ? null : stats.mode & 0o777;
}

/** Makes a synced rename or creation in the folder survive a power cut. */
export async function syncFolderOf(path: string): Promise<void> {
  const folder = dirname(path);
  await attempt("sync", folder, async () => {
    await using handle = await open(folder, "r");
    await handle.sync();
  });
}

export function renameFile(from: string, to: string): Promise<void> {
  return attempt("replace", to, () => rename(from, to));
}

/** Removes the file where there is one. */
export function removeFile(path: string): Promise<void> {
  return attempt("remove", path, () => rm(path, { force: true }));
}

/** Makes the file anew with this content and exactly this mode, synced. */
export function writeSyncedSync(path: string, bytes: Uint8Array, mode: number, beforeSync: () => void): void {
  attemptSync("write", path, () => {
    const descriptor = openSync(path, "w", mode);
    try {
      chmodSync(path, mode);
      writeFileSync(descriptor, bytes);
      beforeSync();
      fsyncSync(descriptor);
    } finally {
      closeSync(descriptor);
    }
  });
}

/** {@link readWhole} for synchronous code. */
export function readWholeSync(path: string): Uint8Array | null {
  return attemptSync("read", path, () => {
    try {
      return readFileSync(path);
    } catch (error) {
      return nullIfMissing(error);
    }
  });
}

export function modeOfSync(path: string): number | null {
  const stats = attemptSync("read", path, () => statSync(path, { throwIfNoEntry: false }));
  return stats === undefined ? null : stats.mode & 0o777;
}

export function syncFolderOfSync(path: string): void {
  const folder = dirname(path);
  attemptSync("sync", folder, () => {
    const descriptor = openSync(folder, "r");
    try {
      fsyncSync(descriptor);
    } finally {
      closeSync(descriptor);
    }
  });
}

export function renameFileSync(from: string, to: string): void {
  attemptSync("replace", to, () => renameSync(from, to));
}

export function removeFileSync(path: string): void {
  attemptSync("remove", path, () => rmSync(path, { force: true }));
}

/** The names in the folder of the file. */
export function siblingsSync(path: string): string[] {
  const folder = dirname(path);
  return attemptSync("read", folder, () => readdirSync(folder));
}

/**
 * Makes an empty file for its owner alone, unless there is one. Never opens one that exists: closing it again
 * would end the locks that this process holds on it (fcntl(2)).
 */
export function createIfMissingSync(path: string): void {
  if (existsSync(path)) return;
  attemptSync("create", path, () => closeSync(openSync(path, "ax", 0o600)));
}

/** Writes all of the bytes, however little the system takes at once. */
async function writeAll(handle: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  let written = 0;
  while (written < bytes.length) {
    const result = await handle.write(bytes, written, bytes.length - written, position + written);
    written += result.bytesWritten;
  }
}

function missingAsNull<T>(reading: Promise<T>): Promise<T | null> {
  return reading.catch(nullIfMissing);
}

function nullIfMissing(error: unknown): null {
  if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
  throw error;
}

async function attempt<T>(operation: string, path: string, run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    throw fileError(operation, path, error);
  }
}

function attemptSync<T>(operation: string, path: string, run: () => T): T {
  try {
    return run();
  } catch (error) {
    throw fileError(operation, path, error);
  }
}
