import { type EnvoyView, readAdmin } from "@catalyst/envoy";
import {
  type Activation,
  type CheckResult,
  type Decision,
  type GatewayServiceReport,
  mostServicesInStatus,
  RpcError,
  type ServiceStatus,
} from "@catalyst/rpc";
import type { NodeConfig } from "../options.ts";
import type { OrchestratorCounts } from "../orchestrator-events.ts";
import { nextHopCheck, peerChecks } from "../peers/peer-checks.ts";
import { type Peers, reachedAt } from "../peers/peers.ts";
import { checked, notExplainable } from "../process.ts";
import type { Activator } from "../routes/activation.ts";
import type { GatewayLink } from "../routes/gateway-link.ts";
import type { IngressGate } from "../routes/ingress-gate.ts";
import type { ProxyPublisher } from "../routes/proxy-publisher.ts";
import type { EndpointHealth } from "../services/endpoint-health.ts";
import type { ServiceRegistry } from "../services/service-registry.ts";
import type { ServiceEntry } from "../services/service-table.ts";
import type { AuthLink } from "./auth-link.ts";

/** How many services are named at once where a person reads; `status` and `service list` name all. */
const mostNamed = 20;

export type ViewParts = {
  readonly config: NodeConfig;
  readonly registry: ServiceRegistry;
  readonly activator: Activator;
  readonly proxies: ProxyPublisher;
  readonly gate: IngressGate;
  readonly gateway: GatewayLink;
  /** Null when no credentials are demanded. */
  readonly auth: AuthLink | null;
  readonly health: EndpointHealth;
  readonly peers: Peers;
  readonly hostOf: (name: string) => string;
  readonly adminSocket: string;
};

/** Puts together what the orchestrator knows, for `status`, `check`, `service list` and `explain`. */
export class OrchestratorView {
  readonly #parts: ViewParts;

  constructor(parts: ViewParts) {
    this.#parts = parts;
  }

  services(): ServiceStatus[] {
    const stateOf = this.#parts.activator.observe();
    return this.#parts.registry.entries().map((entry) => this.#service(entry, stateOf(entry.service.name)));
  }

