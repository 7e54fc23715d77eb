import { status } from "@grpc/grpc-js";
import { StarError } from "../errors.ts";
import type { ReportProgress } from "../server/progress-watch.ts";
import { Lane, type LaneEnd, type Lanes, type Task, type Verdict } from "./lane.ts";
import type { Part } from "./part.ts";
import { beginPlan, claimNext, claimOf, isWhole, type Plan, received, release, withSize } from "./plan.ts";
import { bytesIn, type RangeSet } from "./ranges.ts";
import {
  type AskedRange,
  type FirstWords,
  type SourceAddress,
  type SourceOpener,
  type SourceStream,
  sourceError,
} from "./source.ts";

export type FetchParts = {
  readonly provider: SourceOpener;
  readonly part: Part;
  /** Bytes that one of several sources is asked for at once. */
  readonly pieceBytes: number;
  /** Throws StarError `disk_full` where so many bytes more find no room. */
  readonly reserve: (bytes: number) => Promise<void>;
  readonly report: ReportProgress;
  /** Resolves after so many ms, or sooner when the signal is aborted. */
  readonly sleep: (ms: number, signal: AbortSignal) => Promise<void>;
  /** 0 ≤ n < 1. */
  readonly random: () => number;
  /** How long a source may send nothing, in ms. */
  readonly silentMs: number;
  /** How long a source that has nothing to do waits until it takes over what another is slow with, in ms. */
  readonly lateMs: number;
};

/** What the caller expects of the file. */
export type Expected = {
  /** In bytes; null: whatever it is. */
  readonly size: number | null;
  /** SHA-256, 64 hexadecimal digits; null: not checked. */
  readonly checksum: string | null;
};

export type Fetched = {
  /** Null where not all bytes came. */
  readonly size: number | null;
  /** Bytes that were there from an earlier attempt. */
  readonly resumed: number;
  /** Whether all bytes are one source's, from one moment: if they are wrong then, it is. */
  readonly isOfOne: boolean;
  /** Sources whose bytes did not fit those of the others, or that know no ranges: to be tried alone. */
  readonly apart: readonly SourceAddress[];
  /** Why sources were given up. */
  readonly failures: readonly StarError[];
};

/** Gets the bytes of one file into its part, from several sources at once where they have the same bytes. */
export class Fetch implements Lanes {
  readonly #parts: FetchParts;
  readonly #sources: readonly SourceAddress[];
  readonly #expected: Expected;
  readonly #stop = new AbortController();
  readonly #streams = new Map<number, SourceStream>();
  /** From whom bytes are, and of which moment of the file. */
  readonly #origins = new Set<string>();
  /** Sources whose bytes are good only if their file is still the same: their last stream has not ended well yet. */
  readonly #unconfirmed = new Set<number>();
  #plan: Plan;
  #resumed: number;
  /** What binds the bytes together, once a source has told; until then one at a time is asked. */
  #binding: { readonly identity: string | null } | null = null;
  #scout: number | null = null;
  #changed = Promise.withResolvers<void>();

  constructor(parts: FetchParts, sources: readonly SourceAddress[], expected: Expected, have: RangeSet) {
    this.#parts = parts;
    this.#sources = sources;
    this.#expected = expected;
    this.#plan = this.#begin(have);
    this.#resumed = bytesIn(have);
  }

