/** So many, in so long. */
export type Allowance = { readonly most: number; readonly inMs: number };

/** Of how many kinds it is known what they had: more are nobody's who is honest. */
const mostKinds = 4_096;

/** Bounds what somebody outside can have done at will, for each kind of it by itself. */
export class Ration {
  readonly #spent = new Map<string, { readonly until: number; count: number }>();

  /** Whether one more of this kind is within its allowance. `now` in milliseconds, of one clock. */
  takes(kind: string, { most, inMs }: Allowance, now: number): boolean {
    const known = this.#spent.get(kind);
    if (known !== undefined && known.until > now && known.until <= now + inMs) {
      known.count += 1;
      return known.count <= most;
    }
    if (this.#spent.size >= mostKinds) this.#forget(now);
    if (this.#spent.size >= mostKinds) return false;
    this.#spent.set(kind, { until: now + inMs, count: 1 });
    return true;
  }

  #forget(now: number): void {
    for (const [kind, { until }] of this.#spent) if (until <= now) this.#spent.delete(kind);
  }
}
