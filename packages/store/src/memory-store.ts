import { hash } from "node:crypto";
import {
  type ByteRange,
  type Cid,
  cidOfTree,
  createRangeVerifier,
  encodeSlice,
  hashTree,
  leafCount,
  openTree,
  rootOfCid,
  type Tree,
} from "@catalyst/wire";
import { checkAmount, endOf } from "./amounts.ts";
import { StoreError } from "./errors.ts";
import { checkNames } from "./names.ts";
import { addRange, bytesOf, leavesOf, missingIn, type RangeSet } from "./range-set.ts";
import {
  type ByteSource,
  defaultGraceMs,
  type FileFact,
  type GcOptions,
  type GcReport,
  type GetOutcome,
  type LinkOutcome,
  type ObjectStat,
  type Pin,
  type PinOptions,
  type PinOutcome,
  type PutOptions,
  type PutOutcome,
  type QuotaExceeded,
  type RangeWriter,
  type ReadingOptions,
  type ReceiveOptions,
  type ReceiveOutcome,
  type Receiver,
  type RepairOutcome,
  type ScrubOptions,
  type ScrubReport,
  type Store,
  type StoreOptions,
  type StoreStats,
  type TreeClaim,
  type Usage,
  type VerifyOutcome,
} from "./store.ts";

type Entry = {
  readonly cid: Cid;
  readonly tree: Tree;
  readonly bytes: Uint8Array;
  readonly storedAt: number;
  readonly references: Set<Cid>;
  readonly holders: Set<string>;
  ranges: RangeSet;
  sha256: Uint8Array | null;
  standsFor: PutOptions["standsFor"];
  usedAt: number;
  condemnedAt: number | null;
  verifiedAt: number | null;
};

/** A store that keeps everything in memory and forgets it in the end: for tests, and for small things. */
export function createMemoryStore(options: StoreOptions = {}): Store {
  return new MemoryStore(options);
}

class MemoryStore implements Store {
  readonly #entries = new Map<Cid, Entry>();
  readonly #links = new Map<string, Map<string, Cid>>();
  readonly #pins = new Map<Cid, Pin[]>();
  readonly #quotas = new Map<string, number | null>();
  readonly #receiving = new Set<Cid>();
  readonly #now: () => number;
  readonly #emit: NonNullable<StoreOptions["onEvent"]>;
  #scrubbedAt: number | null = null;
  #collectedAt: number | null = null;
  #closed = false;

  constructor({ now = Date.now, onEvent = () => {} }: StoreOptions) {
    this.#now = now;
    this.#emit = onEvent;
  }

