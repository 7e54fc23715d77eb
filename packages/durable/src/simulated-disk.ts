import { DurableError } from "./errors.ts";
import type { DurableFile, FileSystem } from "./file-system.ts";
import { type Entry, type Folder, type Inode, makeFile, makeFolder, survivorsOf } from "./simulated-nodes.ts";

export type SimulatedDisk = FileSystem & {
  /** How many operations have been asked for that change the disk, or make a change durable. */
  readonly steps: number;
  /** Bytes in files. */
  readonly usedBytes: number;
  /**
   * From this step on nothing is carried out any more: every operation fails, as it does for a machine without
   * power. `onCrash` runs once, synchronously, before the first one fails.
   */
  crashAt(step: number, onCrash?: () => void): void;
  /**
   * What may be found when the power is back: of everything that was not synced, each piece is there, or not, or
   * torn, as the random numbers say (0 ≤ n < 1). Equal numbers give equal disks. This one stays as it is.
   */
  afterPowerCut(random: () => number): SimulatedDisk;
  /** Flips one bit of a file behind everybody's back. */
  flipBit(path: string, bit: number): void;
  /** The names of all files, sorted. */
  files(): readonly string[];
};

/**
 * A disk in memory that forgets at a crash what was not synced, for tests of what must survive one. With
 * `capacityBytes`, files together take no more.
 */
export function createSimulatedDisk(options: { readonly capacityBytes?: number } = {}): SimulatedDisk {
  return new Disk(makeFolder(), options.capacityBytes ?? Number.POSITIVE_INFINITY);
}

class Disk implements SimulatedDisk {
  readonly #root: Folder;
  readonly #capacityBytes: number;
  /** Changes of names that no folder's sync has made durable, oldest first. */
  #pending: Entry[][] = [];
  #crashAt = Number.POSITIVE_INFINITY;
  #onCrash: (() => void) | undefined;
  steps = 0;

  constructor(root: Folder, capacityBytes: number) {
    this.#root = root;
    this.#capacityBytes = capacityBytes;
  }

