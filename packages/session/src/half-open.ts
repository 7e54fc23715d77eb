import { isIPv6 } from "node:net";
import type { Instant } from "./clock.ts";
import type { SessionOptions } from "./options.ts";
import { RatePerKey } from "./rate.ts";

/** How many connections may be on their way to a session, and how often new ones may come. */
export type HalfOpenLimits = Pick<
  SessionOptions,
  "maxHalfOpen" | "maxHalfOpenPerAddress" | "connectBurst" | "connectIntervalMs"
>;

/** Counts connections that are no session yet. Handshakes cost more than anything else that a stranger can ask for. */
export class HalfOpen {
  readonly #limits: HalfOpenLimits;
  readonly #arrivals: RatePerKey;
  readonly #byAddress = new Map<string, number>();
  #total = 0;

  constructor(limits: HalfOpenLimits) {
    this.#limits = limits;
    this.#arrivals = new RatePerKey({ burst: limits.connectBurst, intervalMs: limits.connectIntervalMs });
  }

  /** How many there are. */
  get total(): number {
    return this.#total;
  }

  /** Counts one more; the function that is returned gives its place back, once. Null when there are too many. */
  enter(from: string, now: Instant): (() => void) | null {
    const address = networkOf(from);
    const here = this.#byAddress.get(address) ?? 0;
    if (this.#total >= this.#limits.maxHalfOpen || here >= this.#limits.maxHalfOpenPerAddress) return null;
    if (this.#arrivals.take(address, now) > 0) return null;
    this.#total += 1;
    this.#byAddress.set(address, here + 1);
    let inside = true;
    return () => {
      if (!inside) return;
      inside = false;
      this.#leave(address);
    };
  }

  #leave(address: string): void {
    this.#total -= 1;
    const left = (this.#byAddress.get(address) ?? 1) - 1;
    if (left > 0) this.#byAddress.set(address, left);
    else this.#byAddress.delete(address);
  }
}

/** Whoever has one address of IPv6 has the /64 around it: these count as one. */
export function networkOf(address: string): string {
  if (!isIPv6(address) || address.includes(".")) return address;
  const [head = "", tail = ""] = address.split("::");
  const groups = (text: string) => (text === "" ? [] : text.split(":"));
  const zeros = 8 - groups(head).length - groups(tail).length;
  const all = [...groups(head), ...Array.from({ length: zeros }, () => "0"), ...groups(tail)];
  return `${all.slice(0, 4).join(":")}::/64`;
}
