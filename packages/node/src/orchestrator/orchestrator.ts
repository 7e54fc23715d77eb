import { join } from "node:path";
import { openDatabase } from "@catalyst/durable";
import { orchestratorContract, RpcError, type ServiceDeclaration, socketPath } from "@catalyst/rpc";
import { leadsTo } from "../address.ts";
import { generatedCertificate, readAuthorities, readCertificate } from "../identity/certificate.ts";
import { OwnIdentity } from "../identity/own-identity.ts";
import { watchFiles } from "../identity/watch-files.ts";
import { listenersOf, type NodeConfig } from "../options.ts";
import { createOrchestratorEvents, exposeCounts, type OrchestratorEvents } from "../orchestrator-events.ts";
import { paths } from "../paths.ts";
import type { Peers } from "../peers/peers.ts";
import { type ProcessFrame, runProcess } from "../process.ts";
import type { Activator } from "../routes/activation.ts";
import { GatewayLink } from "../routes/gateway-link.ts";
import { IngressGate, isServing } from "../routes/ingress-gate.ts";
import { openKeptFile } from "../routes/kept-routes.ts";
import { meshOf } from "../routes/mesh.ts";
import { ProxyPublisher } from "../routes/proxy-publisher.ts";
import { joinServicePlane } from "../routes/service-plane.ts";
import { EndpointHealth } from "../services/endpoint-health.ts";
import type { ServiceRegistry } from "../services/service-registry.ts";
import { orchestratorMigrations, ServiceStore } from "../services/service-store.ts";
import { AuthLink } from "./auth-link.ts";
import { OrchestratorView } from "./orchestrator-view.ts";
import { followTrust } from "./trust-link.ts";

/** The orchestrator process: knows the services, and brings them into force in Envoy and the gateway. */
export function runOrchestrator(config: NodeConfig, dataDir: string): Promise<void> {
  return runProcess("orchestrator", orchestratorContract, config, dataDir, async (frame, resources) => {
    const database = resources.use(
      openDatabase(join(dataDir, "orchestrator.db"), { migrations: orchestratorMigrations }),
    );
    const store = new ServiceStore(database);
    const hostOf = (name: string) => `${name}.${config.node.domain}`;
    const events = createOrchestratorEvents(frame.logger, frame.metrics);
    const isOpen = await isServing(paths.adminSocket(dataDir));
    const proxies = resources.use(
      await ProxyPublisher.create({
        mesh: meshOf(config, dataDir),
        socketPath: paths.xdsSocket(dataDir),
        journalPath: paths.envoyJournal(dataDir),
        ingressClosed: !isOpen,
        events,
      }),
    );
    if (config.mesh.listen.ingressTls !== undefined) await keepCertificate(frame, proxies, resources, events);
    const { authoritiesFile: authorities } = config.mesh.tls;
    if (authorities !== undefined) {
      followFiles(frame.stopping, events, resources, [authorities], () =>
        proxies.putAuthorities(readAuthorities(authorities)),
      );
    }
    const auth = config.auth.required ? linkAuth(frame, proxies, events) : null;
    const gateway = new GatewayLink({
      socketPath: socketPath(dataDir, "gateway"),
      events,
      stopping: frame.stopping,
      nextVersion: () => store.next("gateway_update"),
      onReport: ({ services }) => ownRoutes.schemasKnown(services),
    });
    const kept = await openKeptFile(paths.remoteServices(dataDir), events.routesNotKept);
    const plane = { frame, resources, database, store, events, proxies, gateway, kept };
    const { registry, peers, ownRoutes, activator } = joinServicePlane(plane);
    const gate = new IngressGate({ proxies, gateway, stopping: frame.stopping }, isOpen);
    const opening = gate.open();
    resources.defer(() => opening);
    await openPeers(peers, frame, events, resources);
    const health = resources.use(
      new EndpointHealth({
        adminSocket: paths.adminSocket(dataDir),
        events,
        stopping: frame.stopping,
        services: () => Iterator.from(registry).map(({ service }) => service),
        find: (name) => registry.get(name)?.service,
        onChange: (name, isWell) => ownRoutes.wellnessChanged(name, isWell),
      }),
    );
    const view = new OrchestratorView({
      config,
      registry,
      activator,
      proxies,
      gate,
      gateway,
      auth,
      health,
      peers,
      hostOf,
      adminSocket: paths.adminSocket(dataDir),
    });
    exposeCounts(frame.metrics, view.counts());
    return {
      details: () => view.details(),
      readiness: () => view.readiness(),
      drain: async () => peers.endWatches(),
      implementation: {
        ...serviceCalls(config, registry, activator, view),
        ...peers.calls(),
        leave: () => peers.leave(),
        check: () => view.check(),
        explain: ({ subject, name }) => view.explain(subject, name),
      },
    };
  });
}

