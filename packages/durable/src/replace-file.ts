import { basename, dirname, join, resolve } from "node:path";
import { fileError } from "./errors.ts";
import { failpoint, failpointSync } from "./failpoint.ts";
import {
  modeOf,
  modeOfSync,
  openFile,
  removeFile,
  removeFileSync,
  renameFile,
  renameFileSync,
  siblingsSync,
  syncFolderOf,
  syncFolderOfSync,
  writeSyncedSync,
} from "./files.ts";
import { isAlive } from "./process-identity.ts";

export type ReplaceOptions = {
  /** Permission bits; default: those of the file that is replaced, 0o600 for a new one. */
  readonly mode?: number;
};

const defaultMode = 0o600;
const queues = new Map<string, Promise<void>>();
const swept = new Set<string>();
let temporaries = 0;

/**
 * Replaces the content of a file, or creates it, as a whole: after a crash at any moment, also of the machine,
 * the file holds either all of the old content or all of the new, and the new once this has resolved.
 *
 * Calls for one path take effect in their order. A symbolic link is replaced by a file. Throws DurableError
 * `disk_full` or `io_failed`; the old content then stays, unless only the last step failed: syncing the folder.
 */
export function replaceFile(
  path: string,
  content: Uint8Array | string,
  options: ReplaceOptions = {},
): Promise<void> {
  const target = resolve(path);
  const before = queues.get(target) ?? Promise.resolve();
  const replaced = before.then(() => replace(target, bytesOf(content), options.mode));
  const settled = replaced
    .catch(() => {})
    .finally(() => {
      if (queues.get(target) === settled) queues.delete(target);
    });
  queues.set(target, settled);
  return replaced;
}

async function replace(path: string, bytes: Uint8Array, wanted: number | undefined): Promise<void> {
  const mode = wanted ?? (await modeOf(path)) ?? defaultMode;
  const temporary = temporaryFor(path);
  try {
    await writeSynced(temporary, bytes, mode);
    await failpoint("replace.before_rename");
    await renameFile(temporary, path);
    await failpoint("replace.before_folder_fsync");
    await syncFolderOf(path);
  } catch (error) {
    await removeFile(temporary).catch(() => {}); // the first failure is the one to tell
    throw fileError("replace", path, error);
  }
}

async function writeSynced(path: string, bytes: Uint8Array, mode: number): Promise<void> {
  const file = await openFile(path, { create: mode });
  try {
    await file.write(bytes, 0);
    await failpoint("replace.before_fsync");
    await file.sync();
  } finally {
    await file.close();
  }
}

/** {@link replaceFile} for code that cannot wait, such as the record of a process about to be trusted. */
export function replaceFileSync(
  path: string,
  content: Uint8Array | string,
  options: ReplaceOptions = {},
): void {
  const target = resolve(path);
  const mode = options.mode ?? modeOfSync(target) ?? defaultMode;
  const temporary = temporaryFor(target);
  try {
    writeSyncedSync(temporary, bytesOf(content), mode, () => failpointSync("replace.before_fsync"));
    failpointSync("replace.before_rename");
    renameFileSync(temporary, target);
    failpointSync("replace.before_folder_fsync");
    syncFolderOfSync(target);
  } catch (error) {
    removeFileSync(temporary);
    throw fileError("replace", target, error);
  }
}

function bytesOf(content: Uint8Array | string): Uint8Array {
  return typeof content === "string" ? new TextEncoder().encode(content) : content;
}

function temporaryFor(path: string): string {
  if (!swept.has(path)) {
    swept.add(path);
    sweep(path);
  }
  temporaries += 1;
  return join(dirname(path), `.${basename(path)}.${process.pid}.${temporaries}.tmp`);
}

/** Removes what processes that were killed on the way have left beside the file. */
function sweep(path: string): void {
  const prefix = `.${basename(path)}.`;
  for (const name of siblingsSync(path)) {
    if (!name.startsWith(prefix)) continue;
    const pid = /^(\d+)\.\d+\.tmp$/.exec(name.slice(prefix.length))?.[1];
    if (pid !== undefined && !isAlive(Number(pid))) removeFileSync(join(dirname(path), name));
  }
}
