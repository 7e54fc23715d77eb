import { status } from "@grpc/grpc-js";
import { StarError } from "../errors.ts";
import type { Block } from "./block-pool.ts";
import type { Part } from "./part.ts";
import type { Claim } from "./plan.ts";
import {
  type AskedRange,
  type FirstWords,
  firstWords,
  isPassing,
  type SourceAddress,
  type SourceMessage,
  type SourceOpener,
  type SourceStream,
  sourceError,
  waitBefore,
} from "./source.ts";

/** What a lane is to fetch; of a probe it keeps nothing: that hears whether the source's file is still the same. */
export type Task = Claim & { readonly isProbe: boolean };

/** What the first words of a stream come to for it. */
export type Verdict =
  /** Its bytes are good; `askedTo` is where they end, infinite where that shows its end. */
  | { readonly kind: "go"; readonly at: number; readonly askedTo: number }
  /** It has to begin elsewhere. */
  | { readonly kind: "again" }
  /** They are another file's than those that are here, or cannot be put beside them. */
  | { readonly kind: "apart" }
  | { readonly kind: "failed"; readonly error: StarError };

/** What lanes have in common. */
export type Lanes = {
  readonly provider: SourceOpener;
  readonly part: Part;
  readonly silentMs: number;
  readonly random: () => number;
  /** Resolves after so many ms, or sooner when all lanes are to end. */
  readonly rest: (ms: number) => Promise<void>;
  /** Waits for something to fetch; null when there is nothing more. */
  nextTask(source: number): Promise<Task | null>;
  /** A stream was opened, which whoever takes a claim over may cancel; null: it has ended. */
  hold(source: number, stream: SourceStream | null): void;
  judge(source: number, words: FirstWords, asked: AskedRange): Promise<Verdict>;
  /** How many bytes of its claim a source has not sent yet. */
  leftOf(source: number): number;
  received(source: number, bytes: number): void;
  /** All that was asked for has come, and the source says that its file was the same all along. */
  completed(source: number, at: number): void;
  /** A stream has ended: what it left of its claim is for others. */
  released(source: number): void;
  /** Whether a stream that breaks is taken up where it broke. */
  readonly isBound: boolean;
  /** The size of the file; infinite until it is known. */
  readonly size: number;
};

export type LaneEnd =
  | { readonly kind: "done" | "apart" }
  | { readonly kind: "failed"; readonly error: StarError };

type StreamEnd = { readonly kind: "ended" } | Exclude<Verdict, { kind: "go" }>;

const mostFailures = 5;
/** So many large blocks of a source are written at once, while another one fills; of small ones, which many transfers have, one. */
const writesAtOnce = 3;

/** One source of a file: sends piece after piece, and is tried again when it fails. */
export class Lane {
  readonly #lanes: Lanes;
  readonly #source: number;
  readonly #address: SourceAddress;
  /** What has been gathered: so many bytes, and where in the file they begin. */
  #block: Block | null = null;
  #gathered = 0;
  #from = 0;
  /** Of those that failed whoever awaits them hears. */
  readonly #writes = new Set<Promise<void>>();
  #progress = 0;

  constructor(lanes: Lanes, source: number, address: SourceAddress) {
    this.#lanes = lanes;
    this.#source = source;
    this.#address = address;
  }

  /** Throws what the target throws. */
  async run(): Promise<LaneEnd> {
    const { random, rest } = this.#lanes;
    for (let failures = 0; ; ) {
      const task = await this.#lanes.nextTask(this.#source);
      if (task === null) return { kind: "done" };
      this.#progress = 0;
      const end = await this.#fetch(task);
      if (end.kind === "apart") return { kind: "apart" };
      if (end.kind !== "failed") {
        failures = 0;
        continue;
      }
      failures = this.#progress > 0 && this.#lanes.isBound ? 1 : failures + 1;
      if (!isPassing(end.error) || failures > mostFailures) return end;
      await rest(waitBefore(failures, random));
    }
  }