/** The node's own certificate is made anew in its last third; looked at twice a day. */
const renewEveryMs = 12 * 60 * 60 * 1_000;

function serviceCalls(
  config: NodeConfig,
  registry: ServiceRegistry,
  activator: Activator,
  view: OrchestratorView,
) {
  const hostOf = (name: string) => `${name}.${config.node.domain}`;
  const listeners = listenersOf(config.mesh);
  const admit = ({ name, url }: ServiceDeclaration) => {
    if (!leadsTo(url, listeners)) return;
    throw new RpcError(
      "invalid_request",
      `${name}: ${url} leads back to this node: name the service's own address`,
    );
  };
  return {
    addService: async ({ service, waitMs }: { service: ServiceDeclaration; waitMs: number }) => {
      admit(service);
      const created = registry.add(service);
      await activator.settled(waitMs);
      return { created, host: hostOf(service.name), activation: activator.observe()(service.name) };
    },
    removeService: async ({ name }: { name: string }) => {
      registry.remove(name);
      await activator.settled(5_000);
      return { name };
    },
    listServices: () => view.services(),
    lease: ({ service, holder, ttlMs }: { service: ServiceDeclaration; holder: string; ttlMs: number }) => {
      admit(service);
      return { leaseId: registry.lease(service, holder, ttlMs), ttlMs, host: hostOf(service.name) };
    },
    renew: (renewal: { leaseId: string; healthy: boolean; detail?: string | undefined }) => {
      const { leaseId, healthy, detail = null } = renewal;
      return { ttlMs: registry.renew(leaseId, { healthy, detail }) };
    },
    release: async ({ leaseId }: { leaseId: string }) => {
      const name = registry.release(leaseId);
      await activator.settled(5_000); // the service may end once nobody is sent to it any more
      return { name };
    },
  };
}

/** Opens sessions with peers, and follows the node's certificate. */
async function openPeers(
  peers: Peers,
  { config, dataDir, stopping }: ProcessFrame,
  events: OrchestratorEvents,
  resources: AsyncDisposableStack,
): Promise<void> {
  const own = new OwnIdentity(config, dataDir);
  const files = [...own.files("orchestrator"), ...own.files("envoy")];
  followFiles(stopping, events, resources, files, () => peers.identityChanged());
  const following = followTrust({
    socketPath: socketPath(dataDir, "auth"),
    stopping,
    onTrust: (trust) => peers.trustChanged(trust),
    onFailure: events.trustUnheard,
  });
  resources.defer(() => following);
  await peers.open();
}

/** Tells Envoy what credentials are verified by, whenever the auth process tells us. */
function linkAuth({ dataDir, stopping }: ProcessFrame, proxies: ProxyPublisher, events: OrchestratorEvents) {
  return new AuthLink({
    socketPath: socketPath(dataDir, "auth"),
    file: paths.credentials(dataDir),
    events,
    stopping,
    prepare: (credentials) => proxies.prepareCredentials(credentials),
  });
}

async function keepCertificate(
  frame: ProcessFrame,
  proxies: ProxyPublisher,
  resources: AsyncDisposableStack,
  events: OrchestratorEvents,
): Promise<void> {
  const { certificateFile, privateKeyFile } = frame.config.mesh.tls;
  if (certificateFile === undefined || privateKeyFile === undefined) {
    const renew = async () =>
      proxies.putCertificate(await generatedCertificate(frame.dataDir, frame.config.node.domain));
    await renew();
    const timer = setInterval(() => renew().catch(events.certificatesUnusable), renewEveryMs);
    resources.defer(() => clearInterval(timer));
    return;
  }
  const read = () => readCertificate({ certificateFile, privateKeyFile });
  proxies.putCertificate(read());
  followFiles(frame.stopping, events, resources, [certificateFile, privateKeyFile], () =>
    proxies.putCertificate(read()),
  );
}

/** Takes up what changes in the files; what cannot be used is named in the log, and the old stays in force. */
function followFiles(
  stopping: AbortSignal,
  events: OrchestratorEvents,
  resources: AsyncDisposableStack,
  files: readonly string[],
  take: () => void,
): void {
  const onChange = () => {
    take();
    events.certificatesReplaced(files);
  };
  const watching = watchFiles(files, stopping, onChange, events.certificatesUnusable);
  resources.defer(() => watching);
}
