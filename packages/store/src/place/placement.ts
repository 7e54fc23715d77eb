import { diskFileSystem, type FileSystem } from "@catalyst/durable";
import { type Cid, defaultLeafSize, rootOfCid, splitCid } from "@catalyst/wire";
import type { ObjectBytes } from "../disk/object-bytes.ts";
import { createPace, type Pace } from "../disk/pace.ts";
import { inStoreTerms, StoreError } from "../errors.ts";
import type { StoreEvent } from "../events.ts";
import { decodeManifest, type Manifest, maxManifestBytes } from "../manifest/manifest.ts";
import type { PutOutcome, QuotaExceeded, ReadingOptions, ScrubOptions, Store } from "../store.ts";
import { Device } from "./device.ts";
import { blockBytesFor, encodePlan, isScheme, type Plan, type Scheme, type Shape } from "./plan.ts";
import { ShardReader, stripesFrom } from "./shard-reader.ts";

export type ShardStatus = {
  readonly shard: number;
  /** The folder of the device; null when no device has the shard. */
  readonly device: string | null;
  readonly state: "intact" | "damaged" | "missing";
};

export type PlaceOutcome =
  | { readonly kind: "placed"; readonly scheme: Scheme; readonly devices: readonly string[] }
  | { readonly kind: "not_found" }
  | { readonly kind: "too_few_devices"; readonly needed: number; readonly given: number };

export type PlacementStatus =
  | { readonly kind: "placed"; readonly scheme: Scheme; readonly shards: readonly ShardStatus[] }
  | { readonly kind: "not_placed" };

export type PlacementRepair =
  /** Whether the object in the store was repaired, and how many shards were written anew. */
  | { readonly kind: "repaired"; readonly object: boolean; readonly shards: number }
  | { readonly kind: "intact" }
  /** Neither the store nor enough shards have all of the bytes. */
  | { readonly kind: "lost" }
  /** The object is gone, and has no room in the namespace that it would come back to. */
  | QuotaExceeded
  | { readonly kind: "not_placed" };

/**
 * Redundancy for objects of a store over folders that stand for devices: copies, or a Reed-Solomon code. All that is
 * known of a placed object lies on its devices, so that it can be restored when the store's own disk is lost.
 * Every call throws StoreError `disk_full` or `io_failed`.
 */
export type Placement = {
  /**
   * Spreads an object over as many devices as it has shards, in place of an earlier placement, which stays until all of
   * the new one is written. Throws `option_invalid` for a scheme that is none, and as {@link Store.get} does.
   */
  place(cid: Cid, scheme: Scheme, options?: ReadingOptions): Promise<PlaceOutcome>;
  /** Reads every shard of an object. */
  check(
    cid: Cid,
    options?: ReadingOptions & Pick<ScrubOptions, "maxBytesPerSecond">,
  ): Promise<PlacementStatus>;
  /**
   * Makes the object in the store and all its shards whole again. An object that is gone comes back to a namespace,
   * with what it refers to.
   */
  repair(cid: Cid, options: { readonly namespace: string }): Promise<PlacementRepair>;
  /** Takes the object off its devices; what is not placed is left alone. */
  remove(cid: Cid): Promise<void>;
  /** Removes what is placed of an object that was collected; not of one that the store has, or has again. */
  removeCollected(cid: Cid): Promise<void>;
  /** Every object that a device knows of. */
  list(): Promise<readonly Cid[]>;
};

export type PlacementParts = {
  readonly store: Store;
  /** Folders that are there; nothing else lies in them. */
  readonly devices: readonly string[];
  /** Default: the file system of this machine. */
  readonly files?: FileSystem;
  readonly onEvent?: (event: StoreEvent) => void;
};

/** Copies: `count` of them besides the store's own. */
export function copies(count: number): Scheme {
  return { data: 1, parity: count - 1 };
}

/**
 * Opens the devices, and removes what a crash left of placements that were not finished.
 *
 * @example
 * const placement = await openPlacement({ store, devices: ["/mnt/a", "/mnt/b", "/mnt/c"] });
 * await placement.place(cid, { data: 2, parity: 1 });
 */
