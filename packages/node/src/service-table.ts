import { createHash } from "node:crypto";
import { RpcError, type ServiceDeclaration, type ServiceOrigin } from "@catalyst/rpc";

/** Monotonic time in ms; only differences mean anything. */
export type Instant = number;

/** A registration that ends by itself when the service stops renewing it. */
export type Lease = {
  readonly id: string;
  readonly ttlMs: number;
  readonly renewedAt: Instant;
  readonly healthy: boolean;
  readonly detail: string | null;
};

/** One service as the node serves it. */
export type ServiceEntry = {
  readonly service: ServiceDeclaration;
  readonly origin: ServiceOrigin;
  /** Changes whenever the service is declared or registered anew, also with equal content. */
  readonly revision: string;
  readonly lease: Lease | null;
};

/** What a plan changes: nothing is in force until it is committed, after it was written to disk. */
export type ServiceChange =
  | { readonly kind: "put"; readonly entry: ServiceEntry; readonly created: boolean }
  | { readonly kind: "remove"; readonly name: string };

/**
 * The services of this node, one per name.
 *
 * Plans are pure and refuse with {@link RpcError}; `commit` puts one in force. A configured service is changed
 * in the configuration only. A leased name belongs to its lease until that ends, except that the same
 * declaration may be registered again: a service that was killed comes back without waiting.
 */
export class ServiceTable {
  readonly #entries = new Map<string, ServiceEntry>();
  readonly #names = new Map<string, string>();

  constructor(configured: readonly ServiceDeclaration[]) {
    for (const service of configured) {
      const revision = createHash("sha256").update(JSON.stringify(service)).digest("hex").slice(0, 16);
      this.#entries.set(service.name, { service, origin: "configuration", revision, lease: null });
    }
  }

  get size(): number {
    return this.#entries.size;
  }

  get(name: string): ServiceEntry | undefined {
    return this.#entries.get(name);
  }

  [Symbol.iterator](): Iterator<ServiceEntry> {
    return this.#entries.values();
  }

  /** All entries, sorted by name. */
  entries(): ServiceEntry[] {
    return [...this.#entries.values()].sort((a, b) => (a.service.name < b.service.name ? -1 : 1));
  }

  /** Throws `service_declared`, or `service_name_taken` while a lease holds the name. */
  planAdd(service: ServiceDeclaration, revision: string): ServiceChange {
    const current = this.#changeable(service.name);
    if (current?.lease) throw taken(current, "a live service registered it");
    const entry: ServiceEntry = { service, origin: "runtime", revision, lease: null };
    return { kind: "put", entry, created: current === undefined };
  }

  /** Throws `service_not_found`, `service_declared`. Removing a leased service ends its lease. */
  planRemove(name: string): ServiceChange {
    if (this.#changeable(name) === undefined) {
      throw new RpcError("service_not_found", `no service is called ${name}`);
    }
    return { kind: "remove", name };
  }

  /** Throws `service_declared`, or `service_name_taken` when somebody else holds the name. */
  planLease(service: ServiceDeclaration, id: string, ttlMs: number, now: Instant): ServiceChange {
    const current = this.#changeable(service.name);
    if (current?.origin === "runtime") throw taken(current, "it was added with `catalyst service add`");
    if (current && current.service.url !== service.url) {
      throw taken(current, `a live service at ${current.service.url} holds it`);
    }
    const lease: Lease = { id, ttlMs, renewedAt: now, healthy: true, detail: null };
    const entry: ServiceEntry = { service, origin: "lease", revision: id, lease };
    return { kind: "put", entry, created: current === undefined };
  }

  /** Throws `lease_unknown` when the lease has ended. */
  planRenew(id: string, health: { healthy: boolean; detail: string | null }, now: Instant): ServiceChange {
    const current = this.leased(id);
    if (current?.lease == null) throw new RpcError("lease_unknown", "the lease has ended: register again");
    const entry = { ...current, lease: { ...current.lease, ...health, renewedAt: now } };
    return { kind: "put", entry, created: false };
  }

  /** Releasing an ended lease changes nothing: null. */
  planRelease(id: string): ServiceChange | null {
    const current = this.leased(id);
    return current === undefined ? null : { kind: "remove", name: current.service.name };
  }

  /** The removals that are due at `now`. */
  planExpiry(now: Instant): ServiceChange[] {
    return [...this.#entries.values()]
      .filter(({ lease }) => lease !== null && endOf(lease) <= now)
      .map(({ service }) => ({ kind: "remove", name: service.name }));
  }

  /** When the next lease ends, if nobody renews it; null without leases. */
  nextExpiry(): Instant | null {
    let next: Instant | null = null;
    for (const { lease } of this.#entries.values()) {
      if (lease !== null && (next === null || endOf(lease) < next)) next = endOf(lease);
    }
    return next;
  }

  commit(change: ServiceChange): void {
    const name = change.kind === "put" ? change.entry.service.name : change.name;
    const previous = this.#entries.get(name)?.lease;
    if (previous) this.#names.delete(previous.id);
    if (change.kind === "remove") {
      this.#entries.delete(name);
      return;
    }
    this.#entries.set(name, change.entry);
    if (change.entry.lease) this.#names.set(change.entry.lease.id, name);
  }

  /** The entry that a live lease holds. */
  leased(id: string): ServiceEntry | undefined {
    const name = this.#names.get(id);
    return name === undefined ? undefined : this.#entries.get(name);
  }

  #changeable(name: string): ServiceEntry | undefined {
    const current = this.#entries.get(name);
    if (current?.origin !== "configuration") return current;
    throw new RpcError(
      "service_declared",
      `${name} comes from the node's configuration: change it there and restart`,
    );
  }
}

export function endOf(lease: Lease): Instant {
  return lease.renewedAt + lease.ttlMs;
}

function taken(current: ServiceEntry, why: string): RpcError {
  return new RpcError("service_name_taken", `the name ${current.service.name} is taken: ${why}`);
}
