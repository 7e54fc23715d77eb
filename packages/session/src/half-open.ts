/** How many connections may be on their way to a session. */
export type HalfOpenLimits = { readonly maxHalfOpen: number; readonly maxHalfOpenPerAddress: number };

/** Counts connections that are no session yet. */
export class HalfOpen {
  readonly limits: HalfOpenLimits;
  readonly byAddress = new Map<string, number>();
  total = 0;

  constructor(limits: HalfOpenLimits) {
    this.limits = limits;
  }

  /** Counts one more; the function that is returned gives its place back, once. Null when there are too many. */
  enter(address: string): (() => void) | null {
    const here = this.byAddress.get(address) ?? 0;
    if (this.total >= this.limits.maxHalfOpen || here >= this.limits.maxHalfOpenPerAddress) return null;
    this.total += 1;
    this.byAddress.set(address, here + 1);
    let inside = true;
    return () => {
      if (!inside) return;
      inside = false;
      this.leave(address);
    };
  }

  leave(address: string): void {
    this.total -= 1;
    const left = (this.byAddress.get(address) ?? 1) - 1;
    if (left > 0) this.byAddress.set(address, left);
    else this.byAddress.delete(address);
  }
}