  /** Asked every second: little is made of the services that are as they should be. */
  #summary() {
    const { activator, registry } = this.#parts;
    const stateOf = activator.observe();
    const counts = { serving: 0, pending: 0, degraded: 0, failed: 0 };
    const named: ServiceEntry[] = [];
    const others: ServiceEntry[] = [];
    for (const entry of registry) {
      const activation = stateOf(entry.service.name);
      const state = worst(activation, this.#reasons(entry, activation));
      counts[state] += 1;
      const list = state === "serving" ? others : named;
      if (list.length < mostServicesInStatus) list.push(entry);
    }
    const chosen = [...named, ...others].slice(0, mostServicesInStatus).sort(byName);
    return { counts, services: chosen.map((entry) => this.#service(entry, stateOf(entry.service.name))) };
  }

  /** Services that are not as they should be, with why. */
  #troubled(): { readonly name: string; readonly reasons: readonly string[] }[] {
    const stateOf = this.#parts.activator.observe();
    const troubled = [];
    for (const entry of this.#parts.registry) {
      const { name } = entry.service;
      const reasons = this.#reasons(entry, stateOf(name));
      if (reasons.length > 0) troubled.push({ name, reasons });
    }
    return troubled;
  }

  details() {
    const { config, proxies, gateway, auth, peers } = this.#parts;
    return {
      node: config.node.name,
      domain: config.node.domain,
      ...this.#summary(),
      proxies: proxies.proxies(),
      quarantined: proxies.quarantined(),
      gateway: { connected: gateway.connected(), report: gateway.report() },
      credentials: auth?.state() ?? null,
      peering: peers.state(),
    };
  }

  counts(): OrchestratorCounts {
    const { proxies, gateway, peers } = this.#parts;
    return {
      services: () => this.#summary().counts,
      proxies: () => proxies.proxies().length,
      quarantined: () => proxies.quarantined().length,
      gatewayConnected: () => gateway.connected(),
      peers: () => peers.list(),
    };
  }

  readiness(): { ready: boolean; reasons: string[] } {
    const { proxies, gate, gateway } = this.#parts;
    if (!gate.isOpen) return { ready: false, reasons: ["clients are let in when the gateway is configured"] };
    if (proxies.proxies().length === 0) return { ready: true, reasons: ["no Envoy is connected"] };
    const troubled = this.#troubled();
    const reasons = troubled
      .slice(0, mostNamed)
      .flatMap(({ name, reasons }) => reasons.map((reason) => `${name}: ${reason}`));
    if (troubled.length > mostNamed) reasons.push(`and ${troubled.length - mostNamed} more services`);
    for (const name of this.#parts.registry.unreadable) {
      reasons.push(`${name}: its record cannot be read, so it is not served: add it again`);
    }
    for (const { type, name, message } of proxies.quarantined()) {
      reasons.push(`Envoy rejected ${type} ${name}: ${message}`);
    }
    if (!gateway.connected()) reasons.push("the gateway is not connected");
    const fault = this.#credentialFault();
    if (fault !== null) reasons.push(fault);
    for (const { name, reason } of proxies.tcpFaults()) reasons.push(`mesh.tcp ${name}: ${reason}`);
    for (const { outcome, detail } of peerChecks(this.#parts.peers.state())) {
      if (outcome !== "ok") reasons.push(...detail.split("\n").map((line) => `peers: ${line}`));
    }
    return { ready: true, reasons };
  }

  check(): CheckResult[] {
    const { config, proxies, gateway, auth, peers, registry } = this.#parts;
    const fault = this.#credentialFault();
    const quarantined = proxies.quarantined();
    const broken = this.#troubled();
    const named = broken.slice(0, mostNamed).map(({ name, reasons }) => `${name}: ${reasons.join(", ")}`);
    if (broken.length > mostNamed) named.push(`and ${broken.length - mostNamed} more`);
    return [
      checked(
        "envoy.connected",
        "Envoy takes its configuration from the orchestrator",
        proxies.proxies().length > 0
          ? null
          : { detail: "no Envoy is connected", hint: "see `catalyst status` and Envoy's log" },
      ),
      checked(
        "envoy.accepted",
        "Envoy accepted every resource",
        quarantined.length === 0
          ? null
          : {
              detail: quarantined.map(({ name, message }) => `${name}: ${message}`).join("; "),
              hint: "correct the services named: the others are served meanwhile",
            },
      ),
      ...this.#tcpCheck(),
      checked(
        "gateway.connected",
        "the gateway takes its services from the orchestrator",
        gateway.connected()
          ? null
          : { detail: "the gateway does not answer", hint: "see `catalyst status` and the gateway's log" },
      ),
      ...(auth === null
        ? []
        : [
            checked(
              "credentials.current",
              "Envoy verifies credentials by the newest keys and revocations",
              fault === null
                ? null
                : { detail: fault, hint: "see `catalyst status` and the log of the auth process" },
            ),
          ]),
      ...peerChecks(peers.state()),
      ...nextHopCheck(peers.state(), registry.entries().length, reachedAt(config)),
      checked(
        "services.serving",
        "every service is served",
        broken.length === 0
          ? null
          : {
              detail: named.join("\n"),
              hint: "mend the services named, or take them out: `catalyst service list` says where each comes from",
            },
      ),
    ];
  }

  /** Why credentials are not verified as they should be; null when they are, or when none is demanded. */
  #credentialFault(): string | null {
    const state = this.#parts.auth?.state();
    if (state === undefined) return null;
    if (state.problem !== null) return `credentials cannot be verified: ${state.problem}`;
    return state.connected
      ? null
      : "the auth process does not answer: nothing new is revoked, and no key changes";
  }

  #tcpCheck(): CheckResult[] {
    const { config, proxies } = this.#parts;
    if (config.mesh.tcp.length === 0) return [];
    const faults = proxies.tcpFaults();
    const detail = faults.map(({ name, reason }) => `${name}: ${reason}`).join("; ");
    const hint = "`catalyst route explain NAME` says what peers tell of a service";
    return [
      checked(
        "tcp.ports",
        "every port of `mesh.tcp` leads to its service",
        faults.length === 0 ? null : { detail, hint },
      ),
    ];
  }

