import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { fileError } from "./errors.ts";
import { createIfMissingSync, readWholeSync, removeFileSync } from "./files.ts";
import { lockOwner, takeLock } from "./lock.ts";
import { isRunning, type ProcessIdentity, thisProcess } from "./process-identity.ts";
import { replaceFileSync } from "./replace-file.ts";
import { isBusy } from "./sqlite-error.ts";

/** Who holds a folder in some role. */
export type FolderOwner = ProcessIdentity & {
  /** ISO time of the claim. */
  readonly since: string;
};

export type ClaimOutcome =
  | { readonly kind: "claimed"; readonly claim: Disposable }
  /** `ownerPid` is null where the system does not tell. */
  | { readonly kind: "taken"; readonly ownerPid: number | null; readonly since: string | null };

/**
 * Makes this process the only one that has the role in the folder, until the claim is disposed or the process
 * ends, whatever it ends of: what a killed one left is taken over. The folder must exist.
 *
 * `<role>.lock` carries the lock; `<role>.pid` tells people and {@link readOwner} who it is. Throws
 * DurableError `disk_full` or `io_failed`.
 */
export function claimFolder(folder: string, options: { readonly role: string }): ClaimOutcome {
  const lockPath = join(folder, `${options.role}.lock`);
  const ownerPath = ownerPathOf(folder, options.role);
  createIfMissingSync(lockPath);
  const lock = tryLock(lockPath);
  if (lock === null) {
    const owner = readOwner(folder, options);
    return {
      kind: "taken",
      ownerPid: lockOwner(lockPath) ?? owner?.pid ?? null,
      since: owner?.since ?? null,
    };
  }
  try {
    const owner: FolderOwner = { ...thisProcess, since: new Date().toISOString() };
    replaceFileSync(ownerPath, `${JSON.stringify(owner)}\n`);
  } catch (error) {
    lock.close();
    throw error;
  }
  let held = true;
  const release = () => {
    if (!held) return;
    held = false;
    removeFileSync(ownerPath);
    lock.close();
  };
  return { kind: "claimed", claim: { [Symbol.dispose]: release } };
}

/** The running process that has the role in the folder, as it wrote of itself; null when none has. */
export function readOwner(folder: string, options: { readonly role: string }): FolderOwner | null {
  const owner = parseOwner(ownerPathOf(folder, options.role));
  return owner !== null && isRunning(owner) ? owner : null;
}

function ownerPathOf(folder: string, role: string): string {
  return join(folder, `${role}.pid`);
}

/** The open lock; null when another holds it. */
function tryLock(path: string): DatabaseSync | null {
  let lock: DatabaseSync | undefined;
  try {
    lock = new DatabaseSync(path, { timeout: 0 });
    lock.exec("PRAGMA journal_mode = MEMORY"); // nothing is ever written: no file beside it
    takeLock(lock);
    return lock;
  } catch (error) {
    lock?.close();
    if (isBusy(error)) return null;
    throw fileError("lock", path, error);
  }
}

function parseOwner(path: string): FolderOwner | null {
  const content = readWholeSync(path);
  if (content === null) return null;
  try {
    const { pid, start, since } = JSON.parse(new TextDecoder().decode(content)) as Record<string, unknown>;
    const valid =
      typeof pid === "number" && Number.isSafeInteger(pid) && pid > 0 && typeof since === "string";
    return valid && (start === null || typeof start === "string") ? { pid, start, since } : null;
  } catch {
    return null; // not ours: nothing can be told from it
  }
}
