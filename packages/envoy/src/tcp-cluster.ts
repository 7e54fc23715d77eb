import { isIP } from "node:net";
import { create } from "@bufbuild/protobuf";
import type { ServiceDeclaration } from "@catalyst/rpc";
import { encodeResource, type Resource } from "@catalyst/xds";
import {
  Cluster_DiscoveryType,
  Cluster_DnsLookupFamily,
  ClusterSchema,
} from "@catalyst/xds/api/config/cluster/v3/cluster_pb";
import { OutlierDetectionSchema } from "@catalyst/xds/api/config/cluster/v3/outlier_detection_pb";
import type { AddressSchema } from "@catalyst/xds/api/config/core/v3/address_pb";
import { TransportSocketSchema } from "@catalyst/xds/api/config/core/v3/base_pb";
import { base, lbEndpoint } from "./cluster.ts";
import { EnvoyError } from "./errors.ts";
import type { Address, MeshInput } from "./mesh.ts";
import { duration, type Init, packedStruct } from "./message.ts";
import { checkOf, nodeClusterName } from "./node-cluster.ts";
import { nodeTls } from "./node-tls.ts";
import { checkNextHop, type NextHop } from "./reachable.ts";

type ClusterInit = Init<typeof ClusterSchema>;

/**
 * Leads connections of other nodes to the listener inside of Envoy that has its name, and tells that which node it is.
 */
export function insideCluster(name: string): Resource {
  return encodeResource(ClusterSchema, name, {
    name,
    perConnectionBufferLimitBytes: base.perConnectionBufferLimitBytes,
    circuitBreakers: base.circuitBreakers,
    clusterDiscoveryType: { case: "type", value: Cluster_DiscoveryType.STATIC },
    loadAssignment: {
      clusterName: name,
      endpoints: [
        { lbEndpoints: [{ hostIdentifier: { case: "endpoint", value: { address: internal(name) } } }] },
      ],
    },
    transportSocket: withNotes,
  });
}

const withNotes = create(TransportSocketSchema, {
  name: "envoy.transport_sockets.internal_upstream",
  configType: {
    case: "typedConfig",
    value: packedStruct("envoy.extensions.transport_sockets.internal_upstream.v3.InternalUpstreamTransport", {
      transport_socket: {
        name: "envoy.transport_sockets.raw_buffer",
        typed_config: {
          "@type": "type.googleapis.com/envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer",
        },
      },
    }),
  },
});

function internal(name: string): Init<typeof AddressSchema> {
  const addressNameSpecifier = { case: "serverListenerName" as const, value: name };
  return { address: { case: "envoyInternalAddress", value: { addressNameSpecifier } } };
}

const herePrefix = "tcp-here/";

/** Name of a TCP service's cluster where it stands here. */
export function tcpServiceClusterName(host: string): string {
  return `${herePrefix}${host}`;
}

/** Whether it is the cluster of a TCP service, here or at another node: no Host and no node has such a name. */
export function isTcpCluster(name: string): boolean {
  return name.startsWith(herePrefix) || name.includes("#");
}

/** What does not take a connection gets none for a second, later longer; where nothing else is left it is tried all the same. */
const atOnce = create(OutlierDetectionSchema, {
  splitExternalLocalOriginErrors: true,
  consecutiveLocalOriginFailure: 1,
  enforcingConsecutiveLocalOriginFailure: 100,
  enforcingSuccessRate: 0,
  enforcingLocalOriginSuccessRate: 0,
  maxEjectionPercent: 100,
  interval: duration(1_000),
  baseEjectionTime: duration(1_000),
  maxEjectionTime: duration(5_000),
});

/** The cluster of a TCP service that stands here. Throws {@link EnvoyError} `service_invalid`. */
export function tcpServiceCluster({ name, url }: ServiceDeclaration, host: string): Resource {
  const cluster = tcpServiceClusterName(host);
  const { hostname, port, protocol } = new URL(url);
  if (protocol !== "tcp:" || port === "")
    throw new EnvoyError(
      "service_invalid",
      `service ${JSON.stringify(name)}: ${url} is not a tcp://host:port`,
    );
  const address = { host: hostname.replace(/^\[(.*)\]$/, "$1"), port: Number(port) };
  return encodeResource(ClusterSchema, cluster, {
    ...toAddress(cluster, address),
    altStatName: name,
    outlierDetection: atOnce,
  });
}

/** Name of the cluster of a service at another node. */
export function tcpNodeClusterName(nextHop: NextHop, host: string): string {
  return `${nodeClusterName(nextHop)}#${host}`;
}

/**
 * The cluster of a TCP service at another node: connections over TLS that ask for its Host. Whether the node takes any is
 * asked as for requests, over a connection of its own, so that the service sees none but those of clients.
 */
export function tcpNodeCluster(nextHop: NextHop, host: string, mesh: MeshInput): Resource {
  checkNextHop(nextHop);
  const name = tcpNodeClusterName(nextHop, host);
  const check = { purpose: "health" };
  return encodeResource(ClusterSchema, name, {
    ...toAddress(name, nextHop),
    altStatName: `node.${nextHop.sni}.${host}`,
    transportSocket: nodeTls({ ...nextHop, sni: host }, "catalyst-tcp", mesh),
    transportSocketMatches: [{ name: "health", match: check, transportSocket: nodeTls(nextHop, "h2", mesh) }],
    healthChecks: [{ ...checkOf(nextHop), transportSocketMatchCriteria: check }],
    closeConnectionsOnHostHealthFailure: true,
    outlierDetection: atOnce,
  });
}

function toAddress(name: string, { host, port }: Address) {
  const named = isIP(host) === 0;
  const { connectTimeout, perConnectionBufferLimitBytes, circuitBreakers, upstreamConnectionOptions } = base;
  return {
    name,
    connectTimeout,
    perConnectionBufferLimitBytes,
    circuitBreakers,
    upstreamConnectionOptions,
    clusterDiscoveryType: {
      case: "type" as const,
      value: named ? Cluster_DiscoveryType.STRICT_DNS : Cluster_DiscoveryType.STATIC,
    },
    ...(named ? { dnsLookupFamily: Cluster_DnsLookupFamily.ALL } : {}),
    loadAssignment: { clusterName: name, endpoints: [{ lbEndpoints: [lbEndpoint({ host, port })] }] },
  } satisfies ClusterInit;
}