  /** Throws `not_explainable` for another subject than a service, `service_not_found` for an unknown one. */
  async explain(subject: string, name: string): Promise<Decision> {
    if (subject === "route") return this.#explainRoute(name);
    if (subject !== "service") throw notExplainable("orchestrator", subject, ["service", "route"]);
    const entry = this.#parts.registry.get(name);
    if (entry === undefined) {
      const elsewhere = "`catalyst route explain` says how one of another node is reached";
      throw new RpcError("service_not_found", `no service of this node is called ${name}; ${elsewhere}`);
    }
    const activation = this.#parts.activator.observe()(name);
    const status = this.#service(entry, activation);
    const { envoy } = activation;
    const composed = this.#parts.gateway.report()?.services.find((service) => service.name === name) ?? null;
    const held = await this.#heldByEnvoy(name);
    return {
      question: `why is ${name} ${status.state}?`,
      asOf: new Date().toISOString(),
      inputs: {
        service: entry.service,
        origin: entry.origin,
        lease: status.lease,
        envoy: held,
        gateway: composed,
      },
      steps: [
        { rule: "the service is declared", outcome: `yes, by ${entry.origin}` },
        { rule: `Envoy acknowledged its route at ${status.host}`, outcome: envoy },
        { rule: "Envoy holds endpoints for it", outcome: endpointsOf(held) },
        { rule: "a caller needs a credential that names it", outcome: this.#demandOn(name) },
        {
          rule: "it accepts connections, and requests to it are answered",
          outcome: noOr(this.#parts.health.troubleOf(entry.service)),
        },
        { rule: "the gateway composes its schema", outcome: compositionOf(activation, composed) },
        { rule: "it reports to be well", outcome: entry.lease?.healthy === false ? "no" : "yes" },
      ],
      result: [status.state, ...status.reasons].join(": "),
    };
  }

  async #explainRoute(name: string): Promise<Decision> {
    const { peers } = this.#parts;
    if (peers.state() !== null) {
      const decision = peers.explain(name);
      const held = await this.#heldByEnvoy(name.split(".")[0] ?? name);
      const step = { rule: "Envoy holds endpoints for it", outcome: endpointsOf(held) };
      return { ...decision, inputs: { ...decision.inputs, envoy: held }, steps: [...decision.steps, step] };
    }
    throw new RpcError(
      "not_explainable",
      "this node exchanges no routes: give it `mesh.peers`, or `mesh.listen.peers`",
    );
  }

  /** What Envoy has in force for a service; null when it does not answer. */
  async #heldByEnvoy(name: string): Promise<EnvoyView | null> {
    const { adminSocket, hostOf, proxies } = this.#parts;
    const clusters = proxies.clustersOf(name);
    return await readAdmin(adminSocket)
      .view(hostOf(name), clusters.length === 0 ? [hostOf(name)] : clusters)
      .catch(() => null);
  }

  #demandOn(name: string): string {
    const { required, open } = this.#parts.config.auth;
    if (!required) return "no: `auth.required` is off";
    if (open.includes(name)) return "no: `auth.open` names it";
    return `yes: ${this.#credentialFault() ?? "Envoy verifies it"}`;
  }

  #reasons(entry: ServiceEntry, { reason }: Activation): readonly string[] {
    const { service, lease } = entry;
    const trouble = this.#parts.health.troubleOf(service);
    if (reason === null && trouble === null && lease?.healthy !== false) return none;
    return [
      ...(reason === null ? [] : [reason]),
      ...(trouble === null ? [] : [trouble]),
      ...(lease?.healthy === false
        ? [`the service reports to be unwell: ${lease.detail ?? "no reason given"}`]
        : []),
    ];
  }

  #service(entry: ServiceEntry, activation: Activation): ServiceStatus {
    const expiresAt = this.#parts.registry.expiresAt(entry);
    const reasons = this.#reasons(entry, activation);
    return {
      service: entry.service,
      host: this.#parts.hostOf(entry.service.name),
      origin: entry.origin,
      state: worst(activation, reasons),
      reasons: [...reasons],
      lease:
        entry.lease === null || expiresAt === null
          ? null
          : {
              expiresAt: expiresAt.toISOString(),
              healthy: entry.lease.healthy,
              detail: entry.lease.detail,
            },
    };
  }
}

const none: readonly string[] = [];

function endpointsOf(held: EnvoyView | null): string {
  if (held === null) return "unknown: Envoy does not answer";
  if (!held.routed) return "none: its Host is not routed";
  if (held.endpoints.length === 0) return "none: no address is known for its host name";
  return held.endpoints
    .map(({ address, healthy }) => `${address}${healthy ? "" : " (unhealthy)"}`)
    .join(", ");
}

function noOr(trouble: string | null): string {
  return trouble === null ? "yes, as far as is known" : `no: ${trouble}`;
}

function compositionOf({ gateway }: Activation, composed: GatewayServiceReport | null): string {
  if (composed === null) return gateway;
  const { state, kind, since, reason } = composed;
  return `${state}${kind === null ? "" : ` as ${kind}`} since ${since}${reason === null ? "" : `: ${reason}`}`;
}

function worst({ envoy, gateway }: Activation, reasons: readonly string[]): ServiceStatus["state"] {
  if (envoy === "rejected" || gateway === "excluded") return "failed";
  if (reasons.length > 0) return "degraded";
  return envoy === "pending" || gateway === "pending" ? "pending" : "serving";
}

function byName(a: ServiceEntry, b: ServiceEntry): number {
  return a.service.name < b.service.name ? -1 : 1;
}
