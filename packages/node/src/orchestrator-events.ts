import type { PeerStatus } from "@catalyst/rpc";
import type { Logger, Metrics } from "@catalyst/telemetry";

/** Everything that the orchestrator logs and counts, one function per event. Types are short: `Cluster`. */
export type OrchestratorEvents = {
  proxyConnected(proxy: string): void;
  proxyDisconnected(proxy: string, reason: string): void;
  acknowledged(type: string, resources: number): void;
  rejected(proxy: string, rejection: Rejection): void;
  quarantined(proxy: string, resource: { type: string; name: string; message: string }): void;
  journalDamaged(error: unknown): void;
  journalFailed(error: unknown): void;
  serviceChanged(change: "put" | "remove"): void;
  serviceUnreadable(service: string, problem: string): void;
  serviceReplacedByConfiguration(service: string): void;
  leaseEnded(service: string): void;
  leaseNotEnded(service: string, error: unknown): void;
  serviceNotWell(service: string, trouble: string): void;
  serviceWell(service: string): void;
  gatewayRefused(error: unknown): void;
  gatewayLost(): void;
  authLost(): void;
  credentialsTaken(version: number, revoked: number): void;
  credentialsUnusable(error: unknown): void;
  credentialsNotKept(error: unknown): void;
  certificatesReplaced(files: readonly string[]): void;
  certificatesUnusable(error: unknown): void;
  /** Whom the organisation believes cannot be heard of: what was known stays. */
  trustUnheard(error: unknown): void;
  /** By the code of spec/invitation.md §6; `peer` is who the invitation is for, or says to be. */
  invitationRefused(code: string, peer: string): void;
  /** An invitation, or a peer that came by one, could not be written down. */
  peersFailed(error: unknown): void;
  /** Of services, by their full names. */
  routesChanged(services: readonly string[]): void;
  /** How services of other nodes were reached cannot be kept for the next start, or be read after it. */
  routesNotKept(error: unknown): void;
};

type Rejection = { readonly type: string; readonly names: readonly string[]; readonly message: string };

/** What is counted only when somebody asks. */
export type OrchestratorCounts = {
  readonly services: () => Readonly<Record<string, number>>;
  readonly proxies: () => number;
  readonly quarantined: () => number;
  readonly gatewayConnected: () => boolean;
  readonly peers: () => readonly PeerStatus[];
};

const mostNames = 20;

