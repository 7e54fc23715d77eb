import { randomBytes } from "node:crypto";
import { lstatSync, rmSync, type Stats } from "node:fs";
import { open, rename } from "node:fs/promises";
import { dirname, join } from "node:path";
import { CommandError, exitCode } from "../../exit-code.ts";

/** A file that comes to stand under its name when all of it was found right, and not before. */
export type TargetFile = AsyncDisposable & {
  write(bytes: Uint8Array): Promise<void>;
  /** Gives it its name once it survives a power cut. What is not committed is removed. */
  commit(): Promise<void>;
};

/**
 * Begins a file beside its target. Throws {@link CommandError} with exit code 2 for a target that is there, unless
 * `force`, and for one that is no file.
 */
export async function openTarget(path: string, force: boolean): Promise<TargetFile> {
  checkTarget(path, force);
  const part = join(dirname(path), `.holo-${randomBytes(6).toString("hex")}.part`);
  const file = await open(part, "wx").catch((error: NodeJS.ErrnoException) => {
    throw new CommandError(exitCode.failed, `cannot write beside ${path}: ${error.message}`);
  });
  let isOpen = true;
  const close = async () => {
    if (isOpen) await file.close();
    isOpen = false;
  };
  return {
    write: async (bytes) => {
      for (let at = 0; at < bytes.length; ) at += (await file.write(bytes, at)).bytesWritten;
    },
    commit: async () => {
      await file.sync();
      await close();
      checkTarget(path, force);
      await rename(part, path);
    },
    [Symbol.asyncDispose]: async () => {
      await close();
      rmSync(part, { force: true });
    },
  };
}

function checkTarget(path: string, force: boolean): void {
  const there = look(path);
  if (there === null) return;
  if (!there.isFile() && !there.isSymbolicLink()) {
    throw new CommandError(exitCode.usage, `${path} is no file: name one to write to`);
  }
  if (!force) throw new CommandError(exitCode.usage, `${path} is there already: --force replaces it`);
}

function look(path: string): Stats | null {
  try {
    return lstatSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
    throw error;
  }
}
