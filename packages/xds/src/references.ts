import { type DescMessage, fromBinary, isMessage, type Message, type MessageShape } from "@bufbuild/protobuf";
import { type Any, anyUnpack } from "@bufbuild/protobuf/wkt";
import {
  type Cluster,
  Cluster_DiscoveryType,
  ClusterSchema,
} from "../generated/envoy/config/cluster/v3/cluster_pb.js";
import type { TransportSocket } from "../generated/envoy/config/core/v3/base_pb.js";
import type { ConfigSource } from "../generated/envoy/config/core/v3/config_source_pb.js";
import { TypedExtensionConfigSchema } from "../generated/envoy/config/core/v3/extension_pb.js";
import { ClusterLoadAssignmentSchema } from "../generated/envoy/config/endpoint/v3/endpoint_pb.js";
import type { Filter } from "../generated/envoy/config/listener/v3/listener_components_pb.js";
import { type Listener, ListenerSchema } from "../generated/envoy/config/listener/v3/listener_pb.js";
import type { RouteAction } from "../generated/envoy/config/route/v3/route_components_pb.js";
import {
  type RouteConfiguration,
  RouteConfigurationSchema,
} from "../generated/envoy/config/route/v3/route_pb.js";
import {
  type ScopedRouteConfiguration,
  ScopedRouteConfigurationSchema,
} from "../generated/envoy/config/route/v3/scoped_route_pb.js";
import { ClusterConfigSchema } from "../generated/envoy/extensions/clusters/aggregate/v3/cluster_pb.js";
import {
  type HttpConnectionManager,
  HttpConnectionManagerSchema,
} from "../generated/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.js";
import { TcpProxySchema } from "../generated/envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy_pb.js";
import type { SdsSecretConfig } from "../generated/envoy/extensions/transport_sockets/tls/v3/secret_pb.js";
import { SecretSchema } from "../generated/envoy/extensions/transport_sockets/tls/v3/secret_pb.js";
import {
  type CommonTlsContext,
  DownstreamTlsContextSchema,
  UpstreamTlsContextSchema,
} from "../generated/envoy/extensions/transport_sockets/tls/v3/tls_pb.js";
import { XdsError } from "./errors.ts";
import { type ResourceName, typeUrl } from "./resource.ts";

/** The type URLs that Envoy and gRPC clients ask for. */
export const clusterType = typeUrl(ClusterSchema);
export const endpointType = typeUrl(ClusterLoadAssignmentSchema);
export const listenerType = typeUrl(ListenerSchema);
export const scopedRouteType = typeUrl(ScopedRouteConfigurationSchema);
export const routeType = typeUrl(RouteConfigurationSchema);
export const secretType = typeUrl(SecretSchema);
export const extensionType = typeUrl(TypedExtensionConfigSchema);

type Names = Iterable<ResourceName>;

/** What a cluster names: its endpoints, its secrets, and its parts when it is an aggregate. */
export function clusterReferences(body: Uint8Array): Names {
  return clusterNames(decode(ClusterSchema, body));
}

/** What a listener names: route configurations, clusters of TCP proxies and inline routes, secrets, filters. */
export function listenerReferences(body: Uint8Array): Names {
  return listenerNames(decode(ListenerSchema, body));
}

/** What a route configuration names: clusters of routes, of weighted routes and of mirrors. */
export function routeReferences(body: Uint8Array): Names {
  return routeNames(decode(RouteConfigurationSchema, body));
}

/** What a scope names: its route configuration, or what its inline one names. */
export function scopedRouteReferences(body: Uint8Array): Names {
  return scopeNames(decode(ScopedRouteConfigurationSchema, body));
}

/** What a message names, of whichever type; the same as is read from its bytes. */
export function namesIn(message: Message): Names {
  if (isMessage(message, ClusterSchema)) return clusterNames(message);
  if (isMessage(message, ListenerSchema)) return listenerNames(message);
  if (isMessage(message, ScopedRouteConfigurationSchema)) return scopeNames(message);
  if (isMessage(message, RouteConfigurationSchema)) return routeNames(message);
  return [];
}

function* clusterNames(cluster: Cluster): Names {
  const kind = cluster.clusterDiscoveryType;
  const eds = cluster.edsClusterConfig;
  if (kind.case === "type" && kind.value === Cluster_DiscoveryType.EDS && discovered(eds?.edsConfig)) {
    yield { type: endpointType, name: eds?.serviceName || cluster.name };
  }
  if (kind.case === "clusterType") {
    for (const name of unpack(kind.value.typedConfig, ClusterConfigSchema)?.clusters ?? [])
      yield toCluster(name);
  }
  yield* socketNames(cluster.transportSocket);
  for (const match of cluster.transportSocketMatches) yield* socketNames(match.transportSocket);
}

