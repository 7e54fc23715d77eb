import { watchPatienceMs } from "@catalyst/rpc";

/** Who waits to hear of a change. */
export class Announcer {
  readonly #patienceMs: number;
  readonly #waiting = new Set<() => void>();
  #isClosed = false;

  /** @param patienceMs how long somebody waits at most */
  constructor(patienceMs = watchPatienceMs) {
    this.#patienceMs = patienceMs;
  }

  /** Resolves with the next announcement, or when patience is over. */
  news(patienceMs = this.#patienceMs): Promise<void> {
    if (this.#isClosed) return Promise.resolve();
    return new Promise((resolve) => {
      const wake = () => {
        clearTimeout(timer);
        this.#waiting.delete(wake);
        resolve();
      };
      const timer = setTimeout(wake, patienceMs);
      this.#waiting.add(wake);
    });
  }

  announce(): void {
    for (const wake of this.#waiting) wake();
  }

  /** Answers who waits, and lets nobody wait any more. */
  close(): void {
    this.#isClosed = true;
    this.announce();
  }
}
