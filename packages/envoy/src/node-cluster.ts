import { hash } from "node:crypto";
import { isIP } from "node:net";
import { encodeResource, type Resource } from "@catalyst/xds";
import {
  Cluster_DiscoveryType,
  Cluster_DnsLookupFamily,
  Cluster_LbPolicy,
  ClusterSchema,
} from "@catalyst/xds/api/config/cluster/v3/cluster_pb";
import type { HealthCheckSchema } from "@catalyst/xds/api/config/core/v3/health_check_pb";
import { ClusterConfigSchema } from "@catalyst/xds/api/extensions/clusters/aggregate/v3/cluster_pb";
import { HttpProtocolOptionsSchema } from "@catalyst/xds/api/extensions/upstreams/http/v3/http_protocol_options_pb";
import { CodecClientType } from "@catalyst/xds/api/type/v3/http_pb";
import { base, lbEndpoint } from "./cluster.ts";
import { answersOfEither, nodeMetadata } from "./internal-headers.ts";
import type { MeshInput } from "./mesh.ts";
import { duration, type Init, packed } from "./message.ts";
import { nodeTls } from "./node-tls.ts";
import { onceForEach } from "./once-for-each.ts";
import { checkNextHop, type NextHop, nodeNameOf } from "./reachable.ts";
import { behindWayOut, isBehindWayOut } from "./way-out.ts";

type ClusterInit = Init<typeof ClusterSchema>;

/** Where a mesh listener says that it takes requests, to nodes that it admits and to nobody else. */
export const nodeHealthPath = "/.well-known/catalyst/mesh";

/**
 * What two nodes say to each other goes over few connections, and all services share them. A ping that is not
 * answered ends a connection: a link that was cut says nothing. An answer that HTTP/2 has no form for, such as a 101 that
 * nobody asked for, ends its own request and not those of the other services.
 */
const overHttp2 = {
  "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": packed(HttpProtocolOptionsSchema, {
    commonHttpProtocolOptions: { idleTimeout: duration(600_000) },
    upstreamProtocolOptions: {
      case: "explicitHttpConfig",
      value: {
        protocolConfig: {
          case: "http2ProtocolOptions",
          value: {
            maxConcurrentStreams: 1_000,
            initialStreamWindowSize: 1024 * 1024,
            initialConnectionWindowSize: 8 * 1024 * 1024,
            allowConnect: true,
            overrideStreamErrorOnInvalidHttpMessage: true,
            connectionKeepalive: { interval: duration(1_000), timeout: duration(1_000) },
          },
        },
      },
    },
  }),
};

/**
 * A node is asked every second whether it takes requests: it may be gone without a word, and says itself when it goes
 * down. Who fails twice gets none, and those under way are ended.
 */
export const checkOf = ({ sni }: NextHop): Init<typeof HealthCheckSchema> => ({
  timeout: duration(750),
  interval: duration(1_000),
  intervalJitter: duration(100),
  noTrafficInterval: duration(1_000),
  unhealthyThreshold: 2,
  healthyThreshold: 1,
  healthChecker: {
    case: "httpHealthCheck",
    value: { host: sni, path: nodeHealthPath, codecClientType: CodecClientType.HTTP2 },
  },
});

/**
 * The cluster of a node, which all of its services share. It stands behind the way out, where it has an address: Envoy cannot
 * ask by that way whether a node is well, and goes to one that is reached by a name directly.
 * Only what it says itself counts, for Envoy takes every stream that
 * is reset for a node that it does not reach: two of one service would leave out all others. A request that did not reach it
 * goes another way meanwhile. Without a path that is well a request fails at once. Throws {@link EnvoyError} `next_hop_invalid`.
 */
export function nodeCluster(nextHop: NextHop, mesh: MeshInput): Resource {
  checkNextHop(nextHop);
  const name = nodeClusterName(nextHop);
  const { host, port, sni } = nextHop;
  const named = isIP(host) === 0;
  const type = named ? Cluster_DiscoveryType.STRICT_DNS : Cluster_DiscoveryType.STATIC;
  const endpoint = isBehindWayOut(nextHop, mesh) ? behindWayOut({ host, port }) : lbEndpoint({ host, port });
  const cluster: ClusterInit = {
    ...base,
    name,
    altStatName: `node.${sni}`,
    clusterDiscoveryType: { case: "type", value: type },
    ...(named ? { dnsLookupFamily: Cluster_DnsLookupFamily.ALL } : {}),
    loadAssignment: {
      clusterName: name,
      endpoints: [{ lbEndpoints: [{ ...endpoint, metadata: nodeMetadata }] }],
    },
    typedExtensionProtocolOptions: overHttp2,
    ...(mesh.nodes === "plain"
      ? {}
      : { transportSocket: nodeTls({ ...nextHop, sni: nodeNameOf(nextHop) }, "h2", mesh) }),
    healthChecks: [checkOf(nextHop)],
    closeConnectionsOnHostHealthFailure: true,
    commonLbConfig: { healthyPanicThreshold: { value: 0 } },
  };
  return encodeResource(ClusterSchema, name, cluster);
}

/** All that tells two next hops apart. */
export const nodeClusterName: (nextHop: NextHop) => string = onceForEach(
  ({ host, port, sni, spiffeId }) => `${spiffeId}@${host}:${port}/${sni}`,
);

/** What is done with answers, whichever of its clusters they come from: Envoy asks the cluster over them alone. */
const answersLookedAt = {
  "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": packed(HttpProtocolOptionsSchema, {
    httpFilters: [...answersOfEither],
    upstreamProtocolOptions: {
      case: "explicitHttpConfig",
      value: { protocolConfig: { case: "httpProtocolOptions", value: {} } },
    },
  }),
};

/**
 * A cluster over clusters, the preferred one first: a request goes to the first that is well. Services with the same
 * paths share it. `requests` where they are of HTTP.
 */
export function pathsCluster(clusters: readonly string[], carries: "requests" | "connections"): Resource {
  const name = pathsClusterName(clusters);
  return encodeResource(ClusterSchema, name, {
    ...base,
    ...(carries === "requests" ? { typedExtensionProtocolOptions: answersLookedAt } : {}),
    name,
    altStatName: "paths",
    lbPolicy: Cluster_LbPolicy.CLUSTER_PROVIDED,
    commonLbConfig: { healthyPanicThreshold: { value: 0 } },
    clusterDiscoveryType: {
      case: "clusterType",
      value: {
        name: "envoy.clusters.aggregate",
        typedConfig: packed(ClusterConfigSchema, { clusters: [...clusters] }),
      },
    },
  });
}

/** Whether it is a cluster over others, and has no endpoints itself. */
export function isPathsCluster(name: string): boolean {
  return name.startsWith(pathsPrefix);
}

const pathsPrefix = "paths/";

export function pathsClusterName(clusters: readonly string[]): string {
  return `${pathsPrefix}${hash("sha256", clusters.join("\n")).slice(0, 32)}`;
}
