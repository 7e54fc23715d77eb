import { Deadlines } from "./deadlines.ts";

/**
 * Flap damping, RFC 2439: each change of a route adds to its figure of merit, which halves every `halfLifeMs`. Above
 * `suppressAt` the route is not used until it has fallen below `reuseAt`.
 */
export type DampingOptions = {
  /** What a withdrawal adds. Default 1,000. */
  readonly withdrawal: number;
  /** What other attributes add. Default 500. */
  readonly change: number;
  /** Default 6,000, as in RFC 7196: fewer changes than that are how paths are found. */
  readonly suppressAt: number;
  /** Default 750. */
  readonly reuseAt: number;
  /** The figure never rises above it, so nothing is suppressed longer than until it has fallen from here. Default 12,000. */
  readonly ceiling: number;
  /** Default 60,000, so that a route is suppressed for four minutes at most. */
  readonly halfLifeMs: number;
};

export const defaultDamping: DampingOptions = {
  withdrawal: 1_000,
  change: 500,
  suppressAt: 6_000,
  reuseAt: 750,
  ceiling: 12_000,
  halfLifeMs: 60_000,
};

/** `scheduled` where it stands among the deadlines. */
type Flap = { route: string; penalty: number; at: number; suppressed: boolean; scheduled: boolean };

/** So many figures are kept of one peer. */
const maxFlaps = 65_536;
/** So many are looked at for one that gives its place to a route that is not there yet. */
const candidates = 8;

/** The figures of the routes of one peer that changed lately. */
export class Damping {
  readonly #options: DampingOptions;
  /** In the order in which they were last looked at for a place. */
  readonly #flaps = new Map<string, Flap>();
  readonly #deadlines = new Deadlines<Flap>();

  constructor(options: DampingOptions) {
    this.#options = options;
  }

  /** When {@link release} has something to do; null for never. */
  get next(): number | null {
    return this.#deadlines.next;
  }

  /** Adds to the figure of a route. */
  add(route: string, kind: "withdrawal" | "change", now: number): void {
    const { suppressAt, ceiling } = this.#options;
    const flap = this.#flaps.get(route) ?? this.#place(route, now);
    if (flap === null) return;
    flap.penalty = Math.min(ceiling, this.#penaltyAt(flap, now) + this.#options[kind]);
    flap.at = now;
    flap.suppressed ||= flap.penalty > suppressAt;
    if (flap.scheduled) return;
    flap.scheduled = true;
    this.#deadlines.add(this.#timeOfEnd(flap), flap);
  }

  /** Whether no route changed lately. */
  get isQuiet(): boolean {
    return this.#flaps.size === 0;
  }

  isSuppressed(route: string): boolean {
    return this.#flaps.get(route)?.suppressed ?? false;
  }

  /** The routes that are no longer suppressed. */
  release(now: number): readonly string[] {
    const released: string[] = [];
    for (let flap = this.#deadlines.takeDue(now); flap !== null; flap = this.#deadlines.takeDue(now)) {
      const end = this.#timeOfEnd(flap);
      if (end > now) this.#deadlines.add(end, flap);
      else if (flap.suppressed) {
        released.push(flap.route);
        flap.suppressed = false;
        this.#deadlines.add(this.#timeOfEnd(flap), flap);
      } else this.#flaps.delete(flap.route);
    }
    return released;
  }

  /**
   * A figure for another route. Where there is no room it is the lowest of a few that were not looked at for the longest
   * time, so that nobody keeps one route undamped by changing many others; null where all of those are suppressed.
   */
  #place(route: string, now: number): Flap | null {
    if (this.#flaps.size < maxFlaps) {
      const flap = { route, penalty: 0, at: now, suppressed: false, scheduled: false };
      this.#flaps.set(route, flap);
      return flap;
    }
    const flap = this.#lowest(now);
    if (flap === null) return null;
    this.#flaps.delete(flap.route);
    this.#flaps.set(route, Object.assign(flap, { route, penalty: 0 }));
    return flap;
  }

  #lowest(now: number): Flap | null {
    let lowest: Flap | null = null;
    for (const flap of [...this.#flaps.values().take(candidates)]) {
      this.#flaps.delete(flap.route);
      this.#flaps.set(flap.route, flap);
      if (flap.suppressed) continue;
      if (lowest === null || this.#penaltyAt(flap, now) < this.#penaltyAt(lowest, now)) lowest = flap;
    }
    return lowest;
  }

  #penaltyAt({ penalty, at }: Flap, now: number): number {
    return penalty * 2 ** ((at - now) / this.#options.halfLifeMs);
  }

  /** When a suppressed route may be used again, and another's figure is forgotten. */
  #timeOfEnd({ penalty, at, suppressed }: Flap): number {
    const { reuseAt, halfLifeMs } = this.#options;
    const below = suppressed ? reuseAt : reuseAt / 2;
    return at + Math.max(0, Math.ceil(Math.log2(penalty / below) * halfLifeMs));
  }
}