  /** Throws StarError `cancelled`, and what the target throws; sources that fail are in what it resolves with. */
  async run(signal: AbortSignal): Promise<Fetched> {
    const halt = () => this.#halt();
    signal.addEventListener("abort", halt);
    if (signal.aborted) halt();
    const ends = await Promise.allSettled(this.#sources.map((address, source) => this.#run(address, source)));
    signal.removeEventListener("abort", halt);
    const broken = ends.find((end) => end.status === "rejected");
    if (broken !== undefined) throw broken.reason;
    if (signal.aborted) throw new StarError("cancelled", "the caller gave up");
    const kinds = ends.map((end) => (end as PromiseFulfilledResult<LaneEnd>).value);
    const isGood = isWhole(this.#plan) && (this.#expected.checksum !== null || this.#unconfirmed.size === 0);
    return {
      size: isGood ? this.#plan.size : null,
      resumed: this.#resumed,
      isOfOne: this.#resumed === 0 && this.#origins.size <= 1,
      apart: this.#sources.filter((_, source) => kinds[source]?.kind === "apart"),
      failures: kinds.flatMap((end) => (end.kind === "failed" ? [end.error] : [])),
    };
  }

  get provider(): SourceOpener {
    return this.#parts.provider;
  }

  get part(): Part {
    return this.#parts.part;
  }

  get silentMs(): number {
    return this.#parts.silentMs;
  }

  get random(): () => number {
    return this.#parts.random;
  }

  get isBound(): boolean {
    return (this.#binding?.identity ?? null) !== null;
  }

  get size(): number {
    return this.#plan.size;
  }

  rest = (ms: number): Promise<void> => this.#parts.sleep(ms, this.#stop.signal);

  async nextTask(source: number): Promise<Task | null> {
    for (let isLate = false; !this.#stop.signal.aborted; ) {
      if (isWhole(this.#plan)) return this.#probeOf(source);
      if (this.#binding === null) {
        const claimed = this.#scout === null ? claimNext(this.#plan, source, false) : null;
        if (claimed !== null) {
          this.#scout = source;
          this.#plan = claimed.plan;
          return { ...claimed.claim, isProbe: false };
        }
      } else {
        const claimed = claimNext(this.#plan, source, isLate);
        if (claimed !== null) {
          this.#plan = claimed.plan;
          const { takenFrom, claim } = claimed;
          if (takenFrom !== null && claimOf(this.#plan, takenFrom) === undefined)
            this.#streams.get(takenFrom)?.cancel();
          return { ...claim, isProbe: false };
        }
      }
      isLate = await this.#waitForChange();
    }
    return null;
  }

  hold(source: number, stream: SourceStream | null): void {
    if (stream === null) this.#streams.delete(source);
    else this.#streams.set(source, stream);
    if (this.#stop.signal.aborted) stream?.cancel();
  }

  leftOf(source: number): number {
    const claim = claimOf(this.#plan, source);
    return claim === undefined ? 0 : claim.to - claim.at;
  }

  received(source: number, bytes: number): void {
    this.#plan = received(this.#plan, source, bytes);
    this.#parts.report(bytesIn(this.#plan.have), this.#plan.size);
  }

  completed(source: number, at: number): void {
    this.#unconfirmed.delete(source);
    if (this.#plan.size === Number.POSITIVE_INFINITY) this.#plan = withSize(this.#plan, at);
  }

  released(source: number): void {
    this.#plan = release(this.#plan, source);
    if (this.#scout === source) this.#scout = null;
    this.#notify();
  }

  async judge(source: number, words: FirstWords, asked: AskedRange): Promise<Verdict> {
    const address = this.#sources[source] as SourceAddress;
    if (words.kind === "wrong")
      return { kind: "failed", error: sourceError(address, status.DATA_LOSS, words.why) };
    const verdict =
      words.kind === "old"
        ? await this.#judgeUnbound(source, Number.POSITIVE_INFINITY, { ...asked, offset: 0 })
        : await this.#judgeRanged(source, words, asked);
    if (verdict.kind === "go") {
      this.#unconfirmed.add(source);
      this.#origins.add(`${source} ${words.kind === "old" ? "" : words.validator}`);
      this.#notify();
    }
    return verdict;
  }

  async #judgeRanged(
    source: number,
    words: FirstWords & { kind: "ranged" },
    asked: AskedRange,
  ): Promise<Verdict> {
    const { size, validator } = words;
    const { url, path } = this.#sources[source] as SourceAddress;
    const { checksum, size: wanted } = this.#expected;
    const known = this.#binding === null || !Number.isFinite(this.#plan.size) ? wanted : this.#plan.size;
    if (size !== (known ?? size)) {
      if (size === (wanted ?? size) && checksum === null) return { kind: "apart" };
      const why = `${url}: ${path} has ${size} bytes, and ${wanted ?? known} are expected`;
      return { kind: "failed", error: new StarError("content_mismatch", why) };
    }
    const identity =
      checksum !== null ? `sha256 ${checksum}` : validator !== "" ? `validator ${validator} ${path}` : null;
    if (identity === null) return await this.#judgeUnbound(source, size, asked);
    if (this.#binding !== null && this.#binding.identity !== identity) return { kind: "apart" };
    const go = { kind: "go", at: asked.offset, askedTo: endOf(asked, size) } as const;
    if (this.#binding !== null) return go;
    const { part } = this.#parts;
    const isSame = part.header?.identity === identity && part.header.size === size;
    if (!isSame) await this.#restart(source, { identity, size });
    await this.#parts.reserve(size - bytesIn(this.#plan.have));
    this.#binding = { identity };
    this.#plan = withSize(this.#plan, size);
    return isSame || asked.offset === 0 ? go : { kind: "again" };
  }

  /** Bytes that nothing binds to those of another stream: all of them have to come in this one. */
  async #judgeUnbound(source: number, size: number, asked: AskedRange): Promise<Verdict> {
    if (this.#sources.length > 1 || this.isBound) return { kind: "apart" };
    await this.#restart(source, null);
    this.#binding = { identity: null };
    this.#plan = withSize(this.#plan, size);
    if (asked.offset !== 0) return { kind: "again" };
    return { kind: "go", at: 0, askedTo: endOf(asked, size) };
  }

  async #restart(
    source: number,
    header: { readonly identity: string; readonly size: number } | null,
  ): Promise<void> {
    await this.#parts.part.begin(header);
    this.#resumed = 0;
    this.#plan = claimNext(this.#begin([]), source, false)?.plan ?? this.#plan;
  }

  #begin(have: RangeSet): Plan {
    const pieceBytes = this.#sources.length > 1 ? this.#parts.pieceBytes : Number.POSITIVE_INFINITY;
    return beginPlan(have, Number.POSITIVE_INFINITY, pieceBytes);
  }

  async #run(address: SourceAddress, source: number): Promise<LaneEnd> {
    try {
      return await new Lane(this, source, address).run();
    } catch (error) {
      this.#halt();
      throw error;
    }
  }

  #probeOf(source: number): Task | null {
    const { size } = this.#plan;
    if (this.#expected.checksum !== null || !this.#unconfirmed.has(source) || size === 0) return null;
    return { source, at: size - 1, to: size, isFresh: true, isProbe: true };
  }

  /** True when nothing has changed for long. */
  async #waitForChange(): Promise<boolean> {
    const waited = new AbortController();
    const late = this.#parts.sleep(this.#parts.lateMs, waited.signal).then(() => true);
    const isLate = await Promise.race([this.#changed.promise.then(() => false), late]);
    waited.abort();
    return isLate;
  }

  #notify(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }

  #halt(): void {
    this.#stop.abort();
    for (const stream of this.#streams.values()) stream.cancel();
    this.#notify();
  }
}

function endOf({ offset, length }: AskedRange, size: number): number {
  return length === 0 ? size : Math.min(size, offset + length);
}
