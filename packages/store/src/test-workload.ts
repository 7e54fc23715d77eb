import assert from "node:assert/strict";
import { type Cid, cidOfTree, hashTree } from "@catalyst/wire";
import { openManifest } from "./manifest/file.ts";
import { importChunked } from "./manifest/import.ts";
import { createMemoryStore } from "./memory-store.ts";
import type { ObjectStat, Store } from "./store.ts";
import { feed, makeBytes, readAll } from "./test-objects.ts";

/** One thing that is asked of a store; objects, and files that are imported, are told by the seed of their bytes. */
export type Operation =
  | { readonly kind: "put" | "receive" | "import" | "pin" | "unpin"; readonly seed: number }
  | { readonly kind: "link"; readonly name: string; readonly seed: number }
  | { readonly kind: "unlink"; readonly name: string }
  | { readonly kind: "gc" };

/** What is written down before an operation and, when it was acknowledged, after it. */
export type LogEntry = { readonly phase: "begun" | "done"; readonly operation: Operation };

const namespace = "torture";
const leafSize = 16_384;
const mean = 65_536;
const seeds = 12;
/** The last of the seeds are files: they have most of their chunks in common. */
const files = 3;
/** In the database; in files, written at once; in files, written as the bytes come. */
const sizes = [100, 16_384, 16_385, 60_000, 1_100_000];

/** The next operations, to be run at the same time: each about another object or name. */
export function nextOperations(random: () => number): readonly Operation[] {
  const pick = (count: number) => Math.floor(random() * count);
  const first = pick(seeds);
  return Array.from({ length: 1 + pick(3) }, (_, at): Operation => {
    const seed = (first + at) % seeds;
    const name = `name-${seed % 5}-${at}`;
    const chance = random();
    if (chance < 0.5 && isFile(seed)) return { kind: "import", seed };
    if (chance < 0.4) return { kind: "put", seed };
    if (chance < 0.5) return { kind: "receive", seed };
    if (chance < 0.65) return { kind: "link", name, seed };
    if (chance < 0.72) return { kind: "unlink", name };
    if (chance < 0.82) return { kind: "pin", seed };
    if (chance < 0.88) return { kind: "unpin", seed };
    return { kind: "gc" };
  });
}

/** Runs operations at the same time; rejects when one failed, after all have ended. */
export async function runOperations(
  store: Store,
  operations: readonly Operation[],
  log: (entry: LogEntry) => void,
): Promise<void> {
  const results = await Promise.allSettled(
    operations.map(async (operation) => {
      log({ phase: "begun", operation });
      if (await run(store, operation)) log({ phase: "done", operation });
    }),
  );
  for (const result of results) if (result.status === "rejected") throw result.reason;
}

async function run(store: Store, operation: Operation): Promise<boolean> {
  switch (operation.kind) {
    case "put":
      return (await store.put([bytesOf(operation.seed)], { namespace, leafSize })).kind === "stored";
    case "receive":
      return receive(store, operation.seed);
    case "import":
      return (await importChunked(store, [bytesOf(operation.seed)], { namespace, mean })).kind === "stored";
    case "link":
      return (await store.link(namespace, operation.name, cidOf(operation.seed))).kind === "linked";
    case "unlink":
      await store.unlink(namespace, operation.name);
      return true;
    case "pin":
      return (await store.pin(namespace, cidOf(operation.seed))).kind === "pinned";
    case "unpin":
      await store.unpin(namespace, cidOf(operation.seed));
      return true;
    case "gc":
      await store.gc({ roots: [], graceMs: 0 });
      return true;
  }
}

/** Takes half of an object, then the rest of it, with a checkpoint between the two. */
async function receive(store: Store, seed: number): Promise<boolean> {
  const bytes = bytesOf(seed);
  const begun = await store.receive(cidOf(seed), hashTree(bytes, { leafSize }), { namespace });
  if (begun.kind !== "receiving") return begun.kind === "present";
  await using receiver = begun.receiver;
  const [first] = receiver.missing();
  if (first !== undefined) await feed(receiver, bytes, [{ start: first.start, end: first.start + leafSize }]);
  await receiver.checkpoint();
  if (receiver.missing().length > 0) await feed(receiver, bytes, receiver.missing());
  return await receiver.finish();
}

async function read(store: Store, seed: number): Promise<Uint8Array> {
  if (!isFile(seed)) return readAll(await store.get(cidOf(seed)));
  const opened = await openManifest(store, cidOf(seed));
  assert.ok(opened.kind === "found", `file ${seed} is ${opened.kind}`);
  const pieces: Uint8Array[] = [];
  for await (const piece of opened.read()) pieces.push(piece);
  return Buffer.concat(pieces);
}

/** What a store must hold after a crash, told by the log alone. */
export class Expectation {
  /** Acknowledged, and not given up to the collector since. */
  readonly #stored = new Set<number>();
  readonly #links = new Map<string, number>();
  readonly #pins = new Set<number>();
  /** Names and pins that something was on the way to change. */
  readonly #uncertainLinks = new Set<string>();
  readonly #uncertainPins = new Set<number>();

  note({ phase, operation }: LogEntry): void {
    if (phase === "begun") this.#begin(operation);
    else this.#end(operation);
  }