export async function openPlacement(parts: PlacementParts): Promise<Placement> {
  const { store, files = diskFileSystem, onEvent = () => {} } = parts;
  const devices = parts.devices.map((folder) => new Device(files, folder));
  await inStoreTerms(async () => {
    for (const device of devices) await device.sweep();
  });
  const placer = new Placer(store, devices, onEvent);
  const turns = createTurns();
  const inTurn = <T>(cid: Cid, run: () => Promise<T>) => inStoreTerms(() => turns(cid, run));
  /** A forged plan may name an object among its own references: each is looked at once, and none within another's turn. */
  const repairReferences = async (cid: Cid, namespace: string, seen = new Set([cid])) => {
    if (await store.has(cid)) return;
    for (const reference of await placer.referencesOf(cid)) {
      if (seen.has(reference)) continue;
      seen.add(reference);
      await repairReferences(reference, namespace, seen);
      if (!(await store.has(reference))) await inTurn(reference, () => placer.repair(reference, namespace));
    }
  };
  return {
    place: (cid, scheme, options = {}) => inTurn(cid, () => placer.place(cid, scheme, options)),
    check: (cid, options = {}) =>
      inStoreTerms(() => placer.check(cid, createPace(options, options.maxBytesPerSecond))),
    repair: async (cid, { namespace }) => {
      await inStoreTerms(() => repairReferences(cid, namespace));
      return inTurn(cid, () => placer.repair(cid, namespace));
    },
    remove: (cid) => inTurn(cid, () => placer.remove(cid)),
    removeCollected: (cid) =>
      inTurn(cid, async () => {
        if ((await store.stat(cid)) === null) await placer.remove(cid);
      }),
    list: () => inStoreTerms(() => placer.list()),
  };
}

class Placer {
  readonly #store: Store;
  readonly #devices: readonly Device[];
  readonly #emit: (event: StoreEvent) => void;

  constructor(store: Store, devices: readonly Device[], emit: (event: StoreEvent) => void) {
    this.#store = store;
    this.#devices = devices;
    this.#emit = emit;
  }