  get usedBytes(): number {
    const inodes = new Set(this.files().map((path) => this.#file(path)));
    return [...inodes].reduce((sum, inode) => sum + inode.content.length, 0);
  }

  crashAt(step: number, onCrash?: () => void): void {
    this.#crashAt = step;
    this.#onCrash = onCrash;
  }

  afterPowerCut(random: () => number): SimulatedDisk {
    return new Disk(survivorsOf(this.#root, this.#pending, random), this.#capacityBytes);
  }

  flipBit(path: string, bit: number): void {
    const { content, synced } = this.#file(path);
    for (const bytes of [content, synced]) {
      const at = bit >>> 3;
      if (at < bytes.length) bytes[at] = (bytes[at] ?? 0) ^ (1 << (bit & 7));
    }
  }

  files(): readonly string[] {
    const below = (folder: Folder, prefix: string): string[] =>
      [...folder.entries].flatMap(([name, node]) =>
        node.kind === "folder" ? below(node, `${prefix}/${name}`) : [`${prefix}/${name}`],
      );
    return below(this.#root, "").sort();
  }

  async open(path: string, how: "read" | "update" | "create"): Promise<DurableFile> {
    if (how !== "create") {
      this.#refuseCrashed();
      return this.#opened(path, this.#file(path));
    }
    await this.#step();
    const { folder, name } = this.#place(path);
    if (folder.entries.has(name)) throw failed(path, "it exists");
    const inode = makeFile();
    this.#change([{ folder, name, node: inode }]);
    return this.#opened(path, inode);
  }

  async rename(from: string, to: string): Promise<void> {
    await this.#step();
    const inode = this.#file(from);
    this.#change([
      { ...this.#place(from), node: null },
      { ...this.#place(to), node: inode },
    ]);
  }

  async link(from: string, to: string): Promise<void> {
    await this.#step();
    const place = this.#place(to);
    if (place.folder.entries.has(place.name)) throw failed(to, "it exists");
    this.#change([{ ...place, node: this.#file(from) }]);
  }

  async remove(path: string): Promise<void> {
    await this.#step();
    const node = this.#node(path);
    if (node?.kind === "folder") throw failed(path, "it is a folder");
    if (node !== undefined) this.#change([{ ...this.#place(path), node: null }]);
  }

  async makeFolder(path: string): Promise<void> {
    await this.#step();
    const place = this.#place(path);
    if (!place.folder.entries.has(place.name)) this.#change([{ ...place, node: makeFolder() }]);
  }

  async list(path: string): Promise<readonly string[] | null> {
    this.#refuseCrashed();
    const node = this.#node(path);
    return node?.kind === "folder" ? [...node.entries.keys()].sort() : null;
  }

  async stat(path: string): Promise<{ kind: "file" | "folder"; sizeBytes: number } | null> {
    this.#refuseCrashed();
    const node = this.#node(path);
    if (node === undefined) return null;
    return { kind: node.kind, sizeBytes: node.kind === "file" ? node.content.length : 0 };
  }

  async syncFolder(path: string): Promise<void> {
    await this.#step();
    const folder = this.#node(path);
    if (folder?.kind !== "folder") throw failed(path, "there is no such folder");
    const touches = (entries: Entry[]) => entries.some((entry) => entry.folder === folder);
    for (const entries of this.#pending.filter(touches)) {
      for (const { folder: changed, name, node } of entries) setEntry(changed.synced, name, node);
    }
    this.#pending = this.#pending.filter((entries) => !touches(entries));
  }

  #opened(path: string, inode: Inode): DurableFile {
    return {
      read: async (target, position) => {
        this.#refuseCrashed();
        const bytes = inode.content.subarray(position, position + target.length);
        target.set(bytes);
        return bytes.length;
      },
      write: async (bytes, position) => {
        await this.#step();
        this.#reserve(path, position + bytes.length - inode.content.length);
        inode.apply({ kind: "write", position, bytes: new Uint8Array(bytes) });
      },
      truncate: async (size) => {
        await this.#step();
        this.#reserve(path, size - inode.content.length);
        inode.apply({ kind: "truncate", size });
      },
      sync: async () => {
        await this.#step();
        inode.sync();
      },
      close: async () => {},
    };
  }

  #reserve(path: string, growth: number): void {
    if (growth <= 0 || this.#capacityBytes === Number.POSITIVE_INFINITY) return;
    if (this.usedBytes + growth <= this.#capacityBytes) return;
    throw new DurableError("disk_full", `cannot write ${path}: the simulated disk is full`, {
      evidence: { path },
    });
  }

  /** Lets others run first, as a real operation does, then counts; an operation that begins lives or dies whole. */
  async #step(): Promise<void> {
    this.#refuseCrashed();
    await null;
    this.steps += 1;
    this.#refuseCrashed();
  }

  #refuseCrashed(): void {
    if (this.steps < this.#crashAt) return;
    const onCrash = this.#onCrash;
    this.#onCrash = undefined;
    onCrash?.();
    throw new DurableError("io_failed", "the simulated machine has lost its power");
  }

  #change(entries: Entry[]): void {
    for (const { folder, name, node } of entries) setEntry(folder.entries, name, node);
    this.#pending.push(entries);
  }

  #place(path: string): { folder: Folder; name: string } {
    const cut = path.lastIndexOf("/");
    const folder = this.#node(path.slice(0, cut));
    if (folder?.kind !== "folder") throw failed(path, "there is no such folder");
    return { folder, name: path.slice(cut + 1) };
  }

  #file(path: string): Inode {
    const node = this.#node(path);
    if (node?.kind !== "file") throw failed(path, "there is no such file");
    return node;
  }

  #node(path: string): Folder | Inode | undefined {
    let node: Folder | Inode | undefined = this.#root;
    for (const name of path.split("/").slice(1)) {
      if (name === "") continue;
      node = node?.kind === "folder" ? node.entries.get(name) : undefined;
    }
    return node;
  }
}

function setEntry(entries: Map<string, Folder | Inode>, name: string, node: Folder | Inode | null): void {
  if (node === null) entries.delete(name);
  else entries.set(name, node);
}

function failed(path: string, why: string): DurableError {
  return new DurableError("io_failed", `${path}: ${why}`, { evidence: { path } });
}
