import { BlockList, isIP } from "node:net";
import type { NextHop } from "@catalyst/envoy";

/** Addresses that are nobody's, or somebody else's on each network: no node is there. */
const nowhere = new BlockList();
nowhere.addSubnet("0.0.0.0", 8, "ipv4");
nowhere.addSubnet("169.254.0.0", 16, "ipv4");
nowhere.addSubnet("224.0.0.0", 3, "ipv4");
nowhere.addAddress("::", "ipv6");
nowhere.addSubnet("fe80::", 10, "ipv6");
nowhere.addSubnet("ff00::", 8, "ipv6");

const loopback = new BlockList();
loopback.addSubnet("127.0.0.0", 8, "ipv4");
loopback.addAddress("::1", "ipv6");

/** Envoy asks each node every second whether it is well, and keeps some 120 kB for it. */
const mostNextHops = 1_024;

/**
 * Which next hops are followed. A peer says where an Envoy is, and this node's connects to it: not to addresses that no
 * node has, not to this machine unless this node itself is reached there, and not to more than a network has nodes. Who
 * is followed already stays so; what is over the limit is followed when others have gone.
 */
export class NextHops {
  readonly #onLoopback: boolean;
  readonly #most: number;
  /** How many services go to each. */
  readonly #users = new Map<string, number>();
  readonly #ofService = new Map<string, readonly string[]>();

  /** `ownHost` is where this node itself is reached. */
  constructor(ownHost: string, most = mostNextHops) {
    this.#onLoopback = isOn(loopback, ownHost);
    this.#most = most;
  }

  /** Whether the limit keeps somebody out. */
  get isFull(): boolean {
    return this.#users.size >= this.#most;
  }

  /** Of the next hops of a service, in their order, those that it goes to from now on. */
  follow(service: string, nextHops: readonly NextHop[]): readonly NextHop[] {
    const before = this.#ofService.get(service) ?? [];
    const followed = nextHops.filter((nextHop) => this.#isPlace(nextHop) && this.#claim(keyOf(nextHop)));
    const after = followed.map(keyOf);
    for (const key of before) this.#release(key);
    if (after.length > 0) this.#ofService.set(service, after);
    else this.#ofService.delete(service);
    return followed;
  }

  #isPlace({ host }: NextHop): boolean {
    if (isOn(nowhere, host)) return false;
    return this.#onLoopback || !isOn(loopback, host);
  }

  #claim(key: string): boolean {
    const users = this.#users.get(key);
    if (users === undefined && this.isFull) return false;
    this.#users.set(key, (users ?? 0) + 1);
    return true;
  }

  #release(key: string): void {
    const left = (this.#users.get(key) ?? 0) - 1;
    if (left > 0) this.#users.set(key, left);
    else this.#users.delete(key);
  }
}

function isOn(list: BlockList, host: string): boolean {
  const kind = isIP(host);
  if (kind === 0) return list === loopback && /(?:^|\.)localhost\.?$/.test(host);
  return list.check(host, kind === 6 ? "ipv6" : "ipv4");
}

function keyOf({ host, port, sni, spiffeId }: NextHop): string {
  return `${host} ${port} ${sni} ${spiffeId}`;
}
