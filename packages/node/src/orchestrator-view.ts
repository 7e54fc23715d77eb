import { type EnvoyView, readAdmin } from "@catalyst/envoy";
import {
  type Activation,
  type CheckResult,
  type Decision,
  RpcError,
  type ServiceStatus,
} from "@catalyst/rpc";
import type { Activator } from "./activation.ts";
import type { GatewayLink } from "./gateway-link.ts";
import type { NodeConfig } from "./options.ts";
import { checked, notExplainable } from "./process.ts";
import type { ProxyPublisher } from "./proxy-publisher.ts";
import type { ServiceRegistry } from "./service-registry.ts";
import type { ServiceEntry } from "./service-table.ts";

export type ViewParts = {
  readonly config: NodeConfig;
  readonly registry: ServiceRegistry;
  readonly activator: Activator;
  readonly proxies: ProxyPublisher;
  readonly gateway: GatewayLink;
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

  details() {
    const { config, proxies, gateway } = this.#parts;
    return {
      node: config.node.name,
      domain: config.node.domain,
      services: this.services(),
      proxies: proxies.proxies(),
      quarantined: proxies.quarantined(),
      gateway: { connected: gateway.connected(), report: gateway.report() },
    };
  }

  readiness(): { ready: boolean; reasons: string[] } {
    const { proxies, gateway } = this.#parts;
    const reasons = this.services()
      .filter(({ state }) => state === "degraded" || state === "failed")
      .flatMap(({ service, reasons }) => reasons.map((reason) => `${service.name}: ${reason}`));
    for (const name of this.#parts.registry.unreadable) {
      reasons.push(`${name}: its record cannot be read, so it is not served: add it again`);
    }
    for (const { type, name, message } of proxies.quarantined()) {
      reasons.push(`Envoy rejected ${type} ${name}: ${message}`);
    }
    if (proxies.proxies().length === 0) reasons.push("no Envoy is connected");
    if (!gateway.connected()) reasons.push("the gateway is not connected");
    return { ready: true, reasons };
  }

  check(): CheckResult[] {
    const { proxies, gateway } = this.#parts;
    const quarantined = proxies.quarantined();
    const broken = this.services().filter(({ state }) => state !== "serving");
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
      checked(
        "gateway.connected",
        "the gateway takes its services from the orchestrator",
        gateway.connected()
          ? null
          : { detail: "the gateway does not answer", hint: "see `catalyst status` and the gateway's log" },
      ),
      checked(
        "services.serving",
        "every service is served",
        broken.length === 0
          ? null
          : {
              detail: broken
                .map(({ service, reasons }) => `${service.name}: ${reasons.join(", ")}`)
                .join("; "),
              hint: "mend the services named, or remove them with `catalyst service remove`",
            },
      ),
    ];
  }

  /** Throws `not_explainable` for another subject than a service, `service_not_found` for an unknown one. */
  async explain(subject: string, name: string): Promise<Decision> {
    if (subject !== "service") throw notExplainable("orchestrator", subject, ["service"]);
    const entry = this.#parts.registry.get(name);
    if (entry === undefined) throw new RpcError("service_not_found", `no service is called ${name}`);
    const activation = this.#parts.activator.observe()(name);
    const status = this.#service(entry, activation);
    const { envoy, gateway } = activation;
    const held = await readAdmin(this.#parts.adminSocket)
      .view(status.host)
      .catch(() => null);
    return {
      question: `why is ${name} ${status.state}?`,
      asOf: new Date().toISOString(),
      inputs: { service: entry.service, origin: entry.origin, lease: status.lease, envoy: held },
      steps: [
        { rule: "the service is declared", outcome: `yes, by ${entry.origin}` },
        { rule: `Envoy acknowledged its route at ${status.host}`, outcome: envoy },
        { rule: "Envoy holds endpoints for it", outcome: endpointsOf(held) },
        { rule: "the gateway composes its schema", outcome: gateway },
        { rule: "it reports to be well", outcome: entry.lease?.healthy === false ? "no" : "yes" },
      ],
      result: [status.state, ...status.reasons].join(": "),
    };
  }

  #service(entry: ServiceEntry, { envoy, gateway, reason }: Activation): ServiceStatus {
    const expiresAt = this.#parts.registry.expiresAt(entry);
    const unwell = entry.lease?.healthy === false;
    const reasons = [
      ...(reason === null ? [] : [reason]),
      ...(unwell ? [`the service reports to be unwell: ${entry.lease?.detail ?? "no reason given"}`] : []),
    ];
    return {
      service: entry.service,
      host: this.#parts.hostOf(entry.service.name),
      origin: entry.origin,
      state: worst(envoy, gateway, reasons),
      reasons,
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

function endpointsOf(held: EnvoyView | null): string {
  if (held === null) return "unknown: Envoy does not answer";
  if (!held.routed) return "none: its Host is not routed";
  return held.endpoints
    .map(({ address, healthy }) => `${address}${healthy ? "" : " (unhealthy)"}`)
    .join(", ");
}

function worst(envoy: string, gateway: string, reasons: readonly string[]): ServiceStatus["state"] {
  if (envoy === "rejected" || gateway === "excluded") return "failed";
  if (reasons.length > 0) return "degraded";
  return envoy === "pending" || gateway === "pending" ? "pending" : "serving";
}
