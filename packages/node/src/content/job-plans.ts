import { setTimeout as sleep } from "node:timers/promises";
import type { Receipt } from "@catalyst/evidence";
import { type JobRequest, type JobResult, RpcError } from "@catalyst/rpc";
import {
  type Damage,
  type GcReport,
  type Placement,
  type ReadingOptions,
  type ScrubOptions,
  type ShardStatus,
  type Store,
  StoreError,
} from "@catalyst/store";
import type { Cid } from "@catalyst/wire";
import type { Ledger } from "../audit/ledger.ts";
import type { JobControl, JobOutcome, JobPlan } from "./jobs.ts";
import type { ObjectService } from "./object-service.ts";
import { notFound, overQuota } from "./refusal.ts";

export type JobPlanParts = {
  readonly store: Store;
  readonly placement: Placement;
  readonly objects: ObjectService;
  readonly ledger: Ledger;
  /** What a receipt calls the device in this folder. */
  readonly siteOf: (folder: string) => string;
  readonly defaults: {
    readonly graceMs: number;
    readonly sampleRate: number;
    readonly maxBytesPerSecond: number;
  };
};

type Request<Kind extends JobRequest["kind"]> = JobRequest & { readonly kind: Kind };
type Result<Kind extends JobResult["kind"]> = JobResult & { readonly kind: Kind };

const mostDamage = 1_000;
const mostFindings = 16;

/** What each kind of job does, and the receipt that says so. */
export class JobPlans {
  readonly #parts: JobPlanParts;

  constructor(parts: JobPlanParts) {
    this.#parts = parts;
  }

