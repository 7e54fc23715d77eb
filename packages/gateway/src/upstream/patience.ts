/** Why something is not waited for any longer: its time is over, or nobody wants it. */
export type Ending = "timeout" | "cancelled";

/**
 * How long one request to a service is waited for. It goes through waiting in a queue, sending, and pausing before
 * another try, one at a time: so it has a place for one listener, and costs less than an `AbortSignal`.
 */
export class Patience implements Disposable {
  /** A monotonic instant, in ms. */
  readonly since = performance.now();
  readonly #ms: number;
  readonly #timer: NodeJS.Timeout;
  #ended: Ending | null = null;
  #stop: (() => void) | null = null;

  constructor(ms: number) {
    this.#ms = ms;
    this.#timer = setTimeout(() => this.end("timeout"), ms);
  }

  get ended(): Ending | null {
    return this.#ended;
  }

  /** In ms; less than 0 when the time is over. */
  get remaining(): number {
    return this.since + this.#ms - performance.now();
  }

  /** Calls `stop` when the waiting ends, in place of what was to be called before; null: nothing. */
  listen(stop: (() => void) | null): void {
    this.#stop = stop;
  }

  end(why: Ending): void {
    if (this.#ended !== null) return;
    this.#ended = why;
    clearTimeout(this.#timer);
    this.#stop?.();
  }

  /** Resolves after that time, or as soon as the waiting ends. */
  async pause(ms: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.listen(() => {
        clearTimeout(timer);
        resolve();
      });
    });
    this.listen(null);
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
    this.#stop = null;
  }
}

const listeners = new WeakMap<AbortSignal, Set<() => void>>();

/**
 * Calls `run` when the signal, which is not aborted yet, will be; returns what takes that back. A signal has one
 * listener for all that wait for it: adding and removing one costs more than the rest of a sub-request's bookkeeping.
 */
export function whenAborted(signal: AbortSignal, run: () => void): () => void {
  let runs = listeners.get(signal);
  if (runs === undefined) {
    const all = new Set<() => void>();
    const runAll = () => {
      for (const each of all) each();
    };
    listeners.set(signal, all);
    signal.addEventListener("abort", runAll, { once: true });
    runs = all;
  }
  const added = runs;
  added.add(run);
  return () => void added.delete(run);
}

/** Whether a signal was aborted because a time limit was over, by the reason that `AbortSignal.timeout` gives. */
export function isTimedOut({ aborted, reason }: AbortSignal): boolean {
  return aborted && reason instanceof DOMException && reason.name === "TimeoutError";
}
