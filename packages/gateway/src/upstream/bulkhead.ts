export type BulkheadOptions = {
  /** Requests to one service at a time. */
  readonly concurrency: number;
  /** Requests to one service that wait for their turn; more are refused at once. */
  readonly queue: number;
};

/** Bounds the requests to one service, so that a slow one does not take the connections of all others. */
export class Bulkhead {
  readonly #options: BulkheadOptions;
  /** In the order in which they came. */
  readonly #waiting = new Set<() => void>();
  #running = 0;

  constructor(options: BulkheadOptions) {
    this.#options = options;
  }

  /** `entered`: it counts until {@link leave}; `full`: there is no place to wait either. */
  tryEnter(): "entered" | "busy" | "full" {
    if (this.#running < this.#options.concurrency) {
      this.#running += 1;
      return "entered";
    }
    return this.#waiting.size < this.#options.queue ? "busy" : "full";
  }

  /** Calls `enter` when it is its turn: it counts from then on. Returns what gives the place in the queue up. */
  queue(enter: () => void): () => void {
    this.#waiting.add(enter);
    return () => void this.#waiting.delete(enter);
  }

  /** Its place goes to who waits longest. */
  leave(): void {
    const [next] = this.#waiting;
    if (next === undefined) {
      this.#running -= 1;
    } else {
      this.#waiting.delete(next);
      next();
    }
  }
}
