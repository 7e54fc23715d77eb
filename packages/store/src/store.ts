import type { ByteRange, Cid, CidContent, LeafSize, RangeVerifier, Tree } from "@catalyst/wire";
import type { Damage, StoreEvent } from "./events.ts";

/**
 * Objects by their CID: content-addressed memory. Everything that is handed out was verified against the CID, leaf by
 * leaf, after it was read. Every call throws StoreError `disk_full`, `io_failed`, `database_damaged`, `record_damaged`
 * or `closed`, and what is said beside it.
 *
 * Times are milliseconds since 1970. Disposing waits for nothing: end what runs before.
 */
export type Store = AsyncDisposable & {
  /** Stores bytes of any size in constant memory and one pass; resolves when they survive a power cut. */
  put(source: ByteSource, options: PutOptions): Promise<PutOutcome>;
  /** Takes an object in parts, in any order and from anybody, and goes on where it was left. */
  receive(cid: Cid, claim: TreeClaim, options: ReceiveOptions): Promise<ReceiveOutcome>;
  /** The bytes of a range, by default all. Reading on throws `object_damaged` before a damaged leaf. */
  get(cid: Cid, range?: ByteRange, options?: GetOptions): Promise<GetOutcome>;
  /** Ranges, by default everything, with their proof, as in spec/wire.md §4. Throws as `get` does. */
  slice(cid: Cid, ranges?: readonly ByteRange[], options?: GetOptions): Promise<GetOutcome>;
  stat(cid: Cid): Promise<ObjectStat | null>;
  /** Whether the whole object is here. */
  has(cid: Cid): Promise<boolean>;
  /** The whole object with this plain SHA-256, 32 bytes, or the manifest of such a file; of several, the first. */
  findBySha256(sha256: Uint8Array): Promise<Cid | null>;
  /** Objects in the order in which they came. Throws `object_removed` when the one to go on after is gone. */
  list(page?: { readonly after?: Cid; readonly limit?: number }): Promise<readonly ObjectStat[]>;

  /** Gives an object a name within a namespace, in place of what had it. The object is kept as long as it has one. */
  link(namespace: string, name: string, cid: Cid): Promise<LinkOutcome>;
  unlink(namespace: string, name: string): Promise<Cid | null>;
  resolve(namespace: string, name: string): Promise<Cid | null>;
  links(namespace: string): Promise<readonly { readonly name: string; readonly cid: Cid }[]>;
  /** The names of an object. */
  linksTo(cid: Cid): Promise<readonly { readonly namespace: string; readonly name: string }[]>;
  /** The objects that keep this one because they refer to it; up to a hundred. */
  referrers(cid: Cid): Promise<readonly Cid[]>;
  /** The objects that this one refers to, and keeps. */
  references(cid: Cid): Promise<readonly Cid[]>;

  /** Keeps an object until it is unpinned or the time is over. A namespace has one pin for each object and scope. */
  pin(namespace: string, cid: Cid, options?: PinOptions): Promise<PinOutcome>;
  /** Returns whether there was such a pin. */
  unpin(namespace: string, cid: Cid, scope?: string): Promise<boolean>;
  pins(cid: Cid): Promise<readonly Pin[]>;

  /** What a namespace may hold, in bytes; null for no limit. What it holds already stays. */
  setQuota(namespace: string, maxBytes: number | null): Promise<void>;
  usage(namespace: string): Promise<Usage>;
  /** Every namespace that holds something or has a quota, by name. */
  namespaces(): Promise<readonly Usage[]>;

  /**
   * Marks what nothing keeps, and removes what was marked at least `graceMs` ago and is still kept by nothing. An
   * object is kept by links, pins, the caller's roots, objects that refer to it, and use within `graceMs`.
   */
  gc(options: GcOptions): Promise<GcReport>;
  /** Reads the whole object, or what of it is here, and says what is damaged. */
  verify(cid: Cid, options?: ReadingOptions): Promise<VerifyOutcome>;
  /** Verifies objects one after the other from where the last round was left. */
  scrub(options?: ScrubOptions): Promise<ScrubReport>;
  /**
   * Writes damaged leaves anew with bytes that are proven to be the object's, and the tree from the leaves. `source`
   * gives the bytes of a leaf, or null when it has none. A wrong answer is not written.
   */
  repair(cid: Cid, source: LeafSource): Promise<RepairOutcome>;
  stats(): Promise<StoreStats>;
};

