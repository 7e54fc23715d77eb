import type { OwnEvent } from "@catalyst/peering";
import type { ServiceChange, ServiceEntry } from "../services/service-table.ts";

export type OwnRoutesParts = {
  readonly domain: string;
  /** Whether other nodes could follow a route of this one: without it nothing is told. */
  readonly isReachable: boolean;
  /** Whether this node's Envoy would give it to them: what it withholds is told of to nobody. */
  readonly isOffered: (service: ServiceEntry["service"]) => boolean;
  /** Resolves when Envoy serves what it was told so far, or after the time. */
  readonly settled: (timeoutMs: number) => Promise<void>;
  /** Tells the peers. */
  readonly tell: (event: OwnEvent) => void;
};

/** How long peers are told nothing of a service that Envoy has not acknowledged. */
const settleMs = 2_000;

/**
 * What peers are told of the services of this node: that there is one when Envoy serves it, that it is gone before Envoy
 * stops, whether it is well, and which schema it has.
 */
export class OwnRoutes {
  readonly #parts: OwnRoutesParts;
  readonly #entries = new Map<string, ServiceEntry>();
  readonly #told = new Set<string>();
  /** Not told yet: Envoy may not serve them. */
  #new = new Set<string>();
  /** Services that nothing can connect to, or whose requests fail. */
  readonly #unwell = new Set<string>();
  /** SHA-256 in hexadecimal. */
  readonly #digests = new Map<string, string>();
  #round: Promise<void> | null = null;

  constructor(parts: OwnRoutesParts) {
    this.#parts = parts;
  }

  changed(change: ServiceChange): void {
    if (!this.#parts.isReachable) return;
    if (change.kind === "remove") {
      this.#withdraw(change.name);
      return;
    }
    const { name } = change.entry.service;
    if (!this.#parts.isOffered(change.entry.service)) {
      this.#withdraw(name);
      return;
    }
    this.#entries.set(name, change.entry);
    if (this.#told.has(name)) this.#announce(name);
    else this.#announceSoon(name);
  }

  /** Resolves when everything that there is was told. */
  async told(): Promise<void> {
    await this.#round;
  }

  /** A service was found unwell, or well again. */
  wellnessChanged(name: string, isWell: boolean): void {
    if (isWell) this.#unwell.delete(name);
    else this.#unwell.add(name);
    if (this.#told.has(name)) this.#tellHealth(name);
  }

  /** The schemas of services, as the gateway has fetched them. */
  schemasKnown(services: readonly { readonly name: string; readonly schemaDigest: string | null }[]): void {
    for (const { name, schemaDigest } of services) {
      if (schemaDigest === null || this.#digests.get(name) === schemaDigest) continue;
      this.#digests.set(name, schemaDigest);
      if (this.#told.has(name)) this.#announce(name);
    }
  }

  #withdraw(name: string): void {
    this.#entries.delete(name);
    this.#new.delete(name);
    this.#digests.delete(name);
    this.#unwell.delete(name);
    if (this.#told.delete(name)) this.#parts.tell({ kind: "withdraw", service: this.#fullName(name) });
  }

  #announceSoon(name: string): void {
    this.#new.add(name);
    this.#round ??= this.#announceNew();
  }

  async #announceNew(): Promise<void> {
    while (this.#new.size > 0) {
      const names = this.#new;
      this.#new = new Set();
      await this.#parts.settled(settleMs);
      for (const name of names) if (this.#entries.has(name)) this.#announce(name);
    }
    this.#round = null;
  }

  #announce(name: string): void {
    const protocol = this.#entries.get(name)?.service.protocol;
    if (protocol === undefined) return;
    this.#told.add(name);
    const digest = protocol === "graphql" ? this.#digests.get(name) : undefined;
    const schemaDigest = digest === undefined ? {} : { schemaDigest: Buffer.from(digest, "hex") };
    this.#parts.tell({
      kind: "originate",
      route: { service: this.#fullName(name), protocol, ...schemaDigest },
    });
    this.#tellHealth(name);
  }

  #tellHealth(name: string): void {
    const healthy = this.#entries.get(name)?.lease?.healthy !== false && !this.#unwell.has(name);
    this.#parts.tell({ kind: "health", service: this.#fullName(name), healthy });
  }

  #fullName(name: string): string {
    return `${name}.${this.#parts.domain}`;
  }
}