export function createOrchestratorEvents(logger: Logger, metrics: Metrics): OrchestratorEvents {
  const acknowledged = metrics.counter("xds_acknowledged_total", "Resources that Envoy took.", ["type"]);
  const rejected = metrics.counter("xds_rejected_total", "Answers that Envoy rejected.", ["type"]);
  const connections = metrics.counter("xds_connections_total", "Streams that an Envoy opened.", []);
  const changes = metrics.counter("service_changes_total", "Services that came, changed or went.", [
    "change",
  ]);
  const leases = metrics.counter(
    "leases_expired_total",
    "Leases that ended because nobody renewed them.",
    [],
  );
  const troubles = metrics.counter("service_troubles_total", "Times that a service was found not well.", [
    "trouble",
  ]);
  const refused = metrics.counter(
    "peer_invitations_refused_total",
    "Invitations that were refused, by reason.",
    ["code"],
  );
  return {
    proxyConnected: (proxy) => {
      connections.inc({});
      logger.info({ proxy }, "Envoy connected");
    },
    proxyDisconnected: (proxy, reason) => logger.warn({ proxy, reason }, "Envoy disconnected"),
    acknowledged: (type, resources) => acknowledged.inc({ type }, resources),
    rejected: (proxy, { type, names, message }) => {
      rejected.inc({ type });
      logger.warn({ proxy, type, names: names.slice(0, mostNames), message }, "Envoy rejected an update");
    },
    quarantined: (proxy, resource) => logger.error({ proxy, ...resource }, "a resource is held back"),
    journalDamaged: (err) =>
      logger.error({ err }, "the last good configuration is damaged: set aside, and begun anew"),
    journalFailed: (err) => logger.error({ err }, "the last good configuration could not be written"),
    serviceChanged: (change) => changes.inc({ change }),
    serviceUnreadable: (service, problem) =>
      logger.error({ service, problem }, "a stored service cannot be read and is left out"),
    serviceReplacedByConfiguration: (service) =>
      logger.warn({ service }, "the configuration replaces a service added at run time"),
    leaseEnded: (service) => {
      leases.inc({});
      logger.warn({ service }, "a lease was not renewed: the service is removed");
    },
    leaseNotEnded: (service, err) =>
      logger.error({ err, service }, "a lease could not be ended: trying again"),
    serviceNotWell: (service, trouble) => {
      troubles.inc({ trouble });
      logger.warn({ service, trouble }, "a service is not well");
    },
    serviceWell: (service) => logger.info({ service }, "a service is well again, as far as Envoy knows"),
    gatewayRefused: (err) => logger.warn({ err }, "the gateway did not take an update: trying again"),
    gatewayLost: () => logger.warn("the gateway went away"),
    authLost: () =>
      logger.warn("the auth process went away: the keys and revocations last known stay in force"),
    credentialsTaken: (version, revoked) =>
      logger.info({ version, revoked }, "what credentials are verified by was told to Envoy"),
    credentialsUnusable: (err) =>
      logger.error({ err }, "new keys cannot be used; those last known stay in force"),
    credentialsNotKept: (err) =>
      logger.error(
        { err },
        "the keys could not be written: a start without the auth process would not know them",
      ),
    certificatesReplaced: (files) => logger.info({ files }, "certificates were replaced"),
    certificatesUnusable: (err) => logger.warn({ err }, "new certificates cannot be used; the old ones stay"),
    trustUnheard: (err) => logger.debug({ err }, "the auth process does not say whom to believe"),
    invitationRefused: (code, peer) => {
      refused.inc({ code });
      logger.warn({ code, peer }, "an invitation was refused");
    },
    peersFailed: (err) => logger.error({ err }, "a peer could not be written down: nobody is let in by it"),
    routesNotKept: (err) =>
      logger.warn({ err }, "how services of other nodes are reached was not kept over a restart"),
    routesChanged: (services) =>
      logger.debug({ services: services.slice(0, 20), count: services.length }, "routes changed"),
  };
}

/** Gauges that are read when somebody asks for the metrics. */
export function exposeCounts(metrics: Metrics, counts: OrchestratorCounts): void {
  metrics.readGauge("services", "Services, by how they stand.", ["state"], () =>
    Object.entries(counts.services()).map(([state, count]) => [{ state }, count]),
  );
  const one = (name: string, help: string, read: () => number) =>
    metrics.readGauge(name, help, [], () => [[{}, read()]]);
  one("xds_proxies", "Envoys that take their configuration from here.", counts.proxies);
  one("xds_quarantined", "Resources held back because an Envoy rejected them.", counts.quarantined);
  one("gateway_connected", "1 while the gateway takes its services from here.", () =>
    counts.gatewayConnected() ? 1 : 0,
  );
  metrics.readGauge("peers", "Peers, by the state of the session with them.", ["state"], () => {
    const states = Map.groupBy(counts.peers(), ({ state }) => state);
    return [...states].map(([state, peers]) => [{ state }, peers.length]);
  });
  metrics.readGauge(
    "routes",
    "Routes, by peer, that it told (received) and was told (advertised).",
    ["peer", "table"],
    () =>
      counts
        .peers()
        .flatMap(({ node, received, advertised }) => [
          [{ peer: node ?? "", table: "received" }, received] as const,
          [{ peer: node ?? "", table: "advertised" }, advertised] as const,
        ]),
  );
}
