import type { GatewayReport } from "@catalyst/rpc";
import type { GatewayEvents } from "./events.ts";

type ServiceReport = GatewayReport["services"][number];

/** Remembers since when each service is in its state, and reports the changes. */
export class StateClock {
  readonly #now: () => number;
  readonly #events: GatewayEvents;
  readonly #last = new Map<string, ServiceReport>();

  constructor(now: () => number, events: GatewayEvents) {
    this.#now = now;
    this.#events = events;
  }

  stamp(report: Omit<ServiceReport, "since">): ServiceReport {
    const last = this.#last.get(report.name);
    const since = last?.state === report.state ? last.since : new Date(this.#now()).toISOString();
    const stamped = { ...report, since };
    if (last?.state !== report.state || last.reason !== report.reason) this.#events.serviceState(stamped);
    this.#last.set(report.name, stamped);
    return stamped;
  }

  count(services: readonly ServiceReport[]): void {
    const counts = { serving: 0, stale: 0, excluded: 0 };
    for (const { state } of services) counts[state] += 1;
    this.#events.serviceCounts(counts);
  }

  forget(name: string): void {
    this.#last.delete(name);
  }
}
