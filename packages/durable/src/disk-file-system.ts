import { type FileHandle, link, mkdir, open, readdir, rename, rm, stat } from "node:fs/promises";
import { fileError } from "./errors.ts";
import { failpoint } from "./failpoint.ts";
import type { DurableFile, FileSystem } from "./file-system.ts";
import { writeAll } from "./files.ts";

/**
 * The file system of this machine. Each operation passes a failpoint first: `file.open`, `file.create`,
 * `file.read`, `file.write`, `file.truncate`, `file.sync`, `file.rename`, `file.link`, `file.remove`,
 * `folder.make`, `folder.sync`.
 */
export const diskFileSystem: FileSystem = {
  async open(path, how) {
    if (how === "create") {
      return openedFile(path, await attempt("file.create", path, () => open(path, "wx+", 0o600)));
    }
    return openedFile(path, await attempt("file.open", path, () => open(path, how === "read" ? "r" : "r+")));
  },
  rename: (from, to) => attempt("file.rename", to, () => rename(from, to)),
  link: (from, to) => attempt("file.link", to, () => link(from, to)),
  remove: (path) => attempt("file.remove", path, () => rm(path, { force: true })),
  makeFolder: (path) =>
    attempt("folder.make", path, () => unless("EEXIST", mkdir(path, { mode: 0o700 }), undefined)),
  list: (path) =>
    attempt("folder.list", path, async () => (await unless("ENOENT", readdir(path), null))?.sort() ?? null),
  async stat(path) {
    const stats = await attempt("file.stat", path, () => unless("ENOENT", stat(path), null));
    if (stats === null) return null;
    return { kind: stats.isDirectory() ? "folder" : "file", sizeBytes: stats.size };
  },
  syncFolder: (path) =>
    attempt("folder.sync", path, async () => {
      await using handle = await open(path, "r");
      await handle.sync();
    }),
};

function openedFile(path: string, handle: FileHandle): DurableFile {
  return {
    read: (target, position) => attempt("file.read", path, () => readAll(handle, target, position)),
    write: (bytes, position) => attempt("file.write", path, () => writeAll(handle, bytes, position)),
    truncate: (size) => attempt("file.truncate", path, () => handle.truncate(size)),
    sync: () => attempt("file.sync", path, () => handle.datasync()),
    close: () => attempt("file.close", path, () => handle.close()),
  };
}

async function readAll(handle: FileHandle, target: Uint8Array, position: number): Promise<number> {
  let filled = 0;
  while (filled < target.length) {
    const { bytesRead } = await handle.read(target, filled, target.length - filled, position + filled);
    if (bytesRead === 0) break;
    filled += bytesRead;
  }
  return filled;
}

async function unless<T, Else>(code: string, running: Promise<T>, otherwise: Else): Promise<T | Else> {
  try {
    return await running;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === code) return otherwise;
    throw error;
  }
}

async function attempt<T>(step: string, path: string, run: () => Promise<T>): Promise<T> {
  try {
    const acted = failpoint(step);
    if (acted !== undefined) await acted;
    return await run();
  } catch (error) {
    throw fileError(step.replace(/(.*)\.(.*)/, "$2 the $1"), path, error);
  }
}
