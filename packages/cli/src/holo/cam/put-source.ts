import { createReadStream, type Stats } from "node:fs";
import { readdir, stat } from "node:fs/promises";
import { basename, join, relative } from "node:path";
import { CommandError, exitCode } from "../../exit-code.ts";

/** Bytes that are to be put, and the name that they get. */
export type PutSource = {
  /** As it was given or found; `-` for the standard input. */
  readonly file: string;
  readonly name: string | null;
  /** Null where it shows only at the end. */
  readonly sizeBytes: number | null;
  open(): AsyncIterable<Uint8Array>;
};

export type NamingOptions = {
  readonly recursive?: boolean;
  readonly name?: string;
  readonly prefix?: string;
  readonly expected?: string;
};

export type FoundSources = {
  readonly sources: readonly PutSource[];
  /** Links and special files in folders, which are not followed. */
  readonly skipped: number;
};

const readAheadBytes = 1_048_576;

/**
 * What `holo cam put` is asked to put, looked at before the first byte is. Throws {@link CommandError} with exit code 2
 * for what contradicts itself, 3 for what is not there.
 */
export async function findSources(
  files: readonly string[],
  options: NamingOptions,
  stdin: AsyncIterable<Uint8Array>,
): Promise<FoundSources> {
  checkNaming(files, options);
  const sources: PutSource[] = [];
  let skipped = 0;
  for (const file of files) {
    const found = file === "-" ? null : await look(file);
    if (found === null) {
      sources.push({ file, name: options.name ?? null, sizeBytes: null, open: () => stdin });
    } else if (found.isDirectory()) {
      if (options.recursive !== true) {
        throw usage(`${file} is a folder: -r puts each file in it, named by its path there`);
      }
      const inside = await findInside(file, options.prefix);
      sources.push(...inside.sources);
      skipped += inside.skipped;
    } else {
      const name = options.recursive === true ? named(options.prefix, basename(file)) : options.name;
      sources.push(sourceOf(file, name ?? null, found));
    }
  }
  checkNames(sources);
  return { sources, skipped };
}

function checkNaming(files: readonly string[], { recursive, name, prefix, expected }: NamingOptions): void {
  const single = files.length === 1 && recursive !== true;
  if (name !== undefined && !single) {
    throw usage("--name is for a single file: with -r files are named by their path, below --prefix");
  }
  if (expected !== undefined && !single) throw usage("--expected is for a single file");
  if (prefix !== undefined && recursive !== true) throw usage("--prefix is for -r: give --name instead");
  const fromStdin = files.filter((file) => file === "-").length;
  if (fromStdin > 1 || (fromStdin > 0 && recursive === true)) {
    throw usage("the standard input, -, is put once, and not with -r");
  }
}

/** Two files of one name: the second would take it from the first. */
function checkNames(sources: readonly PutSource[]): void {
  const files = new Map<string, string>();
  for (const { name, file } of sources) {
    if (name === null) continue;
    const other = files.get(name);
    if (other !== undefined) {
      throw usage(`${other} and ${file} would both be named ${name}: put them one by one, with --prefix`);
    }
    files.set(name, file);
  }
}

async function look(file: string): Promise<Stats> {
  try {
    return await stat(file);
  } catch (error) {
    throw new CommandError(exitCode.notFound, `cannot read ${file}: ${(error as Error).message}`);
  }
}

async function findInside(folder: string, prefix: string | undefined): Promise<FoundSources> {
  const sources: PutSource[] = [];
  let skipped = 0;
  for (const entry of await readdir(folder, { withFileTypes: true, recursive: true })) {
    if (entry.isDirectory()) continue;
    const file = join(entry.parentPath, entry.name);
    if (entry.isFile()) sources.push(sourceOf(file, named(prefix, relative(folder, file)), await look(file)));
    else skipped++;
  }
  return { sources: sources.sort((a, b) => (a.file < b.file ? -1 : 1)), skipped };
}

function named(prefix: string | undefined, path: string): string {
  return prefix === undefined ? path : `${prefix.replace(/\/$/, "")}/${path}`;
}

function sourceOf(file: string, name: string | null, found: Stats): PutSource {
  const sizeBytes = found.isFile() ? found.size : null;
  // No more room for a small file than it takes: of thousands, that would be most of the work.
  const highWaterMark = sizeBytes === null ? readAheadBytes : Math.min(readAheadBytes, sizeBytes + 1);
  return { file, name, sizeBytes, open: () => createReadStream(file, { highWaterMark }) };
}

function usage(message: string): CommandError {
  return new CommandError(exitCode.usage, message);
}
