import { create } from "@bufbuild/protobuf";
import { encodeResource, type Resource } from "@catalyst/xds";
import {
  Cluster_DiscoveryType,
  Cluster_DnsLookupFamily,
  ClusterSchema,
} from "@catalyst/xds/api/config/cluster/v3/cluster_pb";
import { OutlierDetectionSchema } from "@catalyst/xds/api/config/cluster/v3/outlier_detection_pb";
import { ClusterLoadAssignmentSchema } from "@catalyst/xds/api/config/endpoint/v3/endpoint_pb";
import { HttpProtocolOptionsSchema } from "@catalyst/xds/api/extensions/upstreams/http/v3/http_protocol_options_pb";
import type { Address, MeshInput } from "./mesh.ts";
import { gatewayName, serviceHost } from "./mesh.ts";
import { duration, fromAds, type Init, packed, socketAddress } from "./message.ts";
import type { Endpoint, RoutedService } from "./service.ts";
import { upstreamTls } from "./tls.ts";

type ClusterInit = Init<typeof ClusterSchema>;
type AssignmentInit = Init<typeof ClusterLoadAssignmentSchema>;

/**
 * Node closes a kept connection after 5 s. Closing first leaves no moment in which a request meets a
 * connection that is being closed, which a POST would not survive.
 */
const keptMs = 4_000;

const httpOptions = {
  "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": packed(HttpProtocolOptionsSchema, {
    commonHttpProtocolOptions: { idleTimeout: duration(keptMs) },
    upstreamProtocolOptions: {
      case: "explicitHttpConfig",
      value: { protocolConfig: { case: "httpProtocolOptions", value: {} } },
    },
  }),
};

/** A server of HTTP/2 says itself when it goes: connections are kept, and looked at while they are silent. */
const http2Options = {
  "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": packed(HttpProtocolOptionsSchema, {
    commonHttpProtocolOptions: { idleTimeout: duration(600_000) },
    upstreamProtocolOptions: {
      case: "explicitHttpConfig",
      value: {
        protocolConfig: {
          case: "http2ProtocolOptions",
          value: {
            maxConcurrentStreams: 100,
            initialStreamWindowSize: 256 * 1024,
            initialConnectionWindowSize: 1024 * 1024,
            connectionKeepalive: { interval: duration(10_000), timeout: duration(5_000) },
          },
        },
      },
    },
  }),
};

/**
 * An endpoint is left alone for 5 s, later longer, after three requests in a row that got no answer, or 502, 503 or
 * 504; where no other is left requests are sent to it all the same. There are no health checks: with 10,000 services
 * they made Envoy start in 8 s in place of 2, because it serves none that it has not checked.
 */
const watched = {
  outlierDetection: create(OutlierDetectionSchema, {
    consecutiveGatewayFailure: 3,
    enforcingConsecutiveGatewayFailure: 100,
    enforcingConsecutive5xx: 0,
    enforcingSuccessRate: 0,
    maxEjectionPercent: 100,
    interval: duration(2_000),
    baseEjectionTime: duration(5_000),
    maxEjectionTime: duration(30_000),
  }),
} satisfies ClusterInit;

/** What every cluster has: limits that one bad service meets alone, and connections that notice a dead peer. */
export const base = {
  connectTimeout: duration(1_500),
  // What a client does not read waits here, in each of its connections: Envoy's own limit is four times that.
  perConnectionBufferLimitBytes: 256 * 1024,
  circuitBreakers: {
    thresholds: [{ maxConnections: 8_192, maxPendingRequests: 8_192, maxRequests: 8_192, maxRetries: 64 }],
  },
  upstreamConnectionOptions: {
    tcpKeepalive: { keepaliveProbes: 3, keepaliveTime: 30, keepaliveInterval: 10 },
  },
  typedExtensionProtocolOptions: httpOptions,
} satisfies ClusterInit;

/** A service's cluster and, where its addresses are known, its endpoints. */
export function serviceCluster(service: RoutedService): Resource[] {
  const { host, name, discovery, endpoints } = service;
  const tls = upstreamTls(service);
  const cluster: ClusterInit = {
    ...base,
    ...watched,
    name: host,
    altStatName: name,
    ...(service.http === 2 ? { typedExtensionProtocolOptions: http2Options } : {}),
    ...(tls === null ? {} : { transportSocket: tls }),
  };
  const assignment = assign(host, endpoints);
  if (discovery === "name") {
    const resolved: ClusterInit = {
      ...cluster,
      clusterDiscoveryType: { case: "type", value: Cluster_DiscoveryType.LOGICAL_DNS },
      dnsLookupFamily: Cluster_DnsLookupFamily.ALL,
      loadAssignment: assignment,
    };
    return [encodeResource(ClusterSchema, host, resolved)];
  }
  const discovered: ClusterInit = {
    ...cluster,
    clusterDiscoveryType: { case: "type", value: Cluster_DiscoveryType.EDS },
    edsClusterConfig: { edsConfig: fromAds },
  };
  return [
    encodeResource(ClusterSchema, host, discovered),
    encodeResource(ClusterLoadAssignmentSchema, host, assignment),
  ];
}

/** The gateway's cluster: the service `graphql` of this node. */
export function gatewayCluster({ domain, gateway }: MeshInput): Resource {
  const host = serviceHost(gatewayName, domain);
  return encodeResource(ClusterSchema, host, {
    ...base,
    name: host,
    altStatName: gatewayName,
    clusterDiscoveryType: { case: "type", value: Cluster_DiscoveryType.STATIC },
    loadAssignment: {
      clusterName: host,
      endpoints: [{ lbEndpoints: [lbEndpoint(gateway)] }],
    },
  });
}

/** Name of the cluster of what serves the node's public keys: no Host, so no service's. */
export const keysCluster = "auth";

/** The cluster of what serves the node's public keys. */
export function publicKeysCluster(socketPath: string): Resource {
  return encodeResource(ClusterSchema, keysCluster, {
    ...base,
    name: keysCluster,
    clusterDiscoveryType: { case: "type", value: Cluster_DiscoveryType.STATIC },
    loadAssignment: { clusterName: keysCluster, endpoints: [{ lbEndpoints: [lbEndpoint({ socketPath })] }] },
  });
}

/** A cluster that leads nowhere: a connection for which no other is chosen ends. */
export const nowhere: Resource = encodeResource(ClusterSchema, "nowhere", {
  name: "nowhere",
  clusterDiscoveryType: { case: "type", value: Cluster_DiscoveryType.STATIC },
});

function assign(clusterName: string, endpoints: readonly Endpoint[]): AssignmentInit {
  const priorities = [...new Set(endpoints.map(({ priority }) => priority))].sort((a, b) => a - b);
  return {
    clusterName,
    endpoints: priorities.map((wanted) => ({
      priority: wanted,
      lbEndpoints: endpoints
        .filter(({ priority }) => priority === wanted)
        .map(({ address, port, authority }) => lbEndpoint({ host: address, port }, authority)),
    })),
  };
}

/** `hostname` becomes the Host of requests to it. */
export function lbEndpoint(to: Address | { readonly socketPath: string }, hostname = "") {
  const address =
    "port" in to ? socketAddress(to) : { address: { case: "pipe" as const, value: { path: to.socketPath } } };
  return { hostIdentifier: { case: "endpoint" as const, value: { address, hostname } } };
}
