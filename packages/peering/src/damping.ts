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

type Flap = { penalty: number; at: number; suppressed: boolean };

/** So many figures are kept; a peer that changes more routes at once has no one route that flaps. */
const maxFlaps = 65_536;

/** The figures of the routes of one peer that changed lately. */
export class Damping {
  readonly #options: DampingOptions;
  readonly #flaps = new Map<string, Flap>();
  readonly #deadlines = new Deadlines<string>();

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
    const flap = this.#flaps.get(route) ?? { penalty: 0, at: now, suppressed: false };
    const isNew = flap.penalty === 0;
    if (isNew && this.#flaps.size >= maxFlaps) return;
    flap.penalty = Math.min(ceiling, this.#penaltyAt(flap, now) + this.#options[kind]);
    flap.at = now;
    flap.suppressed ||= flap.penalty > suppressAt;
    if (isNew) {
      this.#flaps.set(route, flap);
      this.#deadlines.add(this.#timeOfEnd(flap), route);
    }
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
    for (let route = this.#deadlines.takeDue(now); route !== null; route = this.#deadlines.takeDue(now)) {
      const flap = this.#flaps.get(route);
      if (flap === undefined) continue;
      const end = this.#timeOfEnd(flap);
      if (end > now) this.#deadlines.add(end, route);
      else if (flap.suppressed) {
        released.push(route);
        flap.suppressed = false;
        this.#deadlines.add(this.#timeOfEnd(flap), route);
      } else this.#flaps.delete(route);
    }
    return released;
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
