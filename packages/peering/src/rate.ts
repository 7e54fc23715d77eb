/** A token bucket: `burst` at once, `perSecond` in the long run. Times are in ms. */
export class Rate {
  readonly #perSecond: number;
  readonly #burst: number;
  #left: number;
  #at: number;

  constructor(perSecond: number, burst: number, now: number) {
    this.#perSecond = perSecond;
    this.#burst = burst;
    this.#left = burst;
    this.#at = now;
  }

  /** Takes so much; false when that is more than is there. */
  take(amount: number, now: number): boolean {
    const gained = (Math.max(0, now - this.#at) / 1_000) * this.#perSecond;
    this.#left = Math.min(this.#burst, this.#left + gained) - amount;
    this.#at = now;
    return this.#left >= 0;
  }
}
