import { encodeResource, type Resource } from "@catalyst/xds";
import { TrafficDirection } from "@catalyst/xds/api/config/core/v3/base_pb";
import type {
  FilterChainSchema,
  FilterSchema,
} from "@catalyst/xds/api/config/listener/v3/listener_components_pb";
import { ListenerSchema } from "@catalyst/xds/api/config/listener/v3/listener_pb";
import { RBAC_Action } from "@catalyst/xds/api/config/rbac/v3/rbac_pb";
import { RBACSchema } from "@catalyst/xds/api/extensions/filters/network/rbac/v3/rbac_pb";
import { requestsFilter } from "./listener.ts";
import type { MeshInput } from "./mesh.ts";
import { duration, type Init, packed, socketAddress } from "./message.ts";
import { type NodeDoors, revisionOf, splitName, tlsInspector } from "./node-doors.ts";
import { type DeniedNode, envoyOf, type NodeProtocol, nodesTls, protocolOf } from "./node-tls.ts";
import { tcpFilters } from "./tcp.ts";
import { tcpOnlyFor } from "./tcp-access.ts";

type Chain = Init<typeof FilterChainSchema>;
type Filters = readonly Init<typeof FilterSchema>[];

/**
 * Where other nodes' Envoys bring requests and connections; null where nobody is to.
 *
 * Rules refuse what is new, and end nothing that is open. So who was revoked is part of the names of filter chains: when
 * that changes Envoy replaces them, and ends all connections of the old ones within its drain time. Nodes that are known
 * say in ALPN who they are, and have chains of their own, where their certificates are asked for: what others have open
 * goes on. All others share the chains that are replaced whoever is revoked.
 */
export function compileMeshListener(
  mesh: MeshInput,
  { known, denied }: NodeDoors = { known: [], denied: [] },
): Resource | null {
  const address = mesh.listen.mesh;
  if (address === undefined) return null;
  return encodeResource(ListenerSchema, "mesh", {
    name: "mesh",
    address: socketAddress(address),
    trafficDirection: TrafficDirection.INBOUND,
    perConnectionBufferLimitBytes: 256 * 1024,
    ...(mesh.nodes === "plain"
      ? { filterChains: [{ name: "requests", filters: [requestsFilter("mesh", mesh)] }] }
      : { listenerFilters: [tlsInspector], filterChains: chainsOf(mesh, known, denied) }),
  });
}

function chainsOf(mesh: MeshInput, known: readonly string[], denied: readonly DeniedNode[]): Chain[] {
  const requests = [requestsFilter("mesh", mesh)];
  const tcp = tcpFilters(mesh);
  const revision = revisionOf(denied);
  const own = [...new Set(known)].sort().flatMap((node) => {
    const [label, domain] = splitName(node);
    const id = envoyOf({ node: label, domain });
    const name = `${node} ${revisionOf(denied.filter((each) => each.node === label && each.domain === domain))}`;
    return [
      chain(`requests of ${name}`, "h2", node, [onlyFor(id), ...requests]),
      chain(`tcp of ${name}`, "catalyst-tcp", node, [...tcp.slice(0, -1), tcpOnlyFor(id), ...tcp.slice(-1)]),
    ];
  });
  return [
    ...own,
    chain(`tcp ${revision}`, "catalyst-tcp", null, tcp),
    chain(`requests ${revision}`, "h2", null, requests),
  ];
}

function chain(name: string, protocol: NodeProtocol, node: string | null, filters: Filters): Chain {
  const applicationProtocols =
    node !== null ? [protocolOf(protocol, node)] : protocol === "h2" ? [] : [protocol];
  return {
    name,
    filterChainMatch: { applicationProtocols },
    filters: [...filters],
    transportSocket: nodesTls(protocol),
    transportSocketConnectTimeout: duration(10_000),
  };
}

/** Ends a connection with a node's name in ALPN that does not have its certificate. The node speaks first. */
function onlyFor(id: string): Init<typeof FilterSchema> {
  const principalName = { matchPattern: { case: "exact" as const, value: id } };
  const typedConfig = packed(RBACSchema, {
    statPrefix: "mesh.",
    rules: {
      action: RBAC_Action.ALLOW,
      policies: {
        node: {
          permissions: [{ rule: { case: "any", value: true } }],
          principals: [{ identifier: { case: "authenticated", value: { principalName } } }],
        },
      },
    },
  });
  return { name: "envoy.filters.network.rbac", configType: { case: "typedConfig", value: typedConfig } };
}