  async put(source: ByteSource, options: PutOptions): Promise<PutOutcome> {
    this.#check(options.namespace);
    const pieces: Uint8Array[] = [];
    for await (const piece of source) pieces.push(new Uint8Array(piece));
    const bytes = Buffer.concat(pieces);
    const { namespace, leafSize, content, expected, references = [] } = options;
    const tree = hashTree(bytes, leafSize === undefined ? {} : { leafSize });
    const cid = cidOfTree(tree, content);
    if (expected !== undefined && expected !== cid) return { kind: "other_content", cid };
    const exceeded = this.#exceeded(namespace, cid, tree.size);
    if (exceeded !== null) return exceeded;
    const missing = references.find((reference) => !this.#isWhole(reference));
    if (missing !== undefined) return { kind: "reference_missing", cid: missing };
    const isNew = !this.#isWhole(cid);
    const sha256 = hash("sha256", bytes, "buffer");
    const entry = isNew ? this.#add(cid, tree, bytes) : (this.#entries.get(cid) as Entry);
    entry.sha256 = sha256;
    const { standsFor } = options;
    if (isNew || logicalBytes({ tree, standsFor }) > logicalBytes(entry)) entry.standsFor = standsFor;
    entry.ranges = [{ start: 0, end: leafCount(tree) }];
    for (const reference of references) {
      entry.references.add(reference);
      this.#touch(reference);
    }
    entry.holders.add(namespace);
    this.#touch(cid);
    this.#emit({ kind: "stored", namespace, cid, sizeBytes: tree.size, isNew });
    return { kind: "stored", cid, sizeBytes: tree.size, sha256, isNew };
  }

  async receive(cid: Cid, claim: TreeClaim, { namespace }: ReceiveOptions): Promise<ReceiveOutcome> {
    this.#check(namespace);
    const root = rootOfCid(cid);
    if (root === null)
      throw new StoreError("option_invalid", `${cid} names a block, which is put in one piece`);
    const tree = openTree(root, claim);
    const refused = this.#hold(namespace, cid);
    if (refused === null) return { kind: "present" };
    if (refused.kind === "quota_exceeded") return refused;
    if (this.#receiving.has(cid)) return { kind: "busy" };
    const exceeded = this.#exceeded(namespace, cid, tree.size);
    if (exceeded !== null) return exceeded;
    const entry = this.#entries.get(cid) ?? this.#add(cid, tree, new Uint8Array(tree.size));
    entry.holders.add(namespace);
    this.#receiving.add(cid);
    return { kind: "receiving", receiver: this.#receiver(entry, namespace) };
  }

  #receiver(entry: Entry, namespace: string): Receiver {
    const { cid, tree, bytes } = entry;
    const missing = () =>
      tree.size === 0 ? [] : bytesOf(missingIn(entry.ranges, { start: 0, end: leafCount(tree) }), tree);
    const take = (ranges: readonly ByteRange[]): RangeWriter => {
      const verifier = createRangeVerifier(tree, ranges);
      const acceptLeaf = async (leaf: Uint8Array) => {
        const step = verifier.next();
        verifier.acceptLeaf(leaf);
        if (step?.kind !== "leaf") return;
        bytes.set(leaf, step.offset);
        entry.ranges = addRange(entry.ranges, { start: step.index, end: step.index + 1 });
      };
      return { next: verifier.next, acceptParent: verifier.acceptParent, acceptLeaf };
    };
    const finish = async () => {
      if (missing().length > 0) return false;
      entry.sha256 = hash("sha256", bytes, "buffer");
      entry.ranges = [{ start: 0, end: leafCount(tree) }];
      this.#touch(cid);
      this.#emit({ kind: "stored", namespace, cid, sizeBytes: tree.size, isNew: true });
      return true;
    };
    const end = async () => void this.#receiving.delete(cid);
    return { tree, missing, take, checkpoint: async () => {}, finish, [Symbol.asyncDispose]: end };
  }

  async get(cid: Cid, range: ByteRange = { start: 0, end: Number.MAX_SAFE_INTEGER }): Promise<GetOutcome> {
    return this.#read(cid, [range], ({ tree, bytes }) =>
      piecesOf(bytes.subarray(range.start, range.end), tree.leafSize),
    );
  }

  async slice(cid: Cid, ranges?: readonly ByteRange[]): Promise<GetOutcome> {
    return this.#read(cid, ranges ?? [{ start: 0, end: Number.MAX_SAFE_INTEGER }], ({ tree, bytes }) => {
      const nodes: Uint8Array[] = [];
      hashTree(bytes, { leafSize: tree.leafSize, onNode: (digest) => nodes.push(new Uint8Array(digest)) });
      const outboard = Buffer.concat(nodes);
      const from = (whole: Uint8Array) => (offset: number, length: number) =>
        whole.subarray(offset, offset + length);
      return encodeSlice(tree, { object: from(bytes), outboard: from(outboard) }, ranges);
    });
  }

  #read(cid: Cid, ranges: readonly ByteRange[], read: (entry: Entry) => Iterable<Uint8Array>): GetOutcome {
    this.#check();
    const entry = this.#entries.get(cid);
    if (entry === undefined) return { kind: "not_found" };
    createRangeVerifier(entry.tree, ranges); // refuses ranges that are none
    const here = (range: ByteRange) => missingIn(entry.ranges, leavesOf(range, entry.tree)).length === 0;
    if (!this.#isWhole(cid) && !ranges.every(here)) {
      return { kind: "incomplete", verified: bytesOf(entry.ranges, entry.tree) };
    }
    const bytes = (async function* () {
      yield* read(entry);
    })();
    return { kind: "found", sizeBytes: entry.tree.size, bytes };
  }

  async stat(cid: Cid): Promise<ObjectStat | null> {
    this.#check();
    const entry = this.#entries.get(cid);
    return entry === undefined ? null : this.#statOf(entry);
  }

  async has(cid: Cid): Promise<boolean> {
    this.#check();
    return this.#isWhole(cid);
  }

  async findBySha256(sha256: Uint8Array): Promise<Cid | null> {
    this.#check();
    for (const entry of this.#entries.values()) {
      if (entry.sha256 !== null && Buffer.compare(entry.sha256, sha256) === 0) return entry.cid;
    }
    for (const entry of this.#entries.values()) {
      if (Buffer.compare(fileOf(entry)?.sha256 ?? new Uint8Array(0), sha256) === 0) return entry.cid;
    }
    return null;
  }

  async list({ after, limit = 1_000 }: { after?: Cid; limit?: number } = {}): Promise<readonly ObjectStat[]> {
    this.#check();
    checkAmount("limit", limit, 1);
    const all = [...this.#entries.values()];
    const from = after === undefined ? 0 : all.findIndex(({ cid }) => cid === after) + 1;
    if (after !== undefined && from === 0)
      throw new StoreError("object_removed", `${after} was removed: list from the start`);
    return all.slice(from, from + limit).map((entry) => this.#statOf(entry));
  }

  async link(namespace: string, name: string, cid: Cid): Promise<LinkOutcome> {
    this.#check(namespace, name);
    const refused = this.#hold(namespace, cid);
    if (refused !== null) return refused;
    const names = this.#links.get(namespace) ?? new Map<string, Cid>();
    this.#links.set(namespace, names);
    const previous = names.get(name) ?? null;
    names.set(name, cid);
    this.#emit({ kind: "linked", namespace, name, cid, previous });
    return { kind: "linked", previous };
  }

  async unlink(namespace: string, name: string): Promise<Cid | null> {
    this.#check();
    const cid = this.#links.get(namespace)?.get(name) ?? null;
    this.#links.get(namespace)?.delete(name);
    if (cid === null) return null;
    this.#touch(cid);
    this.#emit({ kind: "unlinked", namespace, name, cid });
    return cid;
  }

  async resolve(namespace: string, name: string): Promise<Cid | null> {
    this.#check();
    return this.#links.get(namespace)?.get(name) ?? null;
  }

  async links(namespace: string): Promise<readonly { readonly name: string; readonly cid: Cid }[]> {
    this.#check();
    const names = [...(this.#links.get(namespace) ?? [])].map(([name, cid]) => ({ name, cid }));
    return names.sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  async linksTo(cid: Cid): Promise<readonly { readonly namespace: string; readonly name: string }[]> {
    this.#check();
    const found: { namespace: string; name: string }[] = [];
    for (const namespace of [...this.#links.keys()].sort())
      for (const link of await this.links(namespace))
        if (link.cid === cid) found.push({ namespace, name: link.name });
    return found;
  }

  async referrers(cid: Cid): Promise<readonly Cid[]> {
    this.#check();
    const found = [...this.#entries.values()].filter(({ references }) => references.has(cid));
    return found.slice(0, 100).map((entry) => entry.cid);
  }

  async references(cid: Cid): Promise<readonly Cid[]> {
    this.#check();
    return [...(this.#entries.get(cid)?.references ?? [])].sort();
  }

  async pin(namespace: string, cid: Cid, options: PinOptions = {}): Promise<PinOutcome> {
    const { class: kind = "warm", scope = "default", ttlMs } = options;
    this.#check(namespace, scope);
    const until = endOf(ttlMs, this.#now());
    const refused = this.#hold(namespace, cid);
    if (refused !== null) return refused;
    const others = (this.#pins.get(cid) ?? []).filter(
      (pin) => pin.namespace !== namespace || pin.scope !== scope,
    );
    this.#pins.set(cid, [...others, { namespace, scope, class: kind, until }]);
    this.#emit({ kind: "pinned", namespace, cid, class: kind, scope, until });
    return { kind: "pinned", until };
  }

  async unpin(namespace: string, cid: Cid, scope = "default"): Promise<boolean> {
    this.#check();
    const pins = this.#pins.get(cid) ?? [];
    const others = pins.filter((pin) => pin.namespace !== namespace || pin.scope !== scope);
    this.#pins.set(cid, others);
    this.#touch(cid);
    const removed = others.length < pins.length;
    if (removed) this.#emit({ kind: "unpinned", namespace, cid, scope });
    return removed;
  }

  async pins(cid: Cid): Promise<readonly Pin[]> {
    this.#check();
    const now = this.#now();
    const keyOf = (pin: Pin) => `${pin.namespace}\0${pin.scope}`;
    const alive = (this.#pins.get(cid) ?? []).filter(({ until }) => until === null || until > now);
    return alive.sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));
  }

  async setQuota(namespace: string, maxBytes: number | null): Promise<void> {
    this.#check(namespace);
    checkAmount("maxBytes", maxBytes);
    this.#quotas.set(namespace, maxBytes);
  }

  async usage(namespace: string): Promise<Usage> {
    this.#check();
    return this.#usage(namespace);
  }

  async namespaces(): Promise<readonly Usage[]> {
    this.#check();
    const holders = [...this.#entries.values()].flatMap((entry) => [...entry.holders]);
    return [...new Set([...holders, ...this.#quotas.keys()])].sort().map((name) => this.#usage(name));
  }

  async gc({ roots, graceMs = defaultGraceMs, onRemoved }: GcOptions): Promise<GcReport> {
    this.#check();
    checkAmount("graceMs", graceMs);
    const start = this.#now();
    const live = new Set<Cid>(this.#receiving);
    for await (const cid of roots) live.add(cid);
    for (const names of this.#links.values()) for (const cid of names.values()) live.add(cid);
    for (const cid of this.#pins.keys()) if ((await this.pins(cid)).length > 0) live.add(cid);
    for (const cid of live)
      for (const reference of this.#entries.get(cid)?.references ?? []) live.add(reference);
    const report = { marked: 0, removed: 0, removedBytes: 0 };
    for (const entry of [...this.#entries.values()]) {
      if (live.has(entry.cid)) entry.condemnedAt = null;
      else if (entry.condemnedAt === null && entry.usedAt < start - graceMs) {
        entry.condemnedAt = start;
        report.marked += 1;
      } else if (
        entry.condemnedAt !== null &&
        entry.condemnedAt < start &&
        entry.condemnedAt <= start - graceMs
      ) {
        this.#entries.delete(entry.cid);
        this.#pins.delete(entry.cid);
        report.removed += 1;
        report.removedBytes += entry.tree.size;
        onRemoved?.(entry.cid);
      }
    }
    this.#collectedAt = this.#now();
    this.#emit({ kind: "collected", ...report });
    return { ...report, kept: this.#entries.size };
  }

  async verify(cid: Cid, { signal, onProgress }: ReadingOptions = {}): Promise<VerifyOutcome> {
    this.#check();
    const entry = this.#entries.get(cid);
    if (entry === undefined) return { kind: "not_found" };
    signal?.throwIfAborted();
    onProgress?.(hereOf(entry));
    entry.verifiedAt = this.#now();
    return { kind: "intact", sizeBytes: hereOf(entry) };
  }

  async scrub({ onProgress }: ScrubOptions = {}): Promise<ScrubReport> {
    this.#check();
    this.#scrubbedAt = this.#now();
    const entries = [...this.#entries.values()];
    for (const entry of entries) entry.verifiedAt = this.#scrubbedAt;
    const bytes = entries.reduce((sum, entry) => sum + hereOf(entry), 0);
    onProgress?.(bytes);
    const report = { objects: entries.length, bytes, finished: true };
    this.#emit({ kind: "scrubbed", damaged: 0, ...report });
    return { ...report, damage: [] };
  }

  async repair(cid: Cid): Promise<RepairOutcome> {
    this.#check();
    return { kind: this.#entries.has(cid) ? "intact" : "not_found" };
  }

  async stats(): Promise<StoreStats> {
    this.#check();
    const entries = [...this.#entries.values()];
    return {
      objects: entries.length,
      bytes: entries.reduce((sum, { tree }) => sum + tree.size, 0),
      logicalBytes: entries.reduce((sum, entry) => sum + logicalBytes(entry), 0),
      partial: entries.filter(({ cid }) => !this.#isWhole(cid)).length,
      damaged: 0,
      scrubbedAt: this.#scrubbedAt,
      collectedAt: this.#collectedAt,
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
  }

  #check(...names: readonly string[]): void {
    if (this.#closed) throw new StoreError("closed", "the store was closed");
    checkNames(...names);
  }

  #add(cid: Cid, tree: Tree, bytes: Uint8Array): Entry {
    const now = this.#now();
    const before = this.#entries.get(cid);
    const entry: Entry = {
      cid,
      tree,
      bytes,
      storedAt: now,
      references: new Set(),
      holders: before?.holders ?? new Set(),
      ranges: [],
      sha256: null,
      standsFor: undefined,
      usedAt: now,
      condemnedAt: null,
      verifiedAt: null,
    };
    this.#entries.set(cid, entry);
    return entry;
  }

  #isWhole(cid: Cid): boolean {
    return (this.#entries.get(cid)?.sha256 ?? null) !== null;
  }

  #touch(cid: Cid): void {
    const entry = this.#entries.get(cid);
    if (entry === undefined) return;
    entry.usedAt = this.#now();
    entry.condemnedAt = null;
  }

  #hold(namespace: string, cid: Cid): { kind: "not_found" } | QuotaExceeded | null {
    const entry = this.#entries.get(cid);
    if (entry === undefined || !this.#isWhole(cid)) return { kind: "not_found" };
    const exceeded = this.#exceeded(namespace, cid, entry.tree.size);
    if (exceeded !== null) return exceeded;
    entry.holders.add(namespace);
    this.#touch(cid);
    return null;
  }

  #exceeded(namespace: string, cid: Cid, size: number): QuotaExceeded | null {
    const usage = this.#usage(namespace);
    if (usage.maxBytes === null || usage.usedBytes + size <= usage.maxBytes) return null;
    return this.#entries.get(cid)?.holders.has(namespace) ? null : { kind: "quota_exceeded", ...usage };
  }

  #usage(namespace: string): Usage {
    const held = [...this.#entries.values()].filter(({ holders }) => holders.has(namespace));
    const usedBytes = held.reduce((sum, { tree }) => sum + tree.size, 0);
    return { namespace, usedBytes, maxBytes: this.#quotas.get(namespace) ?? null };
  }

  #statOf(entry: Entry): ObjectStat {
    const { cid, tree, sha256, storedAt, verifiedAt } = entry;
    const state = sha256 === null ? "partial" : "whole";
    const { size: sizeBytes, leafSize } = tree;
    const file = fileOf(entry);
    return { cid, sizeBytes, leafSize, sha256, file, state, storedAt, verifiedAt, damage: [] };
  }
}

function fileOf({ standsFor }: Entry): FileFact | null {
  if (typeof standsFor !== "object") return null;
  return { sizeBytes: standsFor.sizeBytes, sha256: new Uint8Array(standsFor.sha256) };
}

function logicalBytes({ tree, standsFor }: Pick<Entry, "tree" | "standsFor">): number {
  if (standsFor === "part") return 0;
  return standsFor?.sizeBytes ?? tree.size;
}

function hereOf({ ranges, tree }: Entry): number {
  return bytesOf(ranges, tree).reduce((sum, { start, end }) => sum + end - start, 0);
}

function* piecesOf(bytes: Uint8Array, length: number): Generator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += length) yield new Uint8Array(bytes.subarray(at, at + length));
}
