import type { GraphQLError } from "graphql";
import type { OperationResult, ResultStream } from "../engine/engine.ts";
import type { Generation, Pin } from "../generation.ts";

/** Opens the subscription with a generation, from the stream that it goes on from, until the signal is aborted. */
export type OpenStream = (
  generation: Generation,
  signal: AbortSignal,
  previous?: ResultStream,
) => Promise<ResultStream | OperationResult>;

export type LiveSubscriptionParts = {
  readonly open: OpenStream;
  /** What the client sees of a result. */
  readonly present: (result: OperationResult) => OperationResult;
  /** Called when the subscription has left its old source for the new one. */
  readonly onMoved: () => void;
  readonly onClosed: () => void;
  /** How long the old source must be silent before it is left, in ms. */
  readonly overlapMs: number;
};

type Arrival = { readonly result: IteratorResult<OperationResult> } | { readonly failure: unknown };

/** What one generation contributes to a subscription: a stream that is asked for one result at a time. */
class GenerationStream {
  readonly pin: Pin;
  readonly results: ResultStream;
  readonly #stop: AbortController;
  #asked = false;
  #arrival: Arrival | null = null;

  constructor(pin: Pin, results: ResultStream, stop: AbortController) {
    this.pin = pin;
    this.results = results;
    this.#stop = stop;
  }

  /** Asks for the next result, unless that was done; `onArrival` is called when there is one. */
  ask(onArrival: () => void): void {
    if (this.#asked) return;
    this.#asked = true;
    const arrive = (arrival: Arrival) => {
      this.#arrival = arrival;
      onArrival();
    };
    this.results.next().then(
      (result) => arrive({ result }),
      (failure: unknown) => arrive({ failure }),
    );
  }

  /** What arrived, once; the end again and again. */
  take(): Arrival | null {
    const arrival = this.#arrival;
    if (arrival !== null && "result" in arrival && arrival.result.done !== true) {
      this.#arrival = null;
      this.#asked = false;
    }
    return arrival;
  }

  /** Ends the stream. Its scope goes on: an engine that took the source over may have it end with that. */
  leave(): void {
    this.results.return?.().catch(() => undefined);
    this.pin[Symbol.dispose]();
  }

  /** Ends the stream with all that it has begun. */
  end(): void {
    this.#stop.abort();
    this.leave();
  }
}

/** Opens one, or answers with the errors that keep it from beginning. The pin is released where it fails. */
async function openStream(
  open: OpenStream,
  pin: Pin,
  stop: AbortController,
  previous?: ResultStream,
): Promise<GenerationStream | OperationResult> {
  try {
    const results = await open(pin.generation, stop.signal, previous);
    if (Symbol.asyncIterator in results) return new GenerationStream(pin, results, stop);
    pin[Symbol.dispose]();
    return results;
  } catch (error) {
    pin[Symbol.dispose]();
    throw error;
  }
}

/** How a move to another generation went; `ended` when the subscription did not last until then. */
export type MoveOutcome = "moved" | "failed" | "ended";

const done = { done: true, value: undefined } as const;

/** Results that may come from both sources of a move; with more the old one is left at once. */
const maxRemembered = 256;
/** A source that is never silent is left after so many times the silence that is waited for. */
const maxOverlaps = 10;

/**
 * One client's subscription, which outlives the generation that it began with. It reads one stream at a time. A move
 * opens a stream of another generation while the old one is read on, and changes to it when the old one is done,
 * because the engine took its source over, or has been silent for `overlapMs`. What both deliver of that time is
 * given once: the new stream's first results are left out as long as the old one gave the same.
 */
export class LiveSubscription implements ResultStream {
  readonly #parts: LiveSubscriptionParts;
  #stream: GenerationStream;
  #successor: GenerationStream | null = null;
  /** Of a move whose stream is being opened. */
  #opening: AbortController | null = null;
  #overlapUntil = 0;
  #silence: NodeJS.Timeout | undefined;
  #remembered: string[] = [];
  #rememberedUntil = 0;
  #ending: GraphQLError | null = null;
  #closed = false;
  #wake: (() => void) | null = null;

  private constructor(parts: LiveSubscriptionParts, stream: GenerationStream) {
    this.#parts = parts;
    this.#stream = stream;
  }

  /**
   * Begins with the generation of the pin, which is released at the end, or when this does not begin. The source
   * stops when `stop` is aborted.
   */
  static async begin(
    parts: LiveSubscriptionParts,
    pin: Pin,
    stop: AbortController,
  ): Promise<LiveSubscription | OperationResult> {
    const stream = await openStream(parts.open, pin, stop);
    return stream instanceof GenerationStream ? new LiveSubscription(parts, stream) : parts.present(stream);
  }