  async place(cid: Cid, scheme: Scheme, options: ReadingOptions): Promise<PlaceOutcome> {
    const shards = scheme.data + scheme.parity;
    if (!isScheme(scheme)) {
      throw new StoreError("option_invalid", `a scheme of ${scheme.data} and ${scheme.parity} shards`);
    }
    const given = this.#devices.length;
    if (given < shards) return { kind: "too_few_devices", needed: shards, given };
    const found = await this.#store.get(cid, undefined, { borrow: true });
    if (found.kind !== "found") return { kind: "not_found" };
    const first = (rootOfCid(cid)?.root[0] ?? 0) % given;
    const devices = Array.from({ length: shards }, (_, at) => this.#devices[(first + at) % given] as Device);
    const { sizeBytes } = found;
    const shape = { cid, sizeBytes, scheme, blockBytes: blockBytesFor(sizeBytes, scheme) };
    const references = await this.#store.references(cid);
    const bytes = paced(found.bytes, createPace(options));
    const trees = await writeShards(devices, shape, bytes, () => this.remove(cid));
    const plan = { ...shape, shards: trees, references };
    for (const device of devices) await device.writePlan(plan);
    const folders = devices.map(({ folder }) => folder);
    this.#emit({ kind: "placed", cid, ...scheme, devices: folders });
    return { kind: "placed", scheme, devices: folders };
  }

  async check(cid: Cid, pace: Pace): Promise<PlacementStatus> {
    const [plan] = await this.#plansOf(cid);
    if (plan === undefined) return { kind: "not_placed" };
    return { kind: "placed", scheme: plan.scheme, shards: await this.#checkShards(plan, pace) };
  }

  /** Tries the plans that devices have, the most common first: one that was away, or that was written to, may have another. */
  async repair(cid: Cid, namespace: string): Promise<PlacementRepair> {
    const plans = await this.#plansOf(cid);
    for (const plan of plans) {
      const object = await this.#repairObject(plan, namespace);
      if (object === "lost") continue;
      if (typeof object === "object") return object;
      const states = await this.#checkShards(plan, createPace({}));
      const broken = states.filter(({ state }) => state !== "intact");
      for (const { shard } of broken) await this.#repairShard(plan, shard);
      await this.#spreadPlan(plan);
      if (object === "intact" && broken.length === 0) return { kind: "intact" };
      return { kind: "repaired", object: object === "repaired", shards: broken.length };
    }
    return { kind: plans.length === 0 ? "not_placed" : "lost" };
  }

  async referencesOf(cid: Cid): Promise<readonly Cid[]> {
    const [plan] = await this.#plansOf(cid);
    return plan?.references ?? [];
  }

  async remove(cid: Cid): Promise<void> {
    for (const device of this.#devices) await device.remove(cid);
  }

  async list(): Promise<readonly Cid[]> {
    const placed = new Set<Cid>();
    for (const device of this.#devices) for (const cid of await device.placed()) placed.add(cid);
    return [...placed];
  }

  async #repairObject(
    plan: Plan,
    namespace: string,
  ): Promise<"intact" | "repaired" | "lost" | QuotaExceeded> {
    const { cid } = plan;
    const before = await this.#store.verify(cid);
    if (before.kind === "intact" && (await this.#store.has(cid))) return "intact";
    await using reader = new ShardReader(plan, await this.#openShards(plan));
    if (before.kind === "damaged") {
      const outcome = await this.#store.repair(cid, ({ offset, length }) => reader.read(offset, length));
      return outcome.kind === "damaged" ? "lost" : "repaired";
    }
    const restored = await this.#restore(plan, reader, namespace);
    if (restored.kind === "quota_exceeded") return restored;
    return restored.kind === "stored" ? "repaired" : "lost";
  }

  /** Puts what the shards give. What a manifest refers to and stands for it says itself: a plan is not proven. */
  async #restore(
    { cid, sizeBytes, references }: Plan,
    reader: ShardReader,
    namespace: string,
  ): Promise<PutOutcome> {
    const { leafSize = defaultLeafSize } = rootOfCid(cid) ?? {};
    const { content } = splitCid(cid);
    const options = { namespace, leafSize, content, expected: cid };
    const isSmall = content === "cbor" && sizeBytes <= maxManifestBytes;
    const bytes = isSmall ? await reader.read(0, sizeBytes) : null;
    const manifest = bytes === null ? null : manifestIn(bytes);
    if (bytes === null || manifest === null) {
      return this.#store.put(reader.stream(), { ...options, references });
    }
    const { size, sha256, parts } = manifest;
    return this.#store.put([bytes], {
      ...options,
      references: parts.map((part) => part.cid),
      standsFor: sha256 === null ? "part" : { sizeBytes: size, sha256 },
    });
  }

  async #checkShards(plan: Plan, pace: Pace): Promise<readonly ShardStatus[]> {
    const { cid, shards } = plan;
    const holders = await this.#holdersOf(plan);
    const states: ShardStatus[] = [];
    for (const [shard, tree] of shards.entries()) {
      const device = holders.get(shard);
      const isIntact = (await device?.isIntact(cid, shard, tree, pace)) ?? false;
      const state = device === undefined ? "missing" : isIntact ? "intact" : "damaged";
      states.push({ shard, device: device?.folder ?? null, state });
    }
    return states;
  }

  async #openShards(plan: Plan): Promise<ReadonlyMap<number, ObjectBytes>> {
    const opened = new Map<number, ObjectBytes>();
    const holders = await this.#holdersOf(plan);
    for (const [shard, tree] of plan.shards.entries()) {
      const device = holders.get(shard);
      const bytes = (await device?.openShard(plan.cid, shard, tree)) ?? null;
      if (bytes !== null) opened.set(shard, bytes);
    }
    return opened;
  }

  /** Writes a shard anew where it was, or on a device that has none of the object. */
  async #repairShard(plan: Plan, shard: number): Promise<void> {
    const { cid } = plan;
    const device = (await this.#holdersOf(plan)).get(shard) ?? (await this.#freeDevice(plan));
    const found = await this.#store.get(cid, undefined, { borrow: true });
    if (device === null || found.kind !== "found") return;
    const writer = await device.beginShard(cid, shard);
    try {
      for await (const blocks of stripesFrom(found.bytes, plan)) {
        await writer.append(blocks[shard] ?? new Uint8Array(0));
      }
      await writer.finish();
      await writer.publish();
    } finally {
      await writer.close();
    }
  }

  async #spreadPlan(plan: Plan): Promise<void> {
    for (const device of (await this.#holdersOf(plan)).values()) {
      if (!isSame(await device.readPlan(plan.cid), plan)) await device.writePlan(plan);
    }
  }

  /** The plans that devices have of an object, those that most have first. */
  async #plansOf(cid: Cid): Promise<readonly Plan[]> {
    const found: { plan: Plan; times: number }[] = [];
    for (const device of this.#devices) {
      const plan = await device.readPlan(cid);
      const same = found.find((each) => isSame(plan, each.plan));
      if (same !== undefined) same.times += 1;
      else if (plan !== null) found.push({ plan, times: 1 });
    }
    return found.sort((a, b) => b.times - a.times).map(({ plan }) => plan);
  }

