import { type Resource, type ResourceName, typeUrl } from "@catalyst/xds";
import { ClusterSchema } from "@catalyst/xds/api/config/cluster/v3/cluster_pb";
import { RouteConfigurationSchema } from "@catalyst/xds/api/config/route/v3/route_pb";
import { ScopedRouteConfigurationSchema } from "@catalyst/xds/api/config/route/v3/scoped_route_pb";
import { compileCredentials } from "./auth.ts";
import { gatewayCluster, nowhere, publicKeysCluster, serviceCluster } from "./cluster.ts";
import { EnvoyError } from "./errors.ts";
import { listeners } from "./listener.ts";
import { checkMesh, isOpen, type MeshInput } from "./mesh.ts";
import { compileMeshListener } from "./mesh-listener.ts";
import { nodeCluster, nodeClusterName, pathsCluster } from "./node-cluster.ts";
import {
  heraldName,
  nodesRoutes,
  nodesRoutesHerald,
  nodesRoutesName,
  nodesScope,
  sharedServiceScope,
  type Way,
} from "./nodes-scope.ts";
import { declarationOf, nextHopsOf, type ReachableService } from "./reachable.ts";
import { anyCaseScope, anyHostScope, gatewayScope, meshScope, serviceScope } from "./scope.ts";
import { type RoutedService, routeService } from "./service.ts";
import { compileTcpService } from "./tcp.ts";
import { compileTrust } from "./tls.ts";
import { addressCluster, addressClusterName, compileWayOut, isBehindWayOut } from "./way-out.ts";

/**
 * All that a node's Envoy has whatever its services are: listeners, the gateway, what is served outside the
 * domain, and the trust in services' certificates. With a TLS listener the caller adds its secret, with other nodes
 * this one's identity and its trust.
 *
 * Throws {@link EnvoyError} `mesh_invalid`.
 */
export function compileNode(mesh: MeshInput): Resource[] {
  checkMesh(mesh);
  const nodes = compileMeshListener(mesh);
  const wayOut = compileWayOut(mesh);
  return [
    gatewayCluster(mesh),
    nowhere,
    ...(mesh.keysSocketPath === undefined ? [] : [publicKeysCluster(mesh.keysSocketPath)]),
    compileTrust(mesh.upstreamTrust),
    ...listeners(mesh),
    ...(nodes === null ? [] : [nodes]),
    ...(wayOut === null ? [] : [wayOut]),
    anyHostScope(mesh),
    anyCaseScope(),
    gatewayScope(mesh),
    ...(mesh.auth === undefined ? [] : compileCredentials(null)),
  ];
}

/** What was made before for another service that shares it: most services are those of few nodes. */
export type Known = (name: ResourceName) => Resource | undefined;

/** What a service needs in Envoy: what is its own, and what it shares with others. */
export type CompiledService = {
  readonly own: readonly Resource[];
  readonly shared: readonly Resource[];
  /** Why it is not served at all, and what to do. Absent: it is. */
  readonly withheld?: string;
};

/**
 * The resources of one service. Where this node has it: its cluster, its endpoints, its scope, and one for other nodes, less than
 * 2 kB. Where others have it: its scope alone, 0.2 kB; clusters and routes are shared by all services that are reached as it is. A
 * TCP service has {@link compileTcpService}.
 * Throws {@link EnvoyError} `service_invalid` and `next_hop_invalid`.
 *
 * ```ts
 * compileService(servedHere({ name: "products", protocol: "graphql", url: "http://127.0.0.1:4001/graphql", timeoutMs: 15_000 }), mesh);
 * ```
 */
export function compileService(
  reachable: ReachableService,
  mesh: MeshInput,
  known: Known = () => undefined,
): CompiledService {
  if (reachable.protocol === "tcp") return compileTcpService(reachable, mesh);
  const { name } = reachable;
  const declared = declarationOf(reachable);
  const here = declared === null ? null : routeService(declared, mesh);
  const own = here === null ? [] : serviceCluster(here);
  if (here !== null && mesh.listen.mesh !== undefined) own.push(meshScope(here, mesh, reachable.rules));
  const ways = waysOf(reachable, here);
  const [first, ...others] = ways;
  if (first === undefined) throw new EnvoyError("service_invalid", `service ${name} is nowhere`);
  if (here !== null && first === here.host && others.length === 0) {
    return { own: [...own, serviceScope(here, mesh)], shared: [] };
  }
  const made = (type: string, resource: string, make: () => Resource) =>
    known({ type, name: resource }) ?? make();
  const nextHops = nextHopsOf(reachable);
  const shared = [
    ...nextHops.map((hop) => made(clusterType, nodeClusterName(hop), () => nodeCluster(hop, mesh))),
    ...nextHops
      .filter((hop) => isBehindWayOut(hop, mesh))
      .map((hop) => made(clusterType, addressClusterName(hop), () => addressCluster(hop))),
  ];
  const paths = others.length === 0 ? null : pathsCluster(ways, "requests");
  if (paths !== null) shared.push(paths);
  const way: Way = { cluster: paths?.name ?? first, ways: ways.length };
  if (here !== null) return { own: [...own, sharedServiceScope(name, way, mesh)], shared };
  const open = isOpen(name, mesh);
  const routes = nodesRoutesName(way, open);
  shared.push(
    made(routeType, routes, () => nodesRoutes(way, open, mesh)),
    made(scopeType, heraldName(routes), () => nodesRoutesHerald(way, open)),
  );
  return { own: [...own, nodesScope(name, routes, mesh)], shared };
}

const clusterType = typeUrl(ClusterSchema);
const routeType = typeUrl(RouteConfigurationSchema);
const scopeType = typeUrl(ScopedRouteConfigurationSchema);

/**
 * The clusters that a service is reached by, the preferred one first. One here whose paths are rewritten stands alone:
 * to other nodes they go as they are.
 */
function waysOf({ paths }: ReachableService, here: RoutedService | null): readonly string[] {
  const rewrites = here?.paths.some(({ to }) => to !== null) === true;
  if (here !== null && rewrites && paths[0]?.to === "here") return [here.host];
  return paths.flatMap((path) => {
    if (path.to === "node") return [nodeClusterName(path.nextHop)];
    return rewrites || here === null ? [] : [here.host];
  });
}