  /** The generation that it has, or will have when it has left the old source. */
  get generation(): Generation {
    return (this.#successor ?? this.#stream).pin.generation;
  }

  /** Whether a move is under way. */
  get moving(): boolean {
    return this.#opening !== null || this.#successor !== null;
  }

  async next(): Promise<IteratorResult<OperationResult>> {
    for (;;) {
      const step = this.#step();
      if (step !== null) return step;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  async return(): Promise<IteratorResult<OperationResult>> {
    this.#close();
    return done;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  /** Ends the subscription with this error as its last result. */
  end(error: GraphQLError): void {
    this.#ending ??= error;
    this.#awake();
  }

  /** Leaves its source when the generation of that has retired; false when there is nothing to go to. */
  leaveRetired(): boolean {
    const stays = this.#closed || !this.#stream.pin.generation.retired.aborted;
    if (stays || this.#opening !== null) return true;
    if (this.#successor === null) return false;
    this.#change(this.#successor);
    this.#awake();
    return true;
  }

  /** Moves to the generation of the pin. While that fails, the subscription goes on as it was. */
  async move(pin: Pin): Promise<MoveOutcome> {
    const stop = new AbortController();
    this.#opening = stop;
    this.#remembered = [];
    try {
      const stream = await openStream(this.#parts.open, pin, stop, this.#stream.results);
      if (!(stream instanceof GenerationStream)) return this.#closed ? "ended" : "failed";
      if (this.#closed) {
        stream.end();
        return "ended";
      }
      this.#successor = stream;
      this.#overlapUntil = performance.now() + maxOverlaps * this.#parts.overlapMs;
      return "moved";
    } catch (error) {
      if (this.#closed) return "ended";
      throw error;
    } finally {
      this.#opening = null;
      this.#awake();
    }
  }

  readonly #awake = (): void => {
    this.#wake?.();
    this.#wake = null;
  };

  /** What can be given now; null when that has to be waited for. */
  #step(): IteratorResult<OperationResult> | null {
    for (;;) {
      if (this.#closed) return done;
      if (this.#ending !== null) {
        const value = { errors: [this.#ending] };
        this.#close();
        return { done: false, value };
      }
      this.#stream.ask(this.#awake);
      const arrival = this.#stream.take();
      if (arrival === null) {
        this.#expectSilence();
        return null;
      }
      clearTimeout(this.#silence);
      this.#silence = undefined;
      if ("failure" in arrival || arrival.result.done === true) {
        const end = this.#afterEnd(arrival);
        if (end !== "go on") return end;
        continue;
      }
      const result = this.#parts.present(arrival.result.value);
      if (this.#isRepetition(result)) continue;
      this.#remember(result);
      return { done: false, value: result };
    }
  }

  /** The source is done: of itself, or because a move took it over. */
  #afterEnd(arrival: Arrival): IteratorResult<OperationResult> | null | "go on" {
    if (this.#successor !== null) {
      this.#remembered = [];
      this.#change(this.#successor);
      return "go on";
    }
    // Only the end of the move tells why.
    if (this.#opening !== null) return null;
    this.#close();
    if ("failure" in arrival) throw arrival.failure;
    return done;
  }

  #change(successor: GenerationStream): void {
    clearTimeout(this.#silence);
    this.#silence = undefined;
    const old = this.#stream;
    this.#stream = successor;
    this.#successor = null;
    this.#rememberedUntil = performance.now() + maxOverlaps * this.#parts.overlapMs;
    old.leave();
    this.#parts.onMoved();
  }

  /** Leaves the old source when it stays silent. */
  #expectSilence(): void {
    if (this.#successor === null || this.#silence !== undefined) return;
    this.#silence = setTimeout(() => {
      this.#silence = undefined;
      if (this.#successor !== null) this.#change(this.#successor);
      this.#awake();
    }, this.#parts.overlapMs);
  }

  #remember(result: OperationResult): void {
    if (!this.moving) return;
    this.#remembered.push(JSON.stringify(result));
    const tooLong = this.#remembered.length >= maxRemembered || performance.now() > this.#overlapUntil;
    if (this.#successor !== null && tooLong) this.#change(this.#successor);
  }

  /** Whether the old source gave this result before, in the time when both were open. */
  #isRepetition(result: OperationResult): boolean {
    if (this.moving || this.#remembered.length === 0) return false;
    const at =
      performance.now() > this.#rememberedUntil ? -1 : this.#remembered.indexOf(JSON.stringify(result));
    if (at < 0) this.#remembered = [];
    else this.#remembered.splice(0, at + 1);
    return at >= 0;
  }

  #close(): void {
    if (this.#closed) return;
    this.#closed = true;
    clearTimeout(this.#silence);
    this.#opening?.abort();
    this.#stream.end();
    this.#successor?.end();
    this.#awake();
    this.#parts.onClosed();
  }
}
