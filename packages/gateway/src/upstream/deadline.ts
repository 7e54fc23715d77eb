/** Why something is not waited for any longer: its time is over, or nobody wants it. */
export type Ending = "timeout" | "cancelled";

/**
 * How long one request to a service is waited for, in ms from now on. The request goes through waiting in a queue, sending, and pausing before
 * another try, one at a time: so it has a place for one listener, and costs less than an `AbortSignal`.
 */
export class Deadline implements Disposable {
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