  /** Where the shards of a plan are: rather on a device that has this plan than on one with another. */
  async #holdersOf(plan: Plan): Promise<ReadonlyMap<number, Device>> {
    const agreeing: Device[] = [];
    const others: Device[] = [];
    for (const device of this.#devices) {
      (isSame(await device.readPlan(plan.cid), plan) ? agreeing : others).push(device);
    }
    const holders = new Map<number, Device>();
    for (const device of [...agreeing, ...others]) {
      for (const shard of plan.shards.keys()) {
        if (!holders.has(shard) && (await device.hasShard(plan.cid, shard))) holders.set(shard, device);
      }
    }
    return holders;
  }

  /** A device without any shard of the object: the one that lost it, or else another one. */
  async #freeDevice({ cid, shards }: Plan): Promise<Device | null> {
    let free: Device | null = null;
    for (const device of this.#devices) {
      const has = await Promise.all(Array.from(shards.keys(), (shard) => device.hasShard(cid, shard)));
      if (has.includes(true)) continue;
      if ((await device.readPlan(cid)) !== null) return device;
      free ??= device;
    }
    return free;
  }
}

function isSame(one: Plan | null, other: Plan): boolean {
  return one !== null && Buffer.compare(encodePlan(one), encodePlan(other)) === 0;
}

function manifestIn(bytes: Uint8Array): Manifest | null {
  try {
    return decodeManifest(bytes);
  } catch (error) {
    if (error instanceof StoreError && error.code === "manifest_invalid") return null;
    throw error;
  }
}

/** What is written of one object is written one after the other. */
function createTurns(): <T>(cid: Cid, run: () => Promise<T>) => Promise<T> {
  const last = new Map<Cid, Promise<unknown>>();
  return async (cid, run) => {
    const turn = (last.get(cid) ?? Promise.resolve()).then(run);
    const ended = turn.catch(() => {}); // whoever asked for it is told
    last.set(cid, ended);
    await ended;
    if (last.get(cid) === ended) last.delete(cid);
    return turn;
  };
}

async function* paced(bytes: AsyncIterable<Uint8Array>, pace: Pace): AsyncGenerator<Uint8Array> {
  for await (const piece of bytes) {
    await pace(piece.length);
    yield piece;
  }
}

/**
 * One shard to each device; resolves with their trees when all survive a power cut. `makeRoom` is called once all are
 * written, before they get their names: until then what was placed before may be all that is left of the object.
 */
async function writeShards(
  devices: readonly Device[],
  plan: Shape,
  bytes: AsyncIterable<Uint8Array>,
  makeRoom: () => Promise<void>,
): Promise<Plan["shards"]> {
  const writers = [];
  try {
    for (const [shard, device] of devices.entries()) writers.push(await device.beginShard(plan.cid, shard));
    for await (const blocks of stripesFrom(bytes, plan)) {
      await Promise.all(writers.map((writer, shard) => writer.append(blocks[shard] ?? new Uint8Array(0))));
    }
    const trees = await Promise.all(writers.map((writer) => writer.finish()));
    await makeRoom();
    for (const writer of writers) await writer.publish();
    return trees;
  } finally {
    for (const writer of writers) await writer.close();
  }
}