  async #fetch(task: Task): Promise<StreamEnd> {
    const length = Number.isFinite(task.to) ? task.to - task.at : 0;
    const asked = { offset: task.at, length };
    let stream: SourceStream;
    try {
      stream = this.#lanes.provider.open(this.#address, asked);
    } catch (error) {
      this.#lanes.released(this.#source);
      if (error instanceof StarError) return { kind: "failed", error };
      throw error;
    }
    this.#lanes.hold(this.#source, stream);
    try {
      return await this.#receive(stream, task, asked);
    } finally {
      stream.cancel();
      this.#lanes.hold(this.#source, null);
      try {
        await this.#settle();
      } finally {
        this.#lanes.released(this.#source);
      }
    }
  }

  async #receive(stream: SourceStream, { isProbe }: Task, asked: AskedRange): Promise<StreamEnd> {
    using silence = new Silence(this.#lanes.silentMs, stream);
    let message = await this.#next(stream, silence);
    if (message instanceof StarError) {
      // Its file has become shorter than what is here of it.
      const isShorter = message.status === status.OUT_OF_RANGE && asked.offset > 0;
      return isShorter ? { kind: "apart" } : { kind: "failed", error: message };
    }
    const verdict = await this.#lanes.judge(this.#source, firstWords(message, asked), asked);
    if (verdict.kind !== "go") return verdict;
    const { askedTo } = verdict;
    let { at } = verdict;
    for (; message !== null; message = await this.#next(stream, silence)) {
      if (message instanceof StarError) return { kind: "failed", error: message };
      const { chunk } = message;
      if (at + chunk.length > askedTo)
        return this.#failed(status.OUT_OF_RANGE, "sent more than it was asked for");
      if (!isProbe && !(await this.#take(chunk, at))) return { kind: "ended" };
      at += chunk.length;
    }
    if (Number.isFinite(askedTo) && at < askedTo) return this.#failed(status.ABORTED, "ended before its end");
    this.#lanes.completed(this.#source, at);
    return { kind: "ended" };
  }

  /** False when no more of this stream is wanted, since another source sends it. */
  async #take(chunk: Uint8Array, at: number): Promise<boolean> {
    const wanted = chunk.subarray(0, this.#lanes.leftOf(this.#source));
    for (let taken = 0; taken < wanted.length; ) {
      if (this.#gathered === 0) this.#from = at + taken;
      this.#block ??= this.#lanes.part.pool.take();
      // Into shared memory `set` goes byte by byte.
      const copied = bufferOver(wanted).copy(this.#block, this.#gathered, taken);
      this.#gathered += copied;
      this.#progress += copied;
      this.#lanes.received(this.#source, copied);
      taken += copied;
      if (this.#gathered === this.#block.length) await this.#flush();
    }
    return wanted.length === chunk.length;
  }

  /** Writes what has been gathered, while more is. */
  async #flush(): Promise<void> {
    if (this.#block === null) return;
    const most = this.#block.length < this.#lanes.part.pool.blockBytes ? 1 : writesAtOnce;
    while (this.#writes.size >= most) await Promise.race(this.#writes);
    const writing = this.#write(this.#block, this.#from, this.#gathered);
    this.#block = null;
    this.#gathered = 0;
    this.#writes.add(writing);
    writing.then(
      () => this.#writes.delete(writing),
      () => undefined,
    );
  }

  /** Writes what has been gathered, and waits until nothing is written any more. */
  async #settle(): Promise<void> {
    const [flushed] = await Promise.allSettled([this.#flush()]);
    const written = await Promise.allSettled(this.#writes);
    this.#writes.clear();
    if (this.#block !== null) this.#lanes.part.pool.give(this.#block);
    this.#block = null;
    this.#gathered = 0;
    for (const each of [flushed, ...written]) if (each.status === "rejected") throw each.reason;
  }

  async #write(block: Block, from: number, length: number): Promise<void> {
    const { part, size } = this.#lanes;
    try {
      await (from === 0 && length === size
        ? part.writeAll(block.subarray(0, length))
        : part.write(from, block, length));
    } finally {
      part.pool.give(block);
    }
  }

  async #next(stream: SourceStream, silence: Silence): Promise<SourceMessage | null | StarError> {
    try {
      silence.begin();
      return await stream.next();
    } catch (error) {
      if (silence.isTooLong)
        return sourceError(
          this.#address,
          status.DEADLINE_EXCEEDED,
          `nothing came for ${this.#lanes.silentMs} ms`,
        );
      if (error instanceof StarError) return error;
      throw error;
    } finally {
      silence.end();
    }
  }

  #failed(of: status, why: string): StreamEnd {
    return { kind: "failed", error: sourceError(this.#address, of, why) };
  }
}

function bufferOver({ buffer, byteOffset, byteLength }: Uint8Array): Buffer {
  return Buffer.from(buffer, byteOffset, byteLength);
}

/** Ends a stream whose source has said nothing for too long while somebody waits for it: one timer for all of its messages. */
class Silence implements Disposable {
  readonly #timer: NodeJS.Timeout;
  #isWaitedFor = false;
  isTooLong = false;

  constructor(ms: number, stream: SourceStream) {
    let { heard } = stream;
    this.#timer = setTimeout(() => {
      if (this.#isWaitedFor && stream.heard === heard) {
        this.isTooLong = true;
        return stream.cancel();
      }
      heard = stream.heard;
      this.#timer.refresh();
    }, ms);
  }

  begin(): void {
    this.#isWaitedFor = true;
    this.#timer.refresh();
  }

  end(): void {
    this.#isWaitedFor = false;
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
  }
}
