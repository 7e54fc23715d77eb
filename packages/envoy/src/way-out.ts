import { isIP } from "node:net";
import { encodeResource, type Resource } from "@catalyst/xds";
import { Cluster_DiscoveryType, ClusterSchema } from "@catalyst/xds/api/config/cluster/v3/cluster_pb";
import type {
  FilterChainSchema,
  FilterSchema,
} from "@catalyst/xds/api/config/listener/v3/listener_components_pb";
import { ListenerSchema } from "@catalyst/xds/api/config/listener/v3/listener_pb";
import { TcpProxySchema } from "@catalyst/xds/api/extensions/filters/network/tcp_proxy/v3/tcp_proxy_pb";
import { base, lbEndpoint, nowhere } from "./cluster.ts";
import type { Address, MeshInput } from "./mesh.ts";
import { duration, type Init, packed, packedStruct, socketAddress } from "./message.ts";
import { type NodeDoors, revisionOf, splitName, tlsInspector } from "./node-doors.ts";
import type { DeniedNode } from "./node-tls.ts";

const listenerName = "nodes";
/** Before an address in the name of its cluster; no Host begins so. */
const addressPrefix = "address/";

type Chain = Init<typeof FilterChainSchema>;

/**
 * By what this node's Envoy goes to others: a listener inside of Envoy that carries what TLS has made of requests. Envoy
 * never ends by itself what it has open to a node, whoever is revoked; but what comes by a chain of filters that is
 * replaced ends within its drain time. So each node that is known has a chain, whose name changes when it is revoked.
 */
export function compileWayOut(
  mesh: MeshInput,
  { known, denied }: NodeDoors = { known: [], denied: [] },
): Resource | null {
  if (mesh.nodes === "plain") return null;
  const chains = [...new Set(known)].sort().map((node) => {
    const [label, domain] = splitName(node);
    return chain(
      node,
      denied.filter((each) => each.node === label && each.domain === domain),
    );
  });
  return encodeResource(ListenerSchema, listenerName, {
    name: listenerName,
    listenerSpecifier: { case: "internalListener", value: {} },
    perConnectionBufferLimitBytes: base.perConnectionBufferLimitBytes,
    listenerFilters: [tlsInspector],
    filterChains: [...chains, chain(null, denied)],
  });
}

/** What goes to a node, by the name that TLS asks for; without one what goes to all others. */
function chain(node: string | null, denied: readonly DeniedNode[]): Chain {
  const isDenied = node !== null && denied.some(({ serial }) => serial === null);
  return {
    name: `${node ?? "others"} ${revisionOf(denied)}`,
    filterChainMatch: { serverNames: node === null ? [] : [node] },
    filters: isDenied ? [carrying] : [toAddress, carrying],
  };
}

const toAddress: Init<typeof FilterSchema> = {
  name: "catalyst.address",
  configType: {
    case: "typedConfig",
    value: packedStruct("envoy.extensions.filters.network.set_filter_state.v3.Config", {
      on_new_connection: [
        {
          object_key: "envoy.tcp_proxy.cluster",
          factory_key: "envoy.tcp_proxy.cluster",
          format_string: {
            text_format_source: { inline_string: `${addressPrefix}%DOWNSTREAM_LOCAL_ADDRESS_ENDPOINT_ID%` },
          },
        },
      ],
    }),
  },
};

const carrying: Init<typeof FilterSchema> = {
  name: "envoy.filters.network.tcp_proxy",
  configType: {
    case: "typedConfig",
    value: packed(TcpProxySchema, {
      statPrefix: listenerName,
      clusterSpecifier: { case: "cluster", value: nowhere.name },
      maxConnectAttempts: 1,
      // The connection inside looks itself whether it is used, and whether the other end is there.
      idleTimeout: duration(0),
    }),
  },
};

const textOf = ({ host, port }: Address) => `${host}:${port}`;

/** Whether requests go to a node by the way out. */
export function isBehindWayOut({ host }: Address, { nodes }: MeshInput): boolean {
  return nodes !== "plain" && isIP(host) !== 0;
}

/** The endpoint of such a node's cluster. */
export function behindWayOut(address: Address) {
  const addressNameSpecifier = { case: "serverListenerName" as const, value: listenerName };
  return {
    hostIdentifier: {
      case: "endpoint" as const,
      value: {
        address: {
          address: {
            case: "envoyInternalAddress" as const,
            value: { addressNameSpecifier, endpointId: textOf(address) },
          },
        },
        // Envoy asks whether a node is well in a thread that has no listeners inside of it.
        healthCheckConfig: { address: socketAddress(address) },
      },
    },
  };
}

export function addressClusterName(address: Address): string {
  return `${addressPrefix}${textOf(address)}`;
}

/** Whether it is the cluster of an address alone, which no service is looked for in. */
export function isAddressCluster(name: string): boolean {
  return name.startsWith(addressPrefix);
}

/** Where the way out ends: a node's address. */
export function addressCluster(address: Address): Resource {
  const name = addressClusterName(address);
  const { connectTimeout, perConnectionBufferLimitBytes, circuitBreakers, upstreamConnectionOptions } = base;
  return encodeResource(ClusterSchema, name, {
    name,
    connectTimeout,
    perConnectionBufferLimitBytes,
    circuitBreakers,
    upstreamConnectionOptions,
    clusterDiscoveryType: { case: "type", value: Cluster_DiscoveryType.STATIC },
    loadAssignment: { clusterName: name, endpoints: [{ lbEndpoints: [lbEndpoint(address)] }] },
  });
}
