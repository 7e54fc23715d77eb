import { createHash } from "node:crypto";
import { RpcError, type ServiceDeclaration, type ServiceOrigin } from "@catalyst/rpc";

/** Monotonic time in ms; only differences mean anything. */
export type Instant = number;

/** A registration that ends by itself when the service stops renewing it. */
export type Lease = {
  readonly id: string;
  /** The one instance of the service that renews it, as it calls itself. */
  readonly holder: string;
  readonly ttlMs: number;
  readonly renewedAt: Instant;
  readonly healthy: boolean;
  readonly detail: string | null;
};

/** What is asked for: a new lease's id, the instance that asks, and for how long. */
export type LeaseRequest = Pick<Lease, "id" | "holder" | "ttlMs">;

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
 * in the configuration only. A leased name belongs to the holder of its lease until that ends, so that two live
 * instances never take it from each other in turns. Only where the holder has missed its renewals may another one at
 * the same URL go on in its place: a service that was killed comes back without ever having been gone.
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

  /** Throws `service_declared`, or `service_leased` while a lease holds the name. */
  planAdd(service: ServiceDeclaration, revision: string, now: Instant): ServiceChange {
    const current = this.#changeable(service.name);
    if (current?.lease) throw leased(current, current.lease, now);
    const entry: ServiceEntry = { service, origin: "runtime", revision, lease: null };
    return { kind: "put", entry, created: current === undefined };
  }

  /** Throws `service_not_found`, `service_declared`, or `service_leased`: a live service would register again. */
  planRemove(name: string, now: Instant): ServiceChange {
    const current = this.#changeable(name);
    if (current === undefined) throw new RpcError("service_not_found", `no service is called ${name}`);
    if (current.lease) throw leased(current, current.lease, now);
    return { kind: "remove", name };
  }

  /** Throws `service_declared`, `service_name_taken` for one that was added, `service_leased` while another holds it. */
  planLease(service: ServiceDeclaration, asked: LeaseRequest, now: Instant): ServiceChange {
    const { id, holder, ttlMs } = asked;
    const current = this.#changeable(service.name);
    if (current?.origin === "runtime") {
      throw new RpcError(
        "service_name_taken",
        `the name ${service.name} is taken: it was added with \`catalyst service add\``,
      );
    }
    if (current?.lease && !mayReplace(current, current.lease, service, holder, now)) {
      throw leased(current, current.lease, now);
    }
    const lease: Lease = { id, holder, ttlMs, renewedAt: now, healthy: true, detail: null };
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

/** A holder renews after a third of the time: one that has not after half of it is dead, or as good as. */
function mayReplace(
  current: ServiceEntry,
  lease: Lease,
  service: ServiceDeclaration,
  holder: string,
  now: Instant,
): boolean {
  if (lease.holder === holder) return true;
  return current.service.url === service.url && now - lease.renewedAt >= lease.ttlMs / 2;
}

function leased({ service: { name, url } }: ServiceEntry, lease: Lease, now: Instant): RpcError {
  const seconds = Math.max(1, Math.ceil((endOf(lease) - now) / 1_000));
  return new RpcError(
    "service_leased",
    `${name} is leased to ${lease.holder} at ${url} for another ${seconds} s, and for longer when it renews`,
  );
}
