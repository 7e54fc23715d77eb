import { setTimeout as sleep } from "node:timers/promises";
import { isDeepStrictEqual } from "node:util";
import type { Activation, GatewayReport, GatewayUpdate } from "@catalyst/rpc";
import type { OrchestratorEvents } from "../orchestrator-events.ts";
import type { ReachedService } from "./reach.ts";

/** The side of Envoy: takes changes at once, and says when every connected proxy has them. */
export type ProxySide = {
  /** Puts services in, or in another form. Resources of other services stay untouched. */
  put(services: readonly ReachedService[]): void;
  remove(names: readonly string[]): void;
  /** Resolves when every connected proxy has answered all that was pushed, or after the time. */
  settled(timeoutMs: number): Promise<void>;
  /** Looks once, for as many services as the caller likes. */
  observe(): (name: string) => ProxyState;
};

/** How far one service has come; a null reason says that nothing is wrong. */
export type ProxyState = { readonly state: Activation["envoy"]; readonly reason: string | null };

/** The side of the gateway: takes the whole list, newest wins. */
export type GatewaySide = {
  /** Resolves when the gateway serves the update, or refuses it, or is away. */
  apply(update: Omit<GatewayUpdate, "version">): Promise<void>;
  report(): GatewayReport | null;
};

export type ActivationParts = {
  readonly proxies: ProxySide;
  readonly gateway: GatewaySide;
  readonly egress: GatewayUpdate["egress"];
  /** How long a service of another node may take: that node knows it better. */
  readonly remoteTimeoutMs: number;
  /** How long requests of others still come for a service that is gone, in ms. */
  readonly lingerMs: () => number;
  readonly hostOf: (name: string) => string;
  readonly events: OrchestratorEvents;
};

/** How long the gateway waits for Envoy's word before it is told of a service all the same. */
const settleMs = 2_000;
/** The same at the start, when without Envoy it would not come to a single schema. */
const firstSettleMs = 10_000;
const retryMs = 1_000;

/**
 * Brings changes into force in the order that breaks nothing: what is new reaches Envoy before the gateway
 * composes it, what is gone leaves the gateway before Envoy stops routing to it.
 *
 * Envoy is told at once; the gateway follows in rounds, one at a time, each with the newest list.
 */
export class Activator {
  readonly #parts: ActivationParts;
  #wanted = new Map<string, ReachedService>();
  /** The part of it that the gateway composes. */
  readonly #graphql = new Map<string, ReachedService>();
  /** Whether that part is another than the gateway was last given. */
  #unsent = true;
  /** Not wanted any more, and still routed. */
  readonly #leaving = new Set<string>();
  #round: Promise<void> | null = null;
  #again = false;
  #isFirst = true;

  constructor(parts: ActivationParts) {
    this.#parts = parts;
  }

  /**
   * Services that are reached from now on, or in another way; all at once. Routes change more often than what follows
   * from them, not least when this node's own come back from the table: what is as it was costs neither Envoy nor us.
   */
  put(services: readonly ReachedService[]): void {
    const changed = services.filter((service) => !isDeepStrictEqual(this.#wanted.get(service.name), service));
    if (changed.length === 0 && services.length > 0) return;
    for (const service of changed) this.#want(service);
    this.#parts.proxies.put(changed);
    this.#follow();
  }

  /** Services that are not reached any more. */
  remove(names: readonly string[]): void {
    for (const name of names) {
      if (!this.#wanted.delete(name)) continue;
      this.#leaving.add(name);
      if (this.#graphql.delete(name)) this.#unsent = true;
    }
    this.#follow();
  }

  /** Resolves when no change is on its way, or after the time. */
  async settled(timeoutMs: number): Promise<void> {
    const deadline = AbortSignal.timeout(timeoutMs);
    const late = new Promise<void>((resolve) => deadline.addEventListener("abort", () => resolve()));
    while (this.#round !== null && !deadline.aborted) await Promise.race([this.#round, late]);
  }

  /** Looks once at both sides, for as many services as the caller likes. */
  observe(): (name: string) => Activation {
    const proxyState = this.#parts.proxies.observe();
    const reported = this.#parts.gateway.report()?.services ?? [];
    const composed = new Map(reported.map((service) => [service.name, service]));
    return (name) => {
      const envoy = proxyState(name);
      if (this.#wanted.get(name)?.protocol !== "graphql") {
        return { envoy: envoy.state, gateway: "not_applicable", reason: envoy.reason };
      }
      const served = composed.get(name);
      const gateway = served === undefined ? "pending" : served.state === "excluded" ? "excluded" : "serving";
      return { envoy: envoy.state, gateway, reason: envoy.reason ?? served?.reason ?? null };
    };
  }

  #want(service: ReachedService): void {
    const { name, protocol } = service;
    this.#wanted.set(name, service);
    this.#leaving.delete(name);
    const before = this.#graphql.get(name);
    if (protocol === "graphql") this.#graphql.set(name, service);
    else this.#graphql.delete(name);
    if (!isSameToGateway(before, this.#graphql.get(name))) this.#unsent = true;
  }

  #follow(): void {
    if (this.#round !== null) {
      this.#again = true;
      return;
    }
    this.#round = this.#run().finally(() => {
      this.#round = null;
      if (this.#again) {
        this.#again = false;
        this.#follow();
      }
    });
  }

  async #run(): Promise<void> {
    const { proxies, gateway, events } = this.#parts;
    await proxies.settled(this.#isFirst ? firstSettleMs : settleMs);
    this.#isFirst = false;
    const leaving = [...this.#leaving];
    if (this.#unsent) {
      this.#unsent = false;
      try {
        await gateway.apply({ egress: this.#parts.egress, services: this.#gatewayServices() });
      } catch (error) {
        this.#unsent = true;
        events.gatewayRefused(error);
        setTimeout(() => this.#follow(), retryMs).unref();
      }
    }
    if (leaving.length > 0) await sleep(this.#parts.lingerMs());
    const gone = leaving.filter((name) => this.#leaving.delete(name));
    if (gone.length > 0) proxies.remove(gone);
  }

  #gatewayServices(): GatewayUpdate["services"] {
    const { hostOf, remoteTimeoutMs } = this.#parts;
    return [...this.#graphql.values()].map(({ name, entry, revision }) => {
      const { timeoutMs = remoteTimeoutMs, subscriptions } = entry?.service ?? {};
      return {
        name,
        host: hostOf(name),
        path: "/graphql",
        timeoutMs,
        revision,
        ...(subscriptions === undefined ? {} : { subscriptions }),
      };
    });
  }
}

/** Whether it is composed as before: by which way it is reached is Envoy's matter. */
function isSameToGateway(before: ReachedService | undefined, after: ReachedService | undefined): boolean {
  if (before === undefined || after === undefined) return before === after;
  return before.revision === after.revision && before.entry?.service === after.entry?.service;
}
