import { StarError } from "../errors.ts";
import { Manifest, type TreeFile } from "./manifest.ts";
import type { Nucleus } from "./nucleus.ts";
import type { FileProgress, ReplicateOptions, StarPath } from "./replication.ts";

export type TreeOptions = Omit<
  ReplicateOptions,
  "expectedSize" | "expectedChecksum" | "mode" | "modifiedAt" | "onProgress"
> & {
  /** Where the Nucleus notes what is done, to go on with `resume`. */
  readonly manifestFile: string;
  /** So many files at once; default 16. */
  readonly parallel?: number;
  /** Give the files the mode and the time of modification that they have at the source. Default false. */
  readonly preserve?: boolean;
  readonly onProgress?: (progress: TreeProgress) => void;
};

/** How far a tree is: files that stand, and bytes at the destination. `totalFiles` and `totalBytes` are null until all folders were listed. */
export type TreeProgress = {
  readonly files: number;
  readonly bytes: number;
  readonly failed: number;
  readonly totalFiles: number | null;
  readonly totalBytes: number | null;
};

/** What came of a tree. */
export type TreeReplication = {
  readonly files: number;
  readonly bytes: number;
  /** How many of the files stood there from an earlier attempt. */
  readonly skipped: number;
  /** What went through the Nucleus, in bytes. */
  readonly relayed: number;
  readonly failed: readonly { readonly path: string; readonly error: StarError }[];
};

const defaultParallel = 16;
/** So many folders are listed at once. */
const parallelListings = 4;
/** So many files are waited with until they are replicated: a tree of millions is not kept in memory. */
const mostWaiting = 10_000;
/** Files up to this size, in bytes, are replicated many by a call. */
const smallFile = 256 * 1024;
const mostInBatch = 64;
/** The names in a call have so many characters at most, and come in its tokens once more. */
const mostNamed = 24_576;
/** What is deeper is a circle, or nobody's tree. */
const mostDeep = 100;

/**
 * Replicates all files below a folder. One that fails leaves the others alone, and is named in the outcome; folders without
 * files are not made. Throws StarError where the folder cannot be listed, and `cancelled`.
 */
export async function replicateTree(nucleus: Nucleus, options: TreeOptions): Promise<TreeReplication> {
  const { from, to, manifestFile, resume = false, parallel = defaultParallel } = options;
  const order = { from: `${from.star.url} ${from.path}`, to: `${to.star.url} ${to.path}` };
  await using manifest = await Manifest.open(manifestFile, order, resume);
  const tree = new Tree(nucleus, options, manifest);
  await tree.run(parallel);
  if (tree.failed.length === 0) await manifest.remove();
  return tree.outcome();
}

class Tree {
  readonly #nucleus: Nucleus;
  readonly #options: TreeOptions;
  readonly #manifest: Manifest;
  readonly #waiting: TreeFile[] = [];
  readonly failed: { path: string; error: StarError }[] = [];
  #changed = Promise.withResolvers<void>();
  #isListed = false;
  #found = { files: 0, bytes: 0 };
  #done = { files: 0, bytes: 0, skipped: 0, relayed: 0 };
  /** Bytes of large files that are on their way. */
  readonly #coming = new Map<string, number>();

  constructor(nucleus: Nucleus, options: TreeOptions, manifest: Manifest) {
    this.#nucleus = nucleus;
    this.#options = options;
    this.#manifest = manifest;
  }