  #begin(operation: Operation): void {
    if (operation.kind === "link" || operation.kind === "unlink") this.#uncertainLinks.add(operation.name);
    if (operation.kind === "pin" || operation.kind === "unpin") this.#uncertainPins.add(operation.seed);
    if (operation.kind !== "gc") return;
    const kept = this.#kept();
    for (const seed of this.#stored) if (!kept.has(seed)) this.#stored.delete(seed);
  }

  #end(operation: Operation): void {
    if (operation.kind === "gc") return;
    if (operation.kind === "unlink") this.#links.delete(operation.name);
    else if (operation.kind === "unpin") this.#pins.delete(operation.seed);
    else this.#stored.add(operation.seed);
    if (operation.kind === "link") this.#links.set(operation.name, operation.seed);
    if (operation.kind === "pin") this.#pins.add(operation.seed);
    if (operation.kind === "link" || operation.kind === "unlink") this.#uncertainLinks.delete(operation.name);
    if (operation.kind === "pin" || operation.kind === "unpin") this.#uncertainPins.delete(operation.seed);
  }

  #kept(): Set<number> {
    const linked = [...this.#links]
      .filter(([name]) => !this.#uncertainLinks.has(name))
      .map(([, seed]) => seed);
    const pinned = [...this.#pins].filter((seed) => !this.#uncertainPins.has(seed));
    return new Set([...linked, ...pinned]);
  }

  /** Holds an opened store to it, and takes over what was uncertain. */
  async check(store: Store, files: readonly string[]): Promise<void> {
    for (const seed of this.#stored) {
      assert.deepEqual(await read(store, seed), Buffer.from(bytesOf(seed)));
    }
    const seedOf = new Map(Array.from({ length: seeds }, (_, seed) => [cidOf(seed), seed]));
    const objects = await store.list();
    for (const { cid, state } of objects) {
      assert.equal((await store.verify(cid)).kind, "intact", `${state} ${cid} is damaged`);
    }
    checkFiles(objects, files);
    await this.#checkKept(store, seedOf);
  }

  async #checkKept(store: Store, seedOf: ReadonlyMap<Cid, number>): Promise<void> {
    const links = new Map<string, number>();
    for (const { name, cid } of await store.links(namespace)) {
      links.set(name, seedOf.get(cid) ?? -1);
      assert.equal(await store.has(cid), true, `${name} names an object that is not here`);
    }
    for (const name of new Set([...this.#links.keys(), ...links.keys()])) {
      if (!this.#uncertainLinks.has(name)) assert.equal(links.get(name), this.#links.get(name), name);
    }
    const pinned = new Set<number>();
    for (const [cid, seed] of seedOf) if ((await store.pins(cid)).length > 0) pinned.add(seed);
    for (let seed = 0; seed < seeds; seed++) {
      if (!this.#uncertainPins.has(seed)) assert.equal(pinned.has(seed), this.#pins.has(seed), `pin ${seed}`);
    }
    this.#links.clear();
    for (const [name, seed] of links) this.#links.set(name, seed);
    this.#pins.clear();
    for (const seed of pinned) this.#pins.add(seed);
    this.#uncertainLinks.clear();
    this.#uncertainPins.clear();
  }
}

/** No more and no less files than objects have: small ones have none, unless they were received in parts. */
function checkFiles(objects: readonly ObjectStat[], files: readonly string[]): void {
  const least = objects.filter(({ sizeBytes }) => sizeBytes > 16_384).length;
  const told = `${files.length} files for ${objects.length} objects, ${least} of them large`;
  assert.ok(files.length >= 2 * least && files.length <= 2 * objects.length && files.length % 2 === 0, told);
}

/** Takes away all that keeps objects, and collects until nothing is left; `tick` lets time pass. */
export async function emptyStore(store: Store, tick: () => Promise<void>): Promise<void> {
  for (const { name } of await store.links(namespace)) await store.unlink(namespace, name);
  for (let seed = 0; seed < seeds; seed++) await store.unpin(namespace, cidOf(seed));
  for (let round = 0; round < 2; round++) {
    await tick();
    await store.gc({ roots: [], graceMs: 0 });
  }
  assert.equal((await store.stats()).objects, 0);
  assert.equal((await store.usage(namespace)).usedBytes, 0);
}

type Content = { readonly bytes: Uint8Array; readonly cid: Cid };

const known = new Map<number, Content>();
for (let seed = seeds - files; seed < seeds; seed++) known.set(seed, await makeFile(seed));

function isFile(seed: number): boolean {
  return seed >= seeds - files;
}

/** A file, and the CID of its manifest. */
async function makeFile(seed: number): Promise<Content> {
  const bytes = Buffer.concat([makeBytes(1_000, seed), makeBytes(200_000, seeds)]);
  await using store = createMemoryStore();
  const imported = await importChunked(store, [bytes], { namespace, mean });
  assert.ok(imported.kind === "stored");
  return { bytes, cid: imported.cid };
}

function contentOf(seed: number): Content {
  const content = known.get(seed);
  if (content !== undefined) return content;
  const bytes = makeBytes(sizes[seed % sizes.length] ?? 0, seed);
  const made = { bytes, cid: cidOfTree(hashTree(bytes, { leafSize })) };
  known.set(seed, made);
  return made;
}

function bytesOf(seed: number): Uint8Array {
  return contentOf(seed).bytes;
}

function cidOf(seed: number): Cid {
  return contentOf(seed).cid;
}