  /** Throws `object_not_found` for a job about an object that is not here, unless it is to come back. */
  async plan(request: JobRequest): Promise<JobPlan> {
    const { store, objects } = this.#parts;
    if (request.kind === "gc") {
      return { kind: "gc", cid: null, totalBytes: null, run: (control) => this.#gc(request, control) };
    }
    if (request.kind === "scrub") {
      const { bytes } = await store.stats();
      return { kind: "scrub", cid: null, totalBytes: bytes, run: (control) => this.#scrub(request, control) };
    }
    const cid = await objects.locate(request);
    const stat = await store.stat(cid);
    if (stat === null && request.kind !== "repair") throw notFound(request.object);
    const run = (control: JobControl) => {
      if (request.kind === "verify") return this.#verify(cid, control);
      if (request.kind === "place") return this.#place(cid, request, control);
      return this.#repair(cid, request.namespace, control);
    };
    const totalBytes = request.kind === "repair" ? null : ((stat?.file ?? stat)?.sizeBytes ?? null);
    return { kind: request.kind, cid, totalBytes, run };
  }

  async #gc(
    { graceMs = this.#parts.defaults.graceMs }: Request<"gc">,
    control: JobControl,
  ): Promise<JobOutcome> {
    const { store, ledger } = this.#parts;
    const startedAt = secondsNow();
    const removed: Cid[] = [];
    const once = () => store.gc({ roots: [], graceMs, onRemoved: (cid) => void removed.push(cid) });
    const report = await collectTwice(once, graceMs, control.signal);
    const failures = await this.#removePlaced(removed);
    const result: Result<"gc"> = { kind: "gc", ...report };
    const receipt = await ledger.record({
      kind: "gc-report",
      scope: "local",
      startedAt,
      endedAt: secondsNow(),
      roots: 0,
      kept: report.kept,
      freed: report.removed,
      freedBytes: report.removedBytes,
    });
    if (failures.length > 0) throw failures[0];
    return { result, receipt };
  }

  /** One that cannot be removed does not keep the others. */
  async #removePlaced(removed: readonly Cid[]): Promise<readonly unknown[]> {
    const { placement } = this.#parts;
    const failures: unknown[] = [];
    const placed = new Set(await placement.list());
    for (const cid of removed) {
      if (placed.has(cid)) await placement.removeCollected(cid).catch((error) => failures.push(error));
    }
    return failures;
  }

  async #scrub(request: Request<"scrub">, control: JobControl): Promise<JobOutcome> {
    const { store, ledger, defaults } = this.#parts;
    const { sampleRate = defaults.sampleRate, maxBytesPerSecond = defaults.maxBytesPerSecond } = request;
    const startedAt = secondsNow();
    const options = { sampleRate, maxBytesPerSecond, ...control };
    const report = await store.scrub(options);
    const { objects, bytes, damage } = report;
    const repaired = await this.#repairAll(damage);
    if (report.finished && sampleRate === 1) {
      for (const cid of await this.#scrubShards(options)) repaired.add(cid);
    }
    const faults = damage.reduce((sum, { leaves }) => sum + Math.max(1, leaves), 0);
    const receipt = await ledger.record({
      kind: "scrub",
      scope: "local",
      startedAt,
      endedAt: secondsNow(),
      objects,
      bytes,
      samplePermille: Math.max(1, Math.round(sampleRate * 1_000)),
      faults,
      repaired: repaired.size,
      findings: damage.slice(0, mostFindings).map(({ cid, firstLeaf, leaves }) => {
        return { cid, firstLeaf, leaves: Math.max(1, leaves), repaired: repaired.has(cid) };
      }),
    });
    const result: Result<"scrub"> = {
      kind: "scrub",
      objects,
      bytes,
      damage: damage.slice(0, mostDamage).map((each) => ({ ...each })),
      damaged: faults,
      repaired: repaired.size,
      finished: report.finished,
    };
    return { result, receipt };
  }

  /** Objects that are damaged here and placed elsewhere are made whole again. */
  async #repairAll(damage: readonly Damage[]): Promise<Set<Cid>> {
    const repaired = new Set<Cid>();
    for (const cid of new Set(damage.map((each) => each.cid))) {
      if (await this.#isRepaired(cid)) repaired.add(cid);
    }
    return repaired;
  }

  /** Reads the shards of every placed object, and writes anew those that are not what they were. */
  async #scrubShards(options: ReadingOptions & ScrubOptions): Promise<readonly Cid[]> {
    const { placement, store } = this.#parts;
    const repaired: Cid[] = [];
    for (const cid of await placement.list()) {
      if (options.signal?.aborted === true) break;
      const { signal: _, onProgress: __, ...paced } = options;
      const status = await placement.check(cid, paced);
      if (status.kind !== "placed" || status.shards.every(({ state }) => state === "intact")) continue;
      if (!(await store.has(cid).catch(() => false))) continue; // whether it is to come back is for its owner to say
      if (await this.#isRepaired(cid)) repaired.push(cid);
    }
    return repaired;
  }

  /** False for what cannot be repaired: the receipt tells so, and of all the others. */
  async #isRepaired(cid: Cid): Promise<boolean> {
    try {
      return (await this.#parts.placement.repair(cid, { namespace: "default" })).kind === "repaired";
    } catch (error) {
      if (error instanceof StoreError) return false;
      throw error;
    }
  }

  async #verify(cid: Cid, control: JobControl): Promise<JobOutcome> {
    const { store, placement } = this.#parts;
    const damage: Damage[] = [];
    const shards: ShardStatus[] = [];
    let sizeBytes = 0;
    let isPlaced = false;
    for await (const part of partsOf(store, cid, control.signal)) {
      const outcome = await store.verify(part, control);
      if (outcome.kind === "not_found") throw notFound(part);
      if (outcome.kind === "damaged") damage.push(...outcome.damage.slice(0, mostDamage - damage.length));
      else sizeBytes += outcome.sizeBytes;
      const status = await placement.check(part, { signal: control.signal });
      if (status.kind !== "placed") continue;
      isPlaced = true;
      shards.push(...status.shards.filter(({ state }) => part === cid || state !== "intact"));
      control.onProgress(0, 1);
    }
    const result: Result<"verify"> = {
      kind: "verify",
      cid,
      sizeBytes,
      damage: damage.map((each) => ({ ...each })),
      shards: isPlaced ? shards.map((each) => ({ ...each })) : null,
    };
    return { result, receipt: null };
  }

