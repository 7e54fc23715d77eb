import { lstatSync, type Stats } from "node:fs";
import { opendir } from "node:fs/promises";
import { create } from "@bufbuild/protobuf";
import { type FileEntry, FileEntrySchema } from "../../generated/orbit/v1/orbit_pb.js";
import { systemError } from "../errors.ts";
import type { Jail } from "../jail/jail.ts";
import { isPartName } from "../jail/path.ts";

const utf8 = new TextDecoder("utf-8", { fatal: true });

/**
 * The files and folders in a folder, in no order. What is neither, such as a symbolic link, is left out, and so are files on
 * their way and a name that is not UTF-8: no message can hold it. Throws StarError `path_*`, `folder_wanted` and `access_denied`.
 */
export async function* entriesOf(jail: Jail, path: string): AsyncGenerator<FileEntry, void> {
  using folder = jail.holdFolder(path);
  try {
    await using entries = await opendir(folder.path, {
      encoding: "buffer" as BufferEncoding,
      bufferSize: 256,
    });
    for await (const { name } of entries) {
      const text = decoded(name as unknown as Buffer);
      if (text === null || isPartName(text)) continue;
      const stats = looked(`${folder.path}/${text}`);
      if (stats?.isFile() || stats?.isDirectory()) yield entryOf(text, stats);
    }
  } catch (error) {
    throw systemError(path, error);
  }
}

/** Null where it is gone meanwhile. */
function looked(path: string): Stats | null {
  try {
    return lstatSync(path);
  } catch {
    return null;
  }
}

function entryOf(name: string, stats: Stats): FileEntry {
  return create(FileEntrySchema, {
    name,
    size: stats.isDirectory() ? 0n : BigInt(stats.size),
    isDir: stats.isDirectory(),
    modifiedAtTs: BigInt(Math.max(0, Math.floor(stats.mtimeMs / 1_000))),
    mode: stats.mode & 0o7777,
  });
}

function decoded(name: Buffer): string | null {
  try {
    return utf8.decode(name);
  } catch {
    return null;
  }
}
