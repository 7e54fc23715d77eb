import type { Instant } from "./clock.ts";

/** How often something may happen: `burst` times at once, and as often again in each `periodMs`. */
export class Rate {
  readonly burst: number;
  readonly periodMs: number;
  left: number;
  at: Instant;

  constructor(burst: number, periodMs: number, now: Instant) {
    this.burst = burst;
    this.periodMs = periodMs;
    this.left = burst;
    this.at = now;
  }

  /** Counts one more; false when it is one too many. */
  take(now: Instant): boolean {
    this.left = Math.min(this.burst, this.left + ((now - this.at) * this.burst) / this.periodMs);
    this.at = now;
    if (this.left < 1) return false;
    this.left -= 1;
    return true;
  }
}
