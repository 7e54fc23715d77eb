import {
  closeSync,
  existsSync,
  fdatasync,
  fsync,
  ftruncate,
  linkSync,
  mkdirSync,
  openSync,
  read,
  renameSync,
  statSync,
  write,
  writeSync,
} from "node:fs";
import { readdir, rename, rm } from "node:fs/promises";
import { promisify } from "node:util";
import { DurableError, fileError } from "./errors.ts";
import { failpoint } from "./failpoint.ts";
import type { DurableFile, FileSystem } from "./file-system.ts";

/**
 * The file system of this machine. What takes a few microseconds, names and small writes into the page cache, is done at once: by
 * the thread pool it takes twenty times as long. What waits for a disk is left to the pool: reads, syncs, and what
 * frees the blocks of a file.
 *
 * Each operation passes a failpoint first: `file.open`, `file.create`,
 * `file.read`, `file.write`, `file.truncate`, `file.sync`, `file.rename`, `file.link`, `file.remove`,
 * `folder.make`, `folder.sync`.
 */
export const diskFileSystem: FileSystem = {
  async open(path, how, mode = 0o600) {
    if (how === "create") {
      return new DiskFile(path, await attempt("file.create", path, () => openSync(path, "wx+", mode)));
    }
    const flags = how === "read" ? "r" : "r+";
    return new DiskFile(path, await attempt("file.open", path, () => openSync(path, flags)));
  },
  // What stands under the name already has blocks to be freed.
  rename: (from, to) =>
    attempt("file.rename", to, () => (existsSync(to) ? rename(from, to) : renameSync(from, to))),
  link: (from, to) => attempt("file.link", to, () => linkSync(from, to)),
  remove: (path) => attempt("file.remove", path, () => rm(path, { force: true })),
  makeFolder: (path) => attempt("folder.make", path, () => makeFolder(path)),
  list: (path) => attempt("folder.list", path, () => namesIn(path)),
  async stat(path) {
    const stats = await attempt("file.stat", path, () => statSync(path, { throwIfNoEntry: false }));
    if (stats === undefined) return null;
    return { kind: stats.isDirectory() ? "folder" : "file", sizeBytes: stats.size };
  },
  syncFolder: (path) =>
    attempt("folder.sync", path, async () => {
      const fd = openSync(path, "r");
      try {
        await sync(fd);
      } finally {
        closeSync(fd);
      }
    }),
};

const sync = promisify(fsync);
const syncData = promisify(fdatasync);
const cutOff = promisify(ftruncate);
const readSome = promisify(read);
const writeSome = promisify(write);
/** In bytes. */
const smallWrite = 64 * 1024;

/** A file that is open until `close`, which waits for what is under way. */
class DiskFile implements DurableFile {
  readonly #path: string;
  #fd: number | null;
  readonly #running = new Set<Promise<unknown>>();

  constructor(path: string, fd: number) {
    this.#path = path;
    this.#fd = fd;
  }

  read(target: Uint8Array, position: number): Promise<number> {
    return this.#do("file.read", (fd) => readAll(fd, target, position));
  }

  write(bytes: Uint8Array, position: number): Promise<void> {
    return this.#do("file.write", (fd) => writeAll(fd, bytes, position));
  }

  truncate(size: number): Promise<void> {
    return this.#do("file.truncate", (fd) => cutOff(fd, size));
  }

  sync(): Promise<void> {
    return this.#do("file.sync", (fd) => syncData(fd));
  }

  close(): Promise<void> {
    const fd = this.#fd;
    this.#fd = null;
    return attempt("file.close", this.#path, async () => {
      if (fd === null) return;
      if (this.#running.size > 0) await Promise.allSettled(this.#running);
      closeSync(fd);
    });
  }

  async #do<T>(step: string, run: (fd: number) => Promise<T>): Promise<T> {
    const running = attempt(step, this.#path, () => {
      if (this.#fd === null) throw new DurableError("io_failed", `${this.#path} is closed`);
      return run(this.#fd);
    });
    this.#running.add(running);
    try {
      return await running;
    } finally {
      this.#running.delete(running);
    }
  }
}

async function readAll(fd: number, target: Uint8Array, position: number): Promise<number> {
  let filled = 0;
  while (filled < target.length) {
    const { bytesRead } = await readSome(fd, target, filled, target.length - filled, position + filled);
    if (bytesRead === 0) break;
    filled += bytesRead;
  }
  return filled;
}

async function writeAll(fd: number, bytes: Uint8Array, position: number): Promise<void> {
  for (let written = 0; written < bytes.length; ) {
    const left = bytes.length - written;
    if (left <= smallWrite) written += writeSync(fd, bytes, written, left, position + written);
    else written += (await writeSome(fd, bytes, written, left, position + written)).bytesWritten;
  }
}

function makeFolder(path: string): void {
  try {
    mkdirSync(path, { mode: 0o700 });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  }
}

async function namesIn(path: string): Promise<readonly string[] | null> {
  try {
    return (await readdir(path)).sort();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
    throw error;
  }
}

async function attempt<T>(step: string, path: string, run: () => T | Promise<T>): Promise<T> {
  try {
    const acted = failpoint(step);
    if (acted !== undefined) await acted;
    return await run();
  } catch (error) {
    throw fileError(step.replace(/(.*)\.(.*)/, "$2 the $1"), path, error);
  }
}
