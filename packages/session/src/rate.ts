import type { Instant } from "./clock.ts";

/** How often something may happen: `burst` times at once, and once more after each `intervalMs`. */
export type RateLimit = { readonly burst: number; readonly intervalMs: number };

/** Counts what happens, and says how long one more has to wait. */
export class Rate {
  readonly #limit: RateLimit;
  /** From when on the whole burst is there again. */
  restedAt: Instant = Number.NEGATIVE_INFINITY;

  constructor(limit: RateLimit) {
    this.#limit = limit;
  }

  /** Counts one more, and returns 0; or counts nothing, and returns how long it has to wait, in whole ms. */
  take(now: Instant): number {
    const { burst, intervalMs } = this.#limit;
    const rested = Math.max(this.restedAt, now);
    const wait = Math.round(rested - now - (burst - 1) * intervalMs);
    if (wait > 0) return wait;
    this.restedAt = rested + intervalMs;
    return 0;
  }
}

/** How many are remembered: whoever has more names than that has found another way to be many. */
const maxKeys = 4_096;

/** A rate for each of many. Of who has rested nothing is kept, and nobody makes it keep more than `maxKeys` others. */
export class RatePerKey {
  readonly #limit: RateLimit;
  /** The one that was used longest ago comes first. */
  readonly rates = new Map<string, Rate>();

  constructor(limit: RateLimit) {
    this.#limit = limit;
  }

  /** As {@link Rate.take}, of one of them. */
  take(key: string, now: Instant): number {
    const rate = this.rates.get(key) ?? new Rate(this.#limit);
    this.rates.delete(key);
    this.rates.set(key, rate);
    const wait = rate.take(now);
    this.#forget(now);
    return wait;
  }

  #forget(now: Instant): void {
    for (const [key, { restedAt }] of this.rates) {
      if (restedAt > now && this.rates.size <= maxKeys) return;
      this.rates.delete(key);
    }
  }
}
