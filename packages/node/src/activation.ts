import type { Activation, GatewayReport, GatewayUpdate } from "@catalyst/rpc";
import type { OrchestratorEvents } from "./orchestrator-events.ts";
import type { ServiceEntry } from "./service-table.ts";

/** The side of Envoy: takes changes at once, and says when every connected proxy has them. */
export type ProxySide = {
  /** Puts services in, or in another form. Resources of other services stay untouched. */
  put(entries: readonly ServiceEntry[]): void;
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
  readonly hostOf: (name: string) => string;
  readonly events: OrchestratorEvents;
};

/** How long the gateway waits for Envoy's word before it is told of a service all the same. */
const settleMs = 2_000;
const retryMs = 1_000;

/**
 * Brings changes into force in the order that breaks nothing: what is new reaches Envoy before the gateway
 * composes it, what is gone leaves the gateway before Envoy stops routing to it.
 *
 * Envoy is told at once; the gateway follows in rounds, one at a time, each with the newest list.
 */
export class Activator {
  readonly #parts: ActivationParts;
  #wanted = new Map<string, ServiceEntry>();
  /** The part of it that the gateway composes. */
  readonly #graphql = new Map<string, ServiceEntry>();
  /** Whether that part is another than the gateway was last given. */
  #unsent = true;
  /** Not wanted any more, and still routed. */
  readonly #leaving = new Set<string>();
  #round: Promise<void> | null = null;
  #again = false;

  constructor(parts: ActivationParts) {
    this.#parts = parts;
  }

  /** Takes the whole list; used once, at the start. */
  load(entries: readonly ServiceEntry[]): void {
    for (const entry of entries) this.#want(entry);
    this.#parts.proxies.put(entries);
    this.#follow();
  }

  put(entry: ServiceEntry): void {
    this.#want(entry);
    this.#parts.proxies.put([entry]);
    this.#follow();
  }

  remove(name: string): void {
    if (!this.#wanted.delete(name)) return;
    this.#leaving.add(name);
    if (this.#graphql.delete(name)) this.#unsent = true;
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
      if (this.#wanted.get(name)?.service.protocol !== "graphql") {
        return { envoy: envoy.state, gateway: "not_applicable", reason: envoy.reason };
      }
      const served = composed.get(name);
      const gateway = served === undefined ? "pending" : served.state === "excluded" ? "excluded" : "serving";
      return { envoy: envoy.state, gateway, reason: envoy.reason ?? served?.reason ?? null };
    };
  }

  #want(entry: ServiceEntry): void {
    const { name, protocol } = entry.service;
    this.#wanted.set(name, entry);
    this.#leaving.delete(name);
    const before = this.#graphql.delete(name);
    if (protocol === "graphql") this.#graphql.set(name, entry);
    if (before || protocol === "graphql") this.#unsent = true;
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
    await proxies.settled(settleMs);
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
    const gone = leaving.filter((name) => this.#leaving.delete(name));
    if (gone.length > 0) proxies.remove(gone);
  }

  #gatewayServices(): GatewayUpdate["services"] {
    return [...this.#graphql.values()].map(({ service, revision }) => ({
      name: service.name,
      host: this.#parts.hostOf(service.name),
      path: "/graphql",
      timeoutMs: service.timeoutMs,
      revision,
      ...(service.subscriptions === undefined ? {} : { subscriptions: service.subscriptions }),
    }));
  }
}
