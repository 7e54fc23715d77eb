import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { anyPack } from "@bufbuild/protobuf/wkt";
import { Cluster_DiscoveryType, ClusterSchema } from "../generated/envoy/config/cluster/v3/cluster_pb.js";
import type { ConfigSourceSchema } from "../generated/envoy/config/core/v3/config_source_pb.js";
import { TypedExtensionConfigSchema } from "../generated/envoy/config/core/v3/extension_pb.js";
import { ClusterLoadAssignmentSchema } from "../generated/envoy/config/endpoint/v3/endpoint_pb.js";
import { ListenerSchema } from "../generated/envoy/config/listener/v3/listener_pb.js";
import { RouteConfigurationSchema } from "../generated/envoy/config/route/v3/route_pb.js";
import { ScopedRouteConfigurationSchema } from "../generated/envoy/config/route/v3/scoped_route_pb.js";
import { HeaderMutationSchema } from "../generated/envoy/extensions/filters/http/header_mutation/v3/header_mutation_pb.js";
import { RouterSchema } from "../generated/envoy/extensions/filters/http/router/v3/router_pb.js";
import {
  type HttpConnectionManager,
  HttpConnectionManagerSchema,
} from "../generated/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.js";
import { SecretSchema } from "../generated/envoy/extensions/transport_sockets/tls/v3/secret_pb.js";
import { DownstreamTlsContextSchema } from "../generated/envoy/extensions/transport_sockets/tls/v3/tls_pb.js";
import { encodeResource } from "../src/encode.ts";
import { type Resource, typeUrl } from "../src/resource.ts";

type HttpConnectionManagerInit = MessageInitShape<typeof HttpConnectionManagerSchema>;
type RouteConfigurationInit = MessageInitShape<typeof RouteConfigurationSchema>;

const ads: MessageInitShape<typeof ConfigSourceSchema> = {
  resourceApiVersion: 2,
  configSourceSpecifier: { case: "ads", value: {} },
  initialFetchTimeout: { seconds: 10n, nanos: 0 },
};

/** A cluster whose endpoints come by EDS. A negative `connectMs` makes Envoy reject it. */
export function cluster(name: string, connectMs = 1_000): Resource {
  return encodeResource(ClusterSchema, name, {
    name,
    clusterDiscoveryType: { case: "type", value: Cluster_DiscoveryType.EDS },
    edsClusterConfig: { edsConfig: ads },
    connectTimeout: {
      seconds: BigInt(Math.trunc(connectMs / 1_000)),
      nanos: (connectMs % 1_000) * 1_000_000,
    },
  });
}

/** The endpoint of a cluster: a port of loopback, or the path of a socket. */
export function endpoints(name: string, to: number | string): Resource {
  const address =
    typeof to === "string"
      ? { case: "pipe" as const, value: { path: to } }
      : {
          case: "socketAddress" as const,
          value: { address: "127.0.0.1", portSpecifier: { case: "portValue" as const, value: to } },
        };
  return encodeResource(ClusterLoadAssignmentSchema, name, {
    clusterName: name,
    endpoints: [
      {
        locality: { region: "local" },
        loadBalancingWeight: 1,
        lbEndpoints: [{ hostIdentifier: { case: "endpoint", value: { address: { address } } } }],
      },
    ],
  });
}

function routes(name: string, to: string): RouteConfigurationInit {
  return {
    name,
    virtualHosts: [
      {
        name: "all",
        domains: ["*"],
        routes: [
          {
            match: { pathSpecifier: { case: "prefix", value: "" } },
            action: { case: "route", value: { clusterSpecifier: { case: "cluster", value: to } } },
          },
        ],
      },
    ],
  };
}

/** A route configuration that leads everything to a cluster. */
export function routeConfiguration(name: string, to: string): Resource {
  return encodeResource(RouteConfigurationSchema, name, routes(name, to));
}

/** A scope, keyed by host, with its routes in it. */
export function scope(host: string, to: string, name = host): Resource {
  return encodeResource(ScopedRouteConfigurationSchema, name, {
    name,
    key: { fragments: [{ type: { case: "stringKey", value: host } }] },
    routeConfiguration: routes(host, to),
  });
}

/** A scope, keyed by host, that names a route configuration. */
export function referringScope(host: string, routeConfigurationName: string): Resource {
  return encodeResource(ScopedRouteConfigurationSchema, host, {
    name: host,
    key: { fragments: [{ type: { case: "stringKey", value: host } }] },
    routeConfigurationName,
  });
}

/** A listener on a socket whose routes come by RDS (`routes` names them) or by SRDS. */
export function listener(name: string, path: string, rds?: string): Resource {
  const http = create(HttpConnectionManagerSchema, httpConnectionManager(rds));
  return encodeResource(ListenerSchema, name, {
    name,
    address: { address: { case: "pipe", value: { path } } },
    filterChains: [{ filters: [filter(http)] }],
  });
}

