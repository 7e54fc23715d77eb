import { randomUUID } from "node:crypto";
import type { ServiceDeclaration } from "@catalyst/rpc";
import type { OrchestratorEvents } from "../orchestrator-events.ts";
import type { ServiceStore } from "./service-store.ts";
import { endOf, type ServiceChange, type ServiceEntry, ServiceTable } from "./service-table.ts";

export type RegistryParts = {
  readonly configured: readonly ServiceDeclaration[];
  readonly store: ServiceStore;
  readonly events: OrchestratorEvents;
  /** Called after a change is durable and in force. */
  readonly onChange: (change: ServiceChange) => void;
};

/** After a disk that takes no more. */
const retryMs = 1_000;

/** The services of the node: every change is written to disk first, then in force, then passed on. */
export class ServiceRegistry implements Disposable {
  readonly #parts: RegistryParts;
  readonly #table: ServiceTable;
  readonly #unreadable: string[] = [];
  #timer: NodeJS.Timeout | undefined;

  constructor(parts: RegistryParts) {
    this.#parts = parts;
    this.#table = new ServiceTable(parts.configured);
    const unreadable = (name: string, problem: string) => {
      this.#unreadable.push(name);
      parts.events.serviceUnreadable(name, problem);
    };
    for (const entry of parts.store.load(performance.now(), unreadable)) {
      if (this.#table.get(entry.service.name) === undefined) {
        this.#table.commit({ kind: "put", entry, created: true });
        continue;
      }
      parts.events.serviceReplacedByConfiguration(entry.service.name);
      parts.store.write({ kind: "remove", name: entry.service.name });
    }
    this.#schedule();
  }

  /** Services that were added once and whose record cannot be read: they are not served. */
  get unreadable(): readonly string[] {
    return this.#unreadable.filter((name) => this.#table.get(name) === undefined);
  }

  entries(): ServiceEntry[] {
    return this.#table.entries();
  }

  /** All entries, in no order. */
  [Symbol.iterator](): Iterator<ServiceEntry> {
    return this.#table[Symbol.iterator]();
  }

  get(name: string): ServiceEntry | undefined {
    return this.#table.get(name);
  }

  /** Returns whether the name is new. */
  add(service: ServiceDeclaration): boolean {
    const change = this.#table.planAdd(service, randomUUID(), performance.now());
    this.#apply(change);
    return change.kind === "put" && change.created;
  }

  remove(name: string): void {
    this.#apply(this.#table.planRemove(name, performance.now()));
  }

  /** Returns the id of the lease. */
  lease(service: ServiceDeclaration, holder: string, ttlMs: number): string {
    const id = randomUUID();
    this.#apply(this.#table.planLease(service, { id, holder, ttlMs }, performance.now()));
    return id;
  }

  /** Returns the time to live. A renewal that changes nothing but its time is not written or passed on. */
  renew(id: string, health: { healthy: boolean; detail: string | null }): number {
    const before = this.entryOf(id);
    const change = this.#table.planRenew(id, health, performance.now());
    const lease = change.kind === "put" ? change.entry.lease : null;
    const same = before?.lease?.healthy === lease?.healthy && before?.lease?.detail === lease?.detail;
    if (same) this.#table.commit(change);
    else this.#apply(change);
    return lease?.ttlMs ?? 0;
  }

  /** Returns the name that was released; null when the lease had ended already. */
  release(id: string): string | null {
    const change = this.#table.planRelease(id);
    if (change?.kind !== "remove") return null;
    this.#apply(change);
    return change.name;
  }

  entryOf(leaseId: string): ServiceEntry | undefined {
    return this.#table.leased(leaseId);
  }

  /** Wall time at which a lease ends unless it is renewed. */
  expiresAt(entry: ServiceEntry): Date | null {
    return entry.lease === null ? null : new Date(Date.now() + endOf(entry.lease) - performance.now());
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
  }

  #apply(change: ServiceChange): void {
    this.#parts.store.write(change);
    this.#table.commit(change);
    this.#schedule();
    this.#parts.events.serviceChanged(change.kind);
    this.#parts.onChange(change);
  }

  #schedule(): void {
    clearTimeout(this.#timer);
    const next = this.#table.nextExpiry();
    if (next === null) return;
    this.#timer = setTimeout(() => this.#expire(), Math.max(1, next - performance.now()));
  }

  #expire(): void {
    for (const change of this.#table.planExpiry(performance.now())) {
      const name = change.kind === "remove" ? change.name : "";
      this.#parts.events.leaseEnded(name);
      try {
        this.#apply(change);
      } catch (error) {
        this.#parts.events.leaseNotEnded(name, error);
        this.#timer = setTimeout(() => this.#expire(), retryMs);
        return;
      }
    }
    this.#schedule();
  }
}