export type ByteSource = AsyncIterable<Uint8Array> | Iterable<Uint8Array>;

export type PutOptions = {
  /** Whose quota it counts against. */
  readonly namespace: string;
  /** Default 65,536. */
  readonly leafSize?: LeafSize;
  /** Default `raw`. */
  readonly content?: CidContent;
  /** What the bytes must be; others are not kept. */
  readonly expected?: Cid;
  /** Objects that are kept as long as this one is. */
  readonly references?: readonly Cid[];
  /** What it is a part of, or a manifest of. Default: it stands for itself. */
  readonly standsFor?: FileFact | "part";
};

/** A file of which only a manifest, and its parts, are stored. It is found by its SHA-256 as objects are. */
export type FileFact = {
  readonly sizeBytes: number;
  /** 32 bytes. */
  readonly sha256: Uint8Array;
};

export type QuotaExceeded = { readonly kind: "quota_exceeded" } & Usage;

export type PutOutcome =
  | {
      readonly kind: "stored";
      readonly cid: Cid;
      readonly sizeBytes: number;
      readonly sha256: Uint8Array;
      /** False when the object was here before. */
      readonly isNew: boolean;
    }
  | QuotaExceeded
  | { readonly kind: "other_content"; readonly cid: Cid }
  | { readonly kind: "reference_missing"; readonly cid: Cid };

/** What somebody says of an object; it is checked against the CID. */
export type TreeClaim = { readonly size: number; readonly top: Uint8Array };

export type ReceiveOptions = { readonly namespace: string };

export type ReceiveOutcome =
  | { readonly kind: "receiving"; readonly receiver: Receiver }
  | { readonly kind: "present" }
  /** Somebody receives it already. */
  | { readonly kind: "busy" }
  | QuotaExceeded;

/**
 * An object on its way in. What was verified before the last checkpoint survives a power cut: one is made every 64 MiB,
 * at the end, and when it is disposed.
 */
export type Receiver = AsyncDisposable & {
  readonly tree: Tree;
  /** The bytes that are still missing, as ranges of whole leaves. */
  missing(): readonly ByteRange[];
  /** Begins to take ranges from one source: several may go on at once. */
  take(ranges: readonly ByteRange[]): RangeWriter;
  checkpoint(): Promise<void>;
  /** Makes the object whole; false while something is missing. */
  finish(): Promise<boolean>;
};

/** Takes the parts of a slice in their order; refuses wrong ones with WireError `tree_mismatch`, and keeps nothing of them. */
export type RangeWriter = Pick<RangeVerifier, "next" | "acceptParent"> & {
  acceptLeaf(bytes: Uint8Array): Promise<void>;
};

export type GetOptions = {
  /**
   * Gives each piece only until the next one is asked for, and so without a copy of its own: for who hashes, copies or
   * writes it before. Default false: pieces are the reader's to keep.
   */
  readonly borrow?: boolean;
};

export type GetOutcome =
  | {
      readonly kind: "found";
      /** Of the whole object. */
      readonly sizeBytes: number;
      /** Read it to its end, or `return` it, once. */
      readonly bytes: AsyncIterable<Uint8Array>;
    }
  | { readonly kind: "not_found" }
  /** A part of the range has not come yet. */
  | { readonly kind: "incomplete"; readonly verified: readonly ByteRange[] };

export type ObjectStat = {
  readonly cid: Cid;
  readonly sizeBytes: number;
  readonly leafSize: LeafSize;
  readonly sha256: Uint8Array | null;
  /** The file that a manifest stands for. */
  readonly file: FileFact | null;
  readonly state: "whole" | "partial";
  readonly storedAt: number;
  /** When all of it was last found to be intact; null: not since it came. */
  readonly verifiedAt: number | null;
  readonly damage: readonly Damage[];
};

