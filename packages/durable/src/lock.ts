import { readFileSync, statSync } from "node:fs";
import type { DatabaseSync } from "node:sqlite";

/**
 * Node has no call for file locks, but SQLite takes them: held by the kernel for one process, and gone with it
 * whatever it dies of, so that there is no stale lock.
 *
 * Takes the exclusive lock on an open database and keeps it until that is closed. Throws SQLite's own error
 * `SQLITE_BUSY` when another process, or another connection of this one, has it.
 */
export function takeLock(database: DatabaseSync): void {
  database.exec("PRAGMA locking_mode = EXCLUSIVE");
  database.exec("BEGIN EXCLUSIVE");
}

/** The process that holds a lock on the file, where the system tells (Linux). */
export function lockOwner(path: string): number | null {
  try {
    const { dev, ino } = statSync(path, { bigint: true });
    return ownerIn(readFileSync("/proc/locks", "utf8"), dev, ino);
  } catch {
    return null; // no /proc, or the file is gone meanwhile
  }
}

/** Reads proc_locks(5): `1: POSIX  ADVISORY  WRITE 4711 fe:00:9986980 1073741824 1073742335`. */
export function ownerIn(locks: string, device: bigint, inode: bigint): number | null {
  const major = ((device >> 8n) & 0xfffn) | ((device >> 32n) & ~0xfffn);
  const minor = (device & 0xffn) | ((device >> 12n) & 0xffffff00n);
  const hex = (part: bigint) => part.toString(16).padStart(2, "0");
  const file = `${hex(major)}:${hex(minor)}:${inode}`;
  for (const line of locks.split("\n")) {
    const [, , , , pid, where] = line.trim().split(/\s+/);
    if (where === file && Number(pid) > 0) return Number(pid);
  }
  return null;
}
