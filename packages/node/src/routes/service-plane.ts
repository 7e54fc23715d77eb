import { parseHostAddress } from "@catalyst/config";
import type { Database } from "@catalyst/durable";
import { isOffered } from "@catalyst/envoy";
import { watchSessions } from "@catalyst/session";
import type { OrchestratorEvents } from "../orchestrator-events.ts";
import { routeRules } from "../peering-options.ts";
import { Peers, reachedAt } from "../peers/peers.ts";
import type { ProcessFrame } from "../process.ts";
import { ServiceRegistry } from "../services/service-registry.ts";
import type { ServiceStore } from "../services/service-store.ts";
import { Activator } from "./activation.ts";
import type { GatewayLink } from "./gateway-link.ts";
import type { KeptFile } from "./kept-routes.ts";
import { gatewayEgressOf } from "./mesh.ts";
import { OwnRoutes } from "./own-routes.ts";
import type { ProxyPublisher } from "./proxy-publisher.ts";
import { Reachability } from "./reachability.ts";

/** Until the Envoys of peers have heard that a service is gone. */
const lingerMs = 300;

export type ServicePlaneParts = {
  readonly frame: ProcessFrame;
  readonly resources: AsyncDisposableStack;
  readonly database: Database;
  readonly store: ServiceStore;
  readonly events: OrchestratorEvents;
  readonly proxies: ProxyPublisher;
  readonly gateway: GatewayLink;
  readonly kept: KeptFile;
};

/** What the orchestrator knows of services, from their declaration to their being in force. */
export type ServicePlane = {
  /** What this node itself has. */
  readonly registry: ServiceRegistry;
  /** What others have. */
  readonly peers: Peers;
  /** What others are told of it. */
  readonly ownRoutes: OwnRoutes;
  /** How far Envoy and the gateway are. */
  readonly activator: Activator;
};

/**
 * Joins what a change of a service goes through: declared here (registry) or told by others (peers), it is looked at how the
 * service is reached from now on (reachability), and that is brought into force (activator). Peers are not opened yet.
 */
export function joinServicePlane(parts: ServicePlaneParts): ServicePlane {
  const { frame, resources, database, store, events, proxies, gateway, kept } = parts;
  const { config, dataDir } = frame;
  const { name: node, domain } = config.node;
  const activator = new Activator({
    proxies,
    gateway,
    egress: gatewayEgressOf(config, dataDir),
    hostOf: (name) => `${name}.${domain}`,
    remoteTimeoutMs: config.mesh.graphql.requestTimeoutMs,
    lingerMs: () => (peers.areHeard ? lingerMs : 0),
    events,
  });
  const peers = resources.use(
    new Peers({
      config,
      dataDir,
      database,
      events,
      sessionEvents: watchSessions(frame),
      onChange: (services) => {
        events.routesChanged(services);
        reachability.routesChanged(services);
      },
      ownTold: () => ownRoutes.told(),
      onComplete: (peer) => reachability.complete(peer),
      onNode: ({ certificateChain, privateKey, trust }, known) =>
        proxies.putNode({ certificate: certificateChain, privateKey }, trust, known),
    }),
  );
  const ownRoutes = new OwnRoutes({
    domain,
    isReachable: reachedAt(config) !== undefined,
    isOffered: (service) => isOffered(service, proxies.mesh),
    settled: (timeoutMs) => proxies.settled(timeoutMs),
    tell: (event) => peers.tell(event),
  });
  const registry = resources.use(
    new ServiceRegistry({
      configured: config.mesh.services,
      store,
      events,
      onChange: (change) => {
        ownRoutes.changed(change);
        reachability.refresh([change.kind === "remove" ? change.name : change.entry.service.name]);
      },
    }),
  );
  const reachability = resources.use(
    new Reachability({
      node: `${node}.${domain}`,
      domain,
      ownHost: parseHostAddress(reachedAt(config) ?? config.mesh.listen.ingress).host,
      find: (name) => registry.get(name),
      routes: (service) => peers.pathsOf(service),
      apply: (reached, gone) => {
        if (gone.length > 0) activator.remove(gone);
        activator.put(reached);
      },
      exportRules: routeRules(config.mesh.peering.export),
      kept,
      restartMs: config.mesh.peering.restartMs,
      onFailure: events.routesNotKept,
    }),
  );
  // What Envoy shows to other nodes is there with the first services: an Envoy that returns must not be told less.
  peers.showNode();
  reachability.load(registry);
  for (const entry of registry) ownRoutes.changed({ kind: "put", entry, created: true });
  return { registry, peers, ownRoutes, activator };
}
