import { constants, statSync } from "node:fs";
import { open, statfs } from "node:fs/promises";
import { DurableError, type DurableFile, diskFileSystem, type FileSystem } from "@catalyst/durable";
import { StarError, systemError } from "../errors.ts";
import { keyOf, throughProc } from "../jail/jail.ts";

/** What a file gets beyond its bytes. */
export type FileTraits = {
  /** Permission bits, of which only those of owner, group and others are used; default 0666 without the umask. */
  readonly mode?: number | undefined;
  /** Seconds since 1970; default now. */
  readonly modifiedAt?: number | undefined;
};

/** A disk on which replicated files come to stand. */
export type TargetDisk = {
  readonly files: FileSystem;
  /** Makes a file that is not there, for nobody but its owner where its traits name a mode. */
  create(path: string, traits: FileTraits): Promise<DurableFile>;
  /** A file that an earlier attempt left; null where there is none, or something else has its name. */
  reopen(path: string): Promise<DurableFile | null>;
  /** Gives a file its traits, and makes them survive a power cut. */
  finish(path: string, traits: FileTraits): Promise<void>;
  /** What tells a folder or a file from all others that are there. */
  identityOf(path: string): Promise<string>;
  /** In bytes. */
  freeBytes(folder: string): Promise<number>;
};

const { O_NOFOLLOW, O_NONBLOCK, O_RDWR } = constants;
const permissionBits = 0o777;

/** The disk of this machine. Whoever puts a link or a device under a name of ours is not followed. */
export function realDisk(files: FileSystem = diskFileSystem): TargetDisk {
  return {
    files,
    create: (path, { mode }) => files.open(path, "create", mode === undefined ? 0o666 : 0o600),
    reopen: (path) => reopened(files, path),
    finish,
    async identityOf(folder) {
      return keyOf(statSync(folder, { bigint: true }));
    },
    async freeBytes(folder) {
      const { bavail, bsize } = await statfs(folder);
      return bavail * bsize;
    },
  };
}

async function reopened(files: FileSystem, path: string): Promise<DurableFile | null> {
  try {
    await using found = await open(path, O_RDWR | O_NOFOLLOW | O_NONBLOCK);
    const stats = await found.stat();
    if (stats.isFile() && stats.nlink === 1) return await files.open(throughProc(found), "update");
  } catch {
    // There is none, or it cannot be opened: it is made anew.
  }
  return null;
}

async function finish(path: string, { mode, modifiedAt }: FileTraits): Promise<void> {
  if (mode === undefined && modifiedAt === undefined) return;
  await using file = await open(path, O_RDWR | O_NOFOLLOW | O_NONBLOCK);
  if (modifiedAt !== undefined) await file.utimes(modifiedAt, modifiedAt);
  if (mode !== undefined) await file.chmod(mode & permissionBits);
  await file.sync();
}

/** A failure at the target in the terms of this package; `path` is as the caller named it. */
export function targetError(path: string, error: unknown): unknown {
  if (error instanceof DurableError) {
    if (error.code === "disk_full")
      return new StarError("disk_full", `${path}: no space is left`, { cause: error });
    const isOfSystem = error.cause instanceof Error && "code" in error.cause;
    return isOfSystem
      ? systemError(path, error.cause)
      : new StarError("disk_failed", `${path}: ${error.message}`, { cause: error });
  }
  const isOfSystem = error instanceof Error && "syscall" in error;
  return isOfSystem ? systemError(path, error) : error;
}