/** A listener on a socket with a filter that comes by ECDS; scoped routes. */
export function filteredListener(name: string, path: string, filterName: string): Resource {
  const typeUrls = [typeUrl(HeaderMutationSchema)];
  const configType = { case: "configDiscovery" as const, value: { configSource: ads, typeUrls } };
  const http = create(
    HttpConnectionManagerSchema,
    httpConnectionManager(undefined, [{ name: filterName, configType }]),
  );
  return encodeResource(ListenerSchema, name, {
    name,
    address: { address: { case: "pipe", value: { path } } },
    filterChains: [{ filters: [filter(http)] }],
  });
}

/** The configuration of a filter: it answers with a header. */
export function answeringHeader(filterName: string, key: string, value: string): Resource {
  const append = { header: { key, value } };
  const mutations = { responseMutations: [{ action: { case: "append" as const, value: append } }] };
  return encodeResource(TypedExtensionConfigSchema, filterName, {
    name: filterName,
    typedConfig: anyPack(HeaderMutationSchema, create(HeaderMutationSchema, { mutations })),
  });
}

/** A listener with TLS whose certificate comes by SDS. */
export function tlsListener(name: string, path: string, secretName: string): Resource {
  const tls = create(DownstreamTlsContextSchema, {
    commonTlsContext: { tlsCertificateSdsSecretConfigs: [{ name: secretName, sdsConfig: ads }] },
  });
  const http = create(HttpConnectionManagerSchema, httpConnectionManager(undefined));
  return encodeResource(ListenerSchema, name, {
    name,
    address: { address: { case: "pipe", value: { path } } },
    filterChains: [
      {
        filters: [filter(http)],
        transportSocket: {
          name: "tls",
          configType: { case: "typedConfig", value: anyPack(DownstreamTlsContextSchema, tls) },
        },
      },
    ],
  });
}

/** A listener on a socket that answers everything by itself with its name. */
export function answeringListener(name: string, path: string): Resource {
  const http = create(HttpConnectionManagerSchema, {
    ...httpConnectionManager(undefined),
    routeSpecifier: { case: "routeConfig", value: create(RouteConfigurationSchema, answers(name)) },
  });
  return encodeResource(ListenerSchema, name, {
    name,
    address: { address: { case: "pipe", value: { path } } },
    filterChains: [{ filters: [filter(http)] }],
  });
}

function answers(text: string): RouteConfigurationInit {
  const body = { specifier: { case: "inlineString" as const, value: text } };
  const match = { pathSpecifier: { case: "prefix" as const, value: "" } };
  const route = { match, action: { case: "directResponse" as const, value: { status: 200, body } } };
  return { name: text, virtualHosts: [{ name: "all", domains: ["*"], routes: [route] }] };
}

/** A certificate and its key, in PEM. */
export function secret(
  name: string,
  certificate: { readonly chain: string; readonly key: string },
): Resource {
  const inline = (text: string) => ({ specifier: { case: "inlineString" as const, value: text } });
  return encodeResource(SecretSchema, name, {
    name,
    type: {
      case: "tlsCertificate",
      value: { certificateChain: inline(certificate.chain), privateKey: inline(certificate.key) },
    },
  });
}

function filter(http: HttpConnectionManager) {
  const value = anyPack(HttpConnectionManagerSchema, http);
  return { name: "http", configType: { case: "typedConfig" as const, value } };
}

/** A listener for gRPC clients, who dial it by its name. */
export function apiListener(name: string, rds: string): Resource {
  const http = create(HttpConnectionManagerSchema, httpConnectionManager(rds));
  return encodeResource(ListenerSchema, name, {
    name,
    apiListener: { apiListener: anyPack(HttpConnectionManagerSchema, http) },
  });
}

function httpConnectionManager(
  rds: string | undefined,
  filters: HttpConnectionManagerInit["httpFilters"] = [],
): HttpConnectionManagerInit {
  const router = anyPack(RouterSchema, create(RouterSchema));
  return {
    statPrefix: "test",
    httpFilters: [
      ...filters,
      { name: "envoy.filters.http.router", configType: { case: "typedConfig", value: router } },
    ],
    routeSpecifier: rds
      ? { case: "rds", value: { configSource: ads, routeConfigName: rds } }
      : {
          case: "scopedRoutes",
          value: {
            name: "scopes",
            rdsConfigSource: ads,
            scopeKeyBuilder: {
              fragments: [
                {
                  type: {
                    case: "headerValueExtractor",
                    value: { name: ":authority", extractType: { case: "index", value: 0 } },
                  },
                },
              ],
            },
            configSpecifier: { case: "scopedRds", value: { scopedRdsConfigSource: ads } },
          },
        },
  };
}