  /** A manifest is placed with all that it refers to: each part may be on other devices. */
  async #place(cid: Cid, request: Request<"place">, control: JobControl): Promise<JobOutcome> {
    const { placement, ledger, siteOf, store } = this.#parts;
    const { dataShards, parityShards } = request;
    let placedIt: JobOutcome | null = null;
    for await (const part of partsOf(store, cid, control.signal)) {
      const outcome = await placement.place(part, { data: dataShards, parity: parityShards }, control);
      if (outcome.kind === "not_found") throw notFound(part);
      if (outcome.kind === "too_few_devices") {
        const { needed, given } = outcome;
        throw new RpcError(
          "too_few_devices",
          `it takes ${needed} devices, and content.devices names ${given}`,
        );
      }
      const places = outcome.devices.map((folder, shard) => ({ site: siteOf(folder), shard }));
      const scope = "local" as const;
      const placed: Receipt = { kind: "placement", scope, cid: part, dataShards, parityShards, places };
      const devices = places.map(({ site }) => site);
      placedIt = { result: { kind: "place", cid, devices }, receipt: await ledger.record(placed) };
    }
    if (placedIt === null) throw notFound(cid);
    return placedIt;
  }

  async #repair(cid: Cid, namespace: string, control: JobControl): Promise<JobOutcome> {
    const { store, ledger } = this.#parts;
    let shards = 0;
    let outcome: Result<"repair">["outcome"] = "intact";
    for await (const part of partsOf(store, cid, control.signal)) {
      const repaired = await this.#repairPart(part, namespace);
      shards += repaired.shards;
      if (repaired.outcome === "lost" || outcome === "intact") ({ outcome } = repaired);
    }
    const done = outcome === "lost" ? "failed" : "done";
    await ledger.act({ action: "content.repair", target: cid, outcome: done, reason: outcome });
    return { result: { kind: "repair", cid, outcome, shards }, receipt: null };
  }

  async #repairPart(cid: Cid, namespace: string): Promise<Pick<Result<"repair">, "outcome" | "shards">> {
    const { store, placement } = this.#parts;
    const outcome = await placement.repair(cid, { namespace });
    if (outcome.kind === "repaired") return { outcome: "repaired", shards: outcome.shards };
    if (outcome.kind === "quota_exceeded") throw overQuota(outcome);
    if (outcome.kind !== "not_placed") return { outcome: outcome.kind, shards: 0 };
    const found = await store.verify(cid);
    if (found.kind === "not_found") throw notFound(cid);
    return { outcome: found.kind === "intact" ? "intact" : "lost", shards: 0 };
  }
}

/** What an object refers to, at any depth and each once, and at last the object itself. */
async function* partsOf(
  store: Store,
  cid: Cid,
  signal: AbortSignal,
  seen = new Set<Cid>(),
): AsyncGenerator<Cid> {
  for (const reference of await store.references(cid)) {
    signal.throwIfAborted();
    if (seen.has(reference)) continue;
    seen.add(reference);
    yield* partsOf(store, reference, signal, seen);
  }
  yield cid;
}

/**
 * What is marked is removed by a later run, after the grace; without any there is nothing to wait for, and both are
 * done.
 */
async function collectTwice(
  once: () => Promise<GcReport>,
  graceMs: number,
  signal: AbortSignal,
): Promise<GcReport> {
  const first = await once();
  if (graceMs > 0 || first.marked === 0 || signal.aborted) return first;
  await sleep(2); // what is marked in a millisecond is not removed in it
  const second = await once();
  return {
    marked: first.marked + second.marked,
    removed: first.removed + second.removed,
    removedBytes: first.removedBytes + second.removedBytes,
    kept: second.kept,
  };
}

function secondsNow(): number {
  return Math.floor(Date.now() / 1_000);
}
