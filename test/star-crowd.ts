// Many files at once from one star to another, each a process of its own: what they keep of memory for it, and whether all come.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { createReadStream, readdirSync, readFileSync, statSync } from "node:fs";
import { open } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { Nucleus } from "@catalyst/sdk/star";
import { authSecret, StarProcess } from "./stars.ts";

export type CrowdFigures = {
  /** What each transfer took of memory at most, over what a star has that carries one file alone; in bytes. */
  readonly sourceBytes: number;
  readonly destinationBytes: number;
  /** How long one of them got nothing at most, and when all had come, in ms. */
  readonly starvedMs: number;
  readonly lastMs: number;
};

/** What each of a hundred may take of memory. */
const mostBytes = 1_000_000;
/** How long one of them may get nothing while others do, in ms. */
const mostStarvedMs = 2_000;
/** Marks lie so far apart in a file. */
const markBytes = 64 * 1024;
const aloneBytes = 64 * 1024 * 1024;

/**
 * Has `files` files of `bytes` go over at once. Rejects where one of them is not the file that it was, comes much later than the
 * others, or takes more memory than it may.
 */
export async function replicateCrowd(files: number, bytes: number): Promise<CrowdFigures> {
  await using source = await StarProcess.start();
  await using destination = await StarProcess.start();
  await using nucleus = new Nucleus({ authSecret });
  const names = Array.from({ length: files }, (_, number) => `file-${number}`);
  for (const [number, name] of names.entries()) await writeMarked(join(source.folder, name), number, bytes);
  const go = (name: string) =>
    nucleus.replicate({ from: source.at(name), to: destination.at(name), relay: "never" });
  await writeMarked(join(source.folder, "alone"), files, aloneBytes);
  await go("alone");
  const stars = [source, destination];
  const base = stars.map(({ pid }) => mostMemoryOf(pid));

  const began = performance.now();
  using watch = new GrowthWatch(destination.folder, bytes);
  const ends = await Promise.all(
    names.map(async (name) => {
      const { checksum } = await go(name);
      return { name, checksum, ms: performance.now() - began };
    }),
  );
  const [sourceBytes = 0, destinationBytes = 0] = stars.map(
    ({ pid }, at) => (mostMemoryOf(pid) - (base[at] ?? 0)) / files,
  );
  for (const { name, checksum } of ends) {
    assert.equal(await digestOf(join(destination.folder, name)), checksum, name);
    assert.equal(await digestOf(join(source.folder, name)), checksum, name);
  }
  assert.deepEqual(readdirSync(destination.folder).sort(), ["alone", ...names].sort());
  const lastMs = Math.max(...ends.map(({ ms }) => ms));
  const figures = { sourceBytes, destinationBytes, starvedMs: watch.starvedMs, lastMs };
  assert.ok(Math.max(sourceBytes, destinationBytes) <= mostBytes, JSON.stringify(figures));
  assert.ok(watch.seen > files / 2 && watch.starvedMs <= mostStarvedMs, JSON.stringify(figures));
  return figures;
}

/** Sees how long files on their way in a folder do not grow, until they have so many bytes. */
class GrowthWatch implements Disposable {
  readonly #folder: string;
  readonly #bytes: number;
  readonly #timer = setInterval(() => this.#look(), 20);
  readonly #grown = new Map<string, { readonly bytes: number; readonly at: number }>();
  starvedMs = 0;

  constructor(folder: string, bytes: number) {
    this.#folder = folder;
    this.#bytes = bytes;
  }

  get seen(): number {
    return this.#grown.size;
  }

  #look(): void {
    const now = performance.now();
    for (const name of readdirSync(this.#folder)) {
      if (!name.endsWith(".part")) continue;
      const bytes = statSync(join(this.#folder, name), { throwIfNoEntry: false })?.size ?? this.#bytes;
      const before = this.#grown.get(name);
      if (before?.bytes !== bytes) this.#grown.set(name, { bytes, at: now });
      else if (bytes < this.#bytes) this.starvedMs = Math.max(this.starvedMs, now - before.at);
    }
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }
}

/** A file that no other one is like in any part, and that takes little of the disk. */
async function writeMarked(path: string, number: number, bytes: number): Promise<void> {
  await using file = await open(path, "w");
  const mark = Buffer.alloc(16);
  mark.writeUInt32LE(number + 1);
  for (let at = 0; at < bytes; at += markBytes) {
    mark.writeUInt32LE(at / markBytes, 8);
    await file.write(mark, 0, mark.length, at);
  }
  await file.truncate(bytes);
}

async function digestOf(path: string): Promise<string> {
  const hash = createHash("sha256");
  await pipeline(createReadStream(path), hash);
  return hash.digest("hex");
}

/** What Linux says that a process had of memory at most, in bytes. */
function mostMemoryOf(pid: number): number {
  const [, kilobytes] = /^VmHWM:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, "utf8")) ?? [];
  return Number(kilobytes) * 1_024;
}