  async run(parallel: number): Promise<void> {
    const stop = new AbortController();
    const signal = AbortSignal.any([stop.signal, ...(this.#options.signal ? [this.#options.signal] : [])]);
    const workers = Array.from({ length: parallel }, () => this.#work(signal));
    try {
      await Promise.all([this.#list(signal), ...workers]);
    } catch (error) {
      stop.abort();
      this.#notify();
      await Promise.allSettled(workers);
      throw error;
    }
  }

  outcome(): TreeReplication {
    return { ...this.#done, failed: this.failed };
  }

  async #list(signal: AbortSignal): Promise<void> {
    let folders = [""];
    for (let depth = 0; folders.length > 0; depth++) {
      if (depth > mostDeep)
        throw new StarError("path_invalid", `more than ${mostDeep} folders inside of each other`);
      const below: string[] = [];
      for (let at = 0; at < folders.length; at += parallelListings) {
        const some = folders.slice(at, at + parallelListings);
        below.push(...(await Promise.all(some.map((folder) => this.#listOne(folder, signal)))).flat());
      }
      folders = below;
    }
    this.#isListed = true;
    this.#notify();
  }

  /** The folders in a folder; its files wait to be replicated. */
  async #listOne(folder: string, signal: AbortSignal): Promise<string[]> {
    const { from } = this.#options;
    const below: string[] = [];
    for await (const { name, size, isDir, modifiedAtTs, mode } of this.#nucleus
      .star(from.star)
      .scan(joined(from.path, folder), signal)) {
      // A name that is none would lead somewhere else, here and at the destination.
      if (name === "" || name === "." || name === ".." || /[/\0]/.test(name)) {
        throw new StarError(
          "path_invalid",
          `${from.star.url} tells of a file with the name ${JSON.stringify(name)}`,
        );
      }
      const path = folder === "" ? name : `${folder}/${name}`;
      if (isDir) below.push(path);
      else {
        this.#waiting.push({
          path,
          size: Number(size),
          modifiedAt: Number(modifiedAtTs),
          ...(mode === undefined ? {} : { mode }),
        });
        this.#found = { files: this.#found.files + 1, bytes: this.#found.bytes + Number(size) };
        this.#notify();
        while (this.#waiting.length >= mostWaiting && !signal.aborted) await this.#changed.promise;
      }
    }
    return below;
  }

  async #work(signal: AbortSignal): Promise<void> {
    for (;;) {
      if (signal.aborted) throw new StarError("cancelled", "the replication was given up");
      const files = this.#take();
      if (files.length > 0) {
        await this.#replicate(files, signal);
        this.#notify();
      } else if (this.#isListed) return;
      else await this.#changed.promise;
    }
  }

  /** The next file, and small ones after it where many wait: so many that the last ones are shared among all who work. */
  #take(): readonly TreeFile[] {
    const { from, to, parallel = defaultParallel } = this.#options;
    const most = Math.min(mostInBatch, Math.ceil(this.#waiting.length / parallel));
    const taken: TreeFile[] = [];
    for (let named = 0; taken.length < Math.max(1, most); ) {
      const [file] = this.#waiting;
      if (file === undefined) break;
      named += from.path.length + to.path.length + 2 * file.path.length;
      if (taken.length > 0 && (file.size > smallFile || named > mostNamed)) break;
      taken.push(file);
      this.#waiting.shift();
      if (file.size > smallFile) break;
    }
    return taken;
  }

  async #replicate(files: readonly TreeFile[], signal: AbortSignal): Promise<void> {
    const left = files.filter((file) => !this.#manifest.has(file));
    for (const { size } of files.filter((file) => !left.includes(file))) this.#count(size, { skipped: 1 });
    const orders = left.map((file) => this.#orderOf(file, signal));
    await this.#nucleus.replicateAll(orders, async (at, outcome) => {
      const file = left[at] as TreeFile;
      this.#coming.delete(file.path);
      if (outcome instanceof StarError) {
        this.failed.push({ path: file.path, error: outcome });
      } else {
        this.#manifest.note(file, outcome.checksum);
        this.#count(file.size, { relayed: outcome.relayed });
      }
    });
  }

  #orderOf({ path, size, modifiedAt, mode }: TreeFile, signal: AbortSignal): ReplicateOptions {
    const {
      from,
      to,
      sources = [],
      preserve = false,
      relay,
      verify,
      resume,
      onRelay,
      onProgress,
    } = this.#options;
    const coming = ({ bytes }: FileProgress) => {
      this.#coming.set(path, bytes);
      this.#report();
    };
    const below = ({ star, path: folder }: StarPath) => ({ star, path: joined(folder, path) });
    return {
      ...{ from: below(from), to: below(to), sources: sources.map(below), expectedSize: size, signal },
      ...(relay === undefined ? {} : { relay }),
      ...(verify === undefined ? {} : { verify }),
      ...(resume === undefined ? {} : { resume }),
      ...(onRelay === undefined ? {} : { onRelay }),
      ...(preserve ? { modifiedAt, ...(mode === undefined ? {} : { mode }) } : {}),
      ...(onProgress === undefined || size <= smallFile ? {} : { onProgress: coming }),
    };
  }

  #count(
    bytes: number,
    { skipped = 0, relayed = 0 }: { readonly skipped?: number; readonly relayed?: number },
  ): void {
    const done = this.#done;
    this.#done = {
      files: done.files + 1,
      bytes: done.bytes + bytes,
      skipped: done.skipped + skipped,
      relayed: done.relayed + relayed,
    };
  }

  #notify(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
    this.#report();
  }

  #report(): void {
    const { files, bytes } = this.#done;
    const coming = this.#coming.values().reduce((sum, each) => sum + each, 0);
    this.#options.onProgress?.({
      ...{ files, bytes: bytes + coming, failed: this.failed.length },
      totalFiles: this.#isListed ? this.#found.files : null,
      totalBytes: this.#isListed ? this.#found.bytes : null,
    });
  }
}

function joined(folder: string, path: string): string {
  if (path === "") return folder;
  return folder.endsWith("/") ? `${folder}${path}` : `${folder}/${path}`;
}