export type LinkOutcome =
  | { readonly kind: "linked"; readonly previous: Cid | null }
  | { readonly kind: "not_found" }
  | QuotaExceeded;

/** How near an object is to be kept: a wish of whoever pins it, for those who place and announce it. */
export type PinClass = "hot" | "warm" | "cold";

export type PinOptions = {
  /** Default `warm`. */
  readonly class?: PinClass;
  /** What the pin is for; default `default`. */
  readonly scope?: string;
  /** How long it holds; default: until it is unpinned. */
  readonly ttlMs?: number;
};

export type Pin = {
  readonly namespace: string;
  readonly scope: string;
  readonly class: PinClass;
  readonly until: number | null;
};

export type PinOutcome =
  | { readonly kind: "pinned"; readonly until: number | null }
  | { readonly kind: "not_found" }
  | QuotaExceeded;

export type Usage = {
  readonly namespace: string;
  readonly usedBytes: number;
  readonly maxBytes: number | null;
};

export type GcOptions = {
  /** What must be kept besides links and pins, such as what live bindings name. */
  readonly roots: Iterable<Cid> | AsyncIterable<Cid>;
  /** Default 3,600,000: an hour. */
  readonly graceMs?: number;
  /** Told of each object that was removed for good. */
  readonly onRemoved?: (cid: Cid) => void;
};

export type GcReport = {
  readonly marked: number;
  readonly removed: number;
  readonly removedBytes: number;
  readonly kept: number;
};

export type VerifyOutcome =
  | { readonly kind: "intact"; readonly sizeBytes: number }
  | { readonly kind: "damaged"; readonly damage: readonly Damage[] }
  | { readonly kind: "not_found" };

/** For what reads much. */
export type ReadingOptions = {
  /** Ends it early: throws its reason, but for a scrub. */
  readonly signal?: AbortSignal;
  /** Told how many bytes were read since it was told last. */
  readonly onProgress?: (bytes: number) => void;
};

/** Its signal ends the round early; the next one goes on from there. */
export type ScrubOptions = ReadingOptions & {
  /** The share of the bytes that is read, 0 < rate ≤ 1; default 1. */
  readonly sampleRate?: number;
  /** Default 8,000,000, which is 5 % of what a single hard disk reads. */
  readonly maxBytesPerSecond?: number;
};

export type ScrubReport = {
  readonly objects: number;
  readonly bytes: number;
  readonly damage: readonly Damage[];
  /** False when it was ended early. */
  readonly finished: boolean;
};

/** Gives the bytes of a leaf, from `offset` on, or null. */
export type LeafSource = (leaf: {
  readonly index: number;
  readonly offset: number;
  readonly length: number;
}) => Promise<Uint8Array | null>;

export type RepairOutcome =
  | { readonly kind: "intact" }
  | { readonly kind: "repaired"; readonly leaves: number }
  | { readonly kind: "damaged"; readonly damage: readonly Damage[] }
  | { readonly kind: "not_found" };

export type StoreStats = {
  readonly objects: number;
  readonly bytes: number;
  /** What the objects stand for: what they would take without deduplication. Divided by `bytes`, the dedup ratio. */
  readonly logicalBytes: number;
  readonly partial: number;
  readonly damaged: number;
  /** When the last round of scrubbing ended; null: never. */
  readonly scrubbedAt: number | null;
  /** When garbage was last collected; null: never. */
  readonly collectedAt: number | null;
};

/** What a store needs besides its folder; all have defaults. */
export type StoreOptions = {
  /** Milliseconds since 1970; default `Date.now`. */
  readonly now?: () => number;
  /** 0 ≤ n < 1, for samples; default `Math.random`. */
  readonly random?: () => number;
  /** Told of everything of which there may be a receipt, once it is durable. */
  readonly onEvent?: (event: StoreEvent) => void;
};

export const defaultGraceMs = 3_600_000;
export const defaultScrubBytesPerSecond = 8_000_000;