function* listenerNames(listener: Listener): Names {
  const chains = listener.defaultFilterChain
    ? [...listener.filterChains, listener.defaultFilterChain]
    : listener.filterChains;
  for (const chain of chains) {
    for (const filter of chain.filters) yield* filterNames(filter);
    yield* socketNames(chain.transportSocket);
  }
  const http = unpack(listener.apiListener?.apiListener, HttpConnectionManagerSchema);
  if (http) yield* httpNames(http);
}

function* filterNames(filter: Filter): Names {
  const { name, configType } = filter;
  if (configType.case === "configDiscovery" && discovered(configType.value.configSource))
    yield { type: extensionType, name };
  if (configType.case !== "typedConfig") return;
  const http = unpack(configType.value, HttpConnectionManagerSchema);
  if (http) yield* httpNames(http);
  const tcp = unpack(configType.value, TcpProxySchema)?.clusterSpecifier;
  if (tcp?.case === "cluster") yield toCluster(tcp.value);
  if (tcp?.case === "weightedClusters") for (const { name } of tcp.value.clusters) yield toCluster(name);
}

function* httpNames({ routeSpecifier: routes, httpFilters }: HttpConnectionManager): Names {
  for (const { name, configType } of httpFilters) {
    if (configType.case === "configDiscovery" && discovered(configType.value.configSource)) {
      yield { type: extensionType, name };
    }
  }
  if (routes.case === "routeConfig") yield* routeNames(routes.value);
  if (routes.case === "rds" && discovered(routes.value.configSource)) {
    yield { type: routeType, name: routes.value.routeConfigName };
  }
  if (
    routes.case === "scopedRoutes" &&
    routes.value.configSpecifier.case === "scopedRouteConfigurationsList"
  ) {
    for (const scope of routes.value.configSpecifier.value.scopedRouteConfigurations)
      yield* scopeNames(scope);
  }
}

function* scopeNames(scope: ScopedRouteConfiguration): Names {
  if (scope.routeConfigurationName !== "") yield { type: routeType, name: scope.routeConfigurationName };
  if (scope.routeConfiguration) yield* routeNames(scope.routeConfiguration);
}

function* routeNames(config: RouteConfiguration): Names {
  for (const mirror of config.requestMirrorPolicies) yield* named(mirror.cluster);
  for (const host of config.virtualHosts) {
    for (const mirror of host.requestMirrorPolicies) yield* named(mirror.cluster);
    for (const { action } of host.routes) if (action.case === "route") yield* actionNames(action.value);
  }
}

function* actionNames({ clusterSpecifier: to, requestMirrorPolicies }: RouteAction): Names {
  if (to.case === "cluster") yield* named(to.value);
  if (to.case === "weightedClusters") for (const { name } of to.value.clusters) yield* named(name);
  for (const mirror of requestMirrorPolicies) yield* named(mirror.cluster);
}

function* socketNames(socket: TransportSocket | undefined): Names {
  if (socket?.configType.case !== "typedConfig") return;
  const config = socket.configType.value;
  const tls = unpack(config, UpstreamTlsContextSchema) ?? unpack(config, DownstreamTlsContextSchema);
  if (tls?.commonTlsContext) yield* tlsNames(tls.commonTlsContext);
  if (tls?.$typeName === "envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext") {
    const keys = tls.sessionTicketKeysType;
    if (keys.case === "sessionTicketKeysSdsSecretConfig") yield* secretNames(keys.value);
  }
}

function* tlsNames(tls: CommonTlsContext): Names {
  for (const certificate of tls.tlsCertificateSdsSecretConfigs) yield* secretNames(certificate);
  const trust = tls.validationContextType;
  if (trust.case === "validationContextSdsSecretConfig") yield* secretNames(trust.value);
  if (trust.case === "combinedValidationContext") {
    yield* secretNames(trust.value.validationContextSdsSecretConfig);
  }
}

function* secretNames(secret: SdsSecretConfig | undefined): Names {
  if (secret && discovered(secret.sdsConfig)) yield { type: secretType, name: secret.name };
}

function* named(cluster: string): Names {
  if (cluster !== "") yield toCluster(cluster);
}

function toCluster(name: string): ResourceName {
  return { type: clusterType, name };
}

/** Only what comes over the same stream is ours to check; a file or another server is not. */
function discovered(source: ConfigSource | undefined): boolean {
  return source?.configSourceSpecifier.case === "ads" || source?.configSourceSpecifier.case === "self";
}

function unpack<S extends DescMessage>(any: Any | undefined, schema: S): MessageShape<S> | undefined {
  try {
    return any && anyUnpack(any, schema);
  } catch (cause) {
    throw malformed(schema, cause);
  }
}

function decode<S extends DescMessage>(schema: S, body: Uint8Array): MessageShape<S> {
  try {
    return fromBinary(schema, body);
  } catch (cause) {
    throw malformed(schema, cause);
  }
}

function malformed(schema: DescMessage, cause: unknown): XdsError {
  return new XdsError("resource_malformed", `A body is not a ${schema.typeName}.`, { cause });
}
