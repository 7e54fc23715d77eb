import type { ServiceDeclaration } from "@catalyst/rpc";
import { encodeResource, type Resource } from "@catalyst/xds";
import { TrafficDirection } from "@catalyst/xds/api/config/core/v3/base_pb";
import type { FilterSchema } from "@catalyst/xds/api/config/listener/v3/listener_components_pb";
import { ListenerSchema } from "@catalyst/xds/api/config/listener/v3/listener_pb";
import {
  TcpProxySchema,
  UpstreamConnectMode,
} from "@catalyst/xds/api/extensions/filters/network/tcp_proxy/v3/tcp_proxy_pb";
import { connectionLog } from "./access-log.ts";
import { nowhere } from "./cluster.ts";
import type { CompiledService } from "./compile.ts";
import { type MeshInput, serviceHost, type TcpPort } from "./mesh.ts";
import { duration, type Init, packed, socketAddress } from "./message.ts";
import { pathsCluster } from "./node-cluster.ts";
import { declarationOf, nextHopsOf, type ReachableService, servedHere } from "./reachable.ts";
import { tcpByHost, tcpNodes, tcpPrefix, tcpRules } from "./tcp-access.ts";
import {
  insideCluster,
  tcpNodeCluster,
  tcpNodeClusterName,
  tcpServiceCluster,
  tcpServiceClusterName,
} from "./tcp-cluster.ts";

/** Whether other nodes may connect to TCP services: without TLS nothing says which one they want. */
export function takesTcp({ listen, nodes }: MeshInput): boolean {
  return listen.mesh !== undefined && nodes !== "plain";
}

/** Both directions silent for so long, a connection ends. */
const idleMs = 3_600_000;

/**
 * Whether a TCP service can be had; if not, why and what to do. Whoever connects presents nothing but its certificate, and
 * that is a node's: what needs a credential is not served by TCP.
 */
export function tcpFault({ name, paths }: ReachableService, mesh: MeshInput): string | null {
  if (mesh.auth !== undefined && !mesh.auth.open.includes(name))
    return "`auth.required` is on, and over TCP nobody presents a credential: name the service in `auth.open`, or leave it out here";
  if (mesh.nodes === "plain" && paths.every(({ to }) => to === "node"))
    return "it stands at other nodes, and without TLS between them (`mesh.peering.insecurePlain`) nothing says which service a connection is for";
  return null;
}

/** Whether other nodes can have a service that stands here. */
export function isOffered(service: ServiceDeclaration, mesh: MeshInput): boolean {
  if (service.protocol !== "tcp") return true;
  return takesTcp(mesh) && tcpFault(servedHere(service), mesh) === null;
}

/**
 * The resources of a TCP service. Where it stands here: its cluster, and what leads other nodes' connections there. Where
 * this node opens a port for it: that, and a cluster for each way to it. Throws {@link EnvoyError} `service_invalid` and
 * `next_hop_invalid`.
 */
export function compileTcpService(reachable: ReachableService, mesh: MeshInput): CompiledService {
  const withheld = tcpFault(reachable, mesh);
  if (withheld !== null) return { own: [], shared: [], withheld };
  const { name } = reachable;
  const host = serviceHost(name, mesh.domain);
  const declared = declarationOf(reachable);
  const here =
    declared === null ? [] : [tcpServiceCluster(declared, host), ...insideDoor(host, reachable, mesh)];
  const port = mesh.tcp?.find((each) => each.name === name);
  if (port === undefined) return { own: here, shared: [] };
  const nextHops = mesh.nodes === "plain" ? [] : nextHopsOf(reachable);
  const clusters = [...here, ...nextHops.map((nextHop) => tcpNodeCluster(nextHop, host, mesh))];
  const ways = waysOf(reachable, host, mesh);
  const [first = nowhere.name, ...others] = ways;
  if (others.length === 0) return { own: [...clusters, tcpListener(port, first, 1, mesh)], shared: [] };
  const paths = pathsCluster(ways, "connections");
  return { own: [...clusters, tcpListener(port, paths.name, ways.length, mesh)], shared: [paths] };
}

function waysOf({ paths }: ReachableService, host: string, mesh: MeshInput): readonly string[] {
  return paths.flatMap((path) => {
    if (path.to === "here") return [tcpServiceClusterName(host)];
    return mesh.nodes === "plain" ? [] : [tcpNodeClusterName(path.nextHop, host)];
  });
}

/** Name of the listener of a port for a service. */
export function tcpPortName(service: string): string {
  return `tcp-port/${service}`;
}

/** A connection that fails before it was one is tried again, on another way where there is one. */
function tcpListener({ name, listen }: TcpPort, cluster: string, ways: number, mesh: MeshInput): Resource {
  const listener = tcpPortName(name);
  return encodeResource(ListenerSchema, listener, {
    name: listener,
    address: socketAddress(listen),
    trafficDirection: TrafficDirection.OUTBOUND,
    perConnectionBufferLimitBytes: 256 * 1024,
    filterChains: [{ filters: [proxy(listener, mesh, { cluster, attempts: ways + 2, afterTls: false })] }],
  });
}

/**
 * What the mesh listener does with connections of TCP services. The first filters choose the service by the Host that is
 * asked for, and note which node asks when TLS knows; the last one leads to a listener inside of Envoy, the service's own,
 * which decides on that.
 */
export function tcpFilters(mesh: MeshInput): readonly Init<typeof FilterSchema>[] {
  return [tcpByHost, tcpNodes, proxy("mesh", mesh, { cluster: nowhere.name, attempts: 1, afterTls: true })];
}

/** What takes the connections of other nodes for a service that stands here, those of nodes that may have it. */
function insideDoor(host: string, { rules = [] }: ReachableService, mesh: MeshInput): Resource[] {
  if (!takesTcp(mesh)) return [];
  const name = `${tcpPrefix}${host}`;
  const to = { cluster: tcpServiceClusterName(host), attempts: 2, afterTls: false };
  const listener = encodeResource(ListenerSchema, name, {
    name,
    listenerSpecifier: { case: "internalListener", value: {} },
    perConnectionBufferLimitBytes: 256 * 1024,
    filterChains: [{ name: "service", filters: [proxy(name, failuresOf(mesh), to)] }],
    filterChainMatcher: tcpRules(rules, mesh.domain, "service"),
  });
  return [insideCluster(name), listener];
}

/** The mesh listener has told of the connection already; only it does not know why none was had. */
function failuresOf(mesh: MeshInput): MeshInput {
  return mesh.accessLog === "none" ? mesh : { ...mesh, accessLog: "failures" };
}

/** How connections are carried on to a cluster. */
type Carried = { readonly cluster: string; readonly attempts: number; readonly afterTls: boolean };

function proxy(
  listener: string,
  { accessLog = "all" }: MeshInput,
  { cluster, attempts, afterTls }: Carried,
): Init<typeof FilterSchema> {
  const typedConfig = packed(TcpProxySchema, {
    statPrefix: listener,
    clusterSpecifier: { case: "cluster", value: cluster },
    maxConnectAttempts: attempts,
    // What took no connection is left out a moment later, and only then the next try goes another way.
    backoffOptions: { baseInterval: duration(20), maxInterval: duration(100) },
    idleTimeout: duration(idleMs),
    accessLog: connectionLog(listener, accessLog),
    ...(afterTls
      ? { upstreamConnectMode: UpstreamConnectMode.ON_DOWNSTREAM_TLS_HANDSHAKE, maxEarlyDataBytes: 64 * 1024 }
      : {}),
  });
  return { name: "envoy.filters.network.tcp_proxy", configType: { case: "typedConfig", value: typedConfig } };
}
