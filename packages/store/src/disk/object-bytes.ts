import type { DurableFile, FileSystem } from "@catalyst/durable";
import { type ByteRange, leafCount, type Tree } from "@catalyst/wire";
import { bytesOf, leavesOf } from "../range-set.ts";
import type { ObjectRow } from "./objects.ts";
import type { DiskParts } from "./parts.ts";

/** Reads an object's leaves and the digests of its tree, unverified. What is missing on the disk is zero, or short. */
export type ObjectBytes = AsyncDisposable & {
  /** Good until the next call, as the digests are. */
  leaf(offset: number, length: number): Promise<Uint8Array>;
  /** Two digests of 32 bytes at these places of the outboard, one after the other. */
  pair(left: number, right: number): Uint8Array | Promise<Uint8Array>;
};

const dataBlockBytes = 512 * 1024;
const digestLength = 32;
const outboardBlockBytes = 16 * 1024;
const mostOutboardBlocks = 64;

/** Opens what an object consists of, to read these ranges of it. */
export async function openBytes(
  { files, objects }: DiskParts,
  row: ObjectRow,
  ranges: readonly ByteRange[],
): Promise<ObjectBytes> {
  if (row.inline) return inMemory(objects.bytes(row.id));
  return openFiles(files.system, files.paths(row.id), row.tree, ranges);
}

/** Opens the two files of a tree, of which either may be missing, to read these ranges. */
export async function openFiles(
  system: FileSystem,
  paths: { readonly data: string; readonly outboard: string },
  tree: Tree,
  ranges: readonly ByteRange[],
): Promise<ObjectBytes> {
  const data = await openIfThere(system, paths.data);
  try {
    const hasParents = leafCount(tree) > 1;
    const outboard = hasParents ? await openIfThere(system, paths.outboard) : null;
    const runs = bytesOf(
      ranges.map((range) => leavesOf(range, tree)),
      tree,
    );
    return inFiles(data, outboard, runs);
  } catch (error) {
    await data?.close();
    throw error;
  }
}

async function openIfThere(system: FileSystem, path: string): Promise<DurableFile | null> {
  return (await system.stat(path)) === null ? null : system.open(path, "read");
}

function inMemory(bytes: Uint8Array): ObjectBytes {
  return {
    leaf: async (offset, length) => bytes.subarray(offset, offset + length),
    pair: () => new Uint8Array(2 * digestLength),
    [Symbol.asyncDispose]: async () => {},
  };
}

function inFiles(
  data: DurableFile | null,
  outboard: DurableFile | null,
  runs: readonly ByteRange[],
): ObjectBytes {
  const ahead = new ReadAhead(data, runs);
  const digests = new DigestReader(outboard);
  return {
    leaf: (offset, length) => ahead.read(offset, length),
    pair: (left, right) => digests.pair(left, right),
    [Symbol.asyncDispose]: async () => {
      await ahead.settle();
      await data?.close();
      await outboard?.close();
    },
  };
}

type Block = { readonly start: number; readonly bytes: Uint8Array };

/**
 * Reads blocks of several leaves, and the next one while the one before is looked at, in two pieces of memory that
 * take turns. The first block is the leaf that is asked for alone: somebody waits for it.
 */
class ReadAhead {
  readonly #file: DurableFile | null;
  readonly #runs: readonly ByteRange[];
  #block: Block = { start: 0, bytes: new Uint8Array(0) };
  #next: { readonly start: number; readonly loading: Promise<Block> } | null = null;
  #memory = Buffer.alloc(0);
  #spare = Buffer.alloc(0);

  constructor(file: DurableFile | null, runs: readonly ByteRange[]) {
    this.#file = file;
    this.#runs = runs;
  }

  async read(offset: number, length: number): Promise<Uint8Array> {
    const { start, bytes } = this.#block;
    if (offset < start || offset >= start + bytes.length) await this.#advance(offset, length);
    const from = offset - this.#block.start;
    return this.#block.bytes.subarray(from, from + length);
  }

  /** Waits until nothing reads any more. */
  async settle(): Promise<void> {
    await this.#next?.loading.catch(() => {}); // of no interest any more
  }

  async #advance(offset: number, length: number): Promise<void> {
    if (this.#next?.start !== offset) {
      await this.settle();
      this.#next = { start: offset, loading: this.#load(offset, length) };
    }
    this.#block = await this.#next.loading;
    this.#next = null;
    [this.#memory, this.#spare] = [this.#spare, this.#memory];
    this.#prefetch(this.#block.start + this.#block.bytes.length);
  }

  #prefetch(start: number): void {
    if (!this.#runs.some((run) => run.start <= start && start < run.end)) return;
    const loading = this.#load(start, dataBlockBytes);
    loading.catch(() => {}); // told when it is read
    this.#next = { start, loading };
  }

  /** Into the spare memory. */
  async #load(start: number, most: number): Promise<Block> {
    const run = this.#runs.find((each) => each.start <= start && start < each.end);
    const wanted = Math.min(most, (run?.end ?? start) - start);
    if (this.#spare.length < wanted) this.#spare = Buffer.allocUnsafeSlow(wanted);
    const target = this.#spare.subarray(0, wanted);
    const length = (await this.#file?.read(target, start)) ?? 0;
    return { start, bytes: target.subarray(0, length) };
  }
}

/** Reads digests by way of blocks, the last few of which it keeps. */
class DigestReader {
  readonly #file: DurableFile | null;
  readonly #blocks = new Map<number, Uint8Array>();
  readonly #found = Buffer.alloc(2 * digestLength);

  constructor(file: DurableFile | null) {
    this.#file = file;
  }

  pair(left: number, right: number): Uint8Array | Promise<Uint8Array> {
    const found = this.#copy(left, 0) && this.#copy(right, digestLength);
    return found ? this.#found : this.#loadPair(left, right);
  }

  async #loadPair(left: number, right: number): Promise<Uint8Array> {
    for (const offset of [left, right]) await this.#load(Math.floor(offset / outboardBlockBytes));
    this.#copy(left, 0);
    this.#copy(right, digestLength);
    return this.#found;
  }

  #copy(offset: number, at: number): boolean {
    const block = this.#blocks.get(Math.floor(offset / outboardBlockBytes));
    if (block === undefined) return false;
    const from = offset % outboardBlockBytes;
    this.#found.set(block.subarray(from, from + digestLength), at);
    return true;
  }

  async #load(index: number): Promise<void> {
    if (this.#blocks.has(index)) return;
    const block = Buffer.alloc(outboardBlockBytes);
    await this.#file?.read(block, index * outboardBlockBytes);
    if (this.#blocks.size >= mostOutboardBlocks) {
      for (const oldest of this.#blocks.keys()) {
        this.#blocks.delete(oldest);
        break;
      }
    }
    this.#blocks.set(index, block);
  }
}
