import { encodeResource, type Resource } from "@catalyst/xds";
import type { AddressSchema } from "@catalyst/xds/api/config/core/v3/address_pb";
import { TrafficDirection } from "@catalyst/xds/api/config/core/v3/base_pb";
import { HttpProtocolOptions_HeadersWithUnderscoresAction } from "@catalyst/xds/api/config/core/v3/protocol_pb";
import type { FilterSchema } from "@catalyst/xds/api/config/listener/v3/listener_components_pb";
import { ListenerSchema } from "@catalyst/xds/api/config/listener/v3/listener_pb";
import { RouterSchema } from "@catalyst/xds/api/extensions/filters/http/router/v3/router_pb";
import {
  HttpConnectionManager_CodecType,
  HttpConnectionManager_ForwardClientCertDetails,
  HttpConnectionManager_PathWithEscapedSlashesAction,
  HttpConnectionManagerSchema,
} from "@catalyst/xds/api/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb";
import { accessLog } from "./access-log.ts";
import { authFilters } from "./auth.ts";
import { corsFilter } from "./cors.ts";
import type { HeaderPattern } from "./header-mutation.ts";
import { certificateHeader, holderHeader, internalPrefixes } from "./internal-headers.ts";
import { localReplies } from "./local-reply.ts";
import type { Address, MeshInput } from "./mesh.ts";
import { duration, fromAds, type Init, packed, socketAddress } from "./message.ts";
import { certificateValue, nodeHealth, nodesAllowed } from "./node-access.ts";
import { nodePolicy } from "./node-policy.ts";
import { earlyHeaders, type FirstLook, lowerCaseHost, meshPrefix, scopeKeyBuilder } from "./scope-key.ts";
import { downstreamTls } from "./tls.ts";
import { holderAsTold, holderFromOwnNodes, holderOfConnection, tellHolder } from "./token-binding.ts";

/** Where Envoy is listened to: clients plain, clients over TLS, the node itself, its gateway, and other nodes. */
export type ListenerName = "ingress" | "ingress-tls" | "egress" | "egress-gateway" | "mesh";

/** What no caller may set: what Envoy, its policy filters and this node say about a request. */
const untrusted: readonly HeaderPattern[] = [
  ...[...internalPrefixes, "x-jwt-"].map((value) => ({ case: "prefix", value }) as const),
  { case: "exact", value: "x-forwarded-client-cert" },
];

/** At the edge nothing came before: what a proxy in front would say is said by the client itself. */
const untrustedAtEdge: readonly HeaderPattern[] = [
  ...untrusted,
  ...exactly("x-request-id"),
  // What proxies say of the client, and frameworks believe: nobody in front of this edge may.
  ...exactly("forwarded", "x-forwarded-host", "x-forwarded-port", "x-forwarded-prefix", "x-forwarded-server"),
  ...exactly(
    "x-forwarded-ssl",
    "x-forwarded-scheme",
    "x-forwarded-user",
    "x-forwarded-email",
    "front-end-https",
  ),
  ...exactly("x-real-ip", "true-client-ip", "x-client-ip"),
  // What frameworks take for the path, the Host or the method in place of the real ones.
  ...exactly("x-original-url", "x-rewrite-url", "x-original-host", "x-host"),
  ...exactly("x-http-method", "x-http-method-override", "x-method-override"),
];

function exactly(...names: readonly string[]): HeaderPattern[] {
  return names.map((value) => ({ case: "exact", value }));
}

/** All listeners of a node but that of other nodes. */
export function listeners(mesh: MeshInput): Resource[] {
  const { ingress, ingressTls, egress } = mesh.listen;
  const gateway = mesh.auth?.gatewaySocketPath;
  const made = [listener("ingress", ingress, mesh), listener("egress", egress, mesh)];
  if (ingressTls !== undefined) made.push(listener("ingress-tls", ingressTls, mesh));
  if (gateway !== undefined) made.push(listener("egress-gateway", { path: gateway }, mesh));
  return made;
}

function listener(name: ListenerName, address: Address | { path: string }, mesh: MeshInput): Resource {
  const transportSocketConnectTimeout = duration(10_000);
  const tls =
    name === "ingress-tls" ? { transportSocket: downstreamTls(mesh), transportSocketConnectTimeout } : {};
  return encodeResource(ListenerSchema, name, {
    name,
    address: "path" in address ? ownSocket(address.path) : socketAddress(address),
    trafficDirection: name.startsWith("egress") ? TrafficDirection.OUTBOUND : TrafficDirection.INBOUND,
    perConnectionBufferLimitBytes: 256 * 1024,
    filterChains: [{ filters: [requestsFilter(name, mesh)], ...tls }],
  });
}

/** What a listener does with connections that carry requests. */
export function requestsFilter(name: ListenerName, mesh: MeshInput): Init<typeof FilterSchema> {
  const typedConfig = packed(HttpConnectionManagerSchema, http(name, mesh));
  return {
    name: "envoy.filters.network.http_connection_manager",
    configType: { case: "typedConfig", value: typedConfig },
  };
}

/**
 * How a listener treats HTTP. Every Host selects a scope; egress serves services alone, ingress also the node, and the
 * mesh what other nodes may have of this one's.
 * Streams may be silent for an hour; how soon an answer begins is a matter of each service's route. A client has a
 * quarter of an hour to send a request, so that slow bodies do not hold connections.
 */
function http(name: ListenerName, mesh: MeshInput): Init<typeof HttpConnectionManagerSchema> {
  const edge = name === "ingress" || name === "ingress-tls";
  const fromNodes = name === "mesh";
  const outside = edge ? "node" : "nothing";
  const look = { domain: mesh.domain, outside, untrusted: edge ? untrustedAtEdge : untrusted } as const;
  const more = firstLooks(name, mesh);
  return {
    statPrefix: name,
    ...hardening,
    ...(fromNodes ? { http2ProtocolOptions: betweenNodes } : {}),
    useRemoteAddress: edge,
    ...(edge ? { requestTimeout: duration(900_000) } : {}),
    generateRequestId: true,
    preserveExternalRequestId: !edge,
    alwaysSetRequestIdInResponse: true,
    earlyHeaderMutationExtensions: [earlyHeaders({ ...look, ...more })],
    routeSpecifier: {
      case: "scopedRoutes",
      value: {
        name,
        scopeKeyBuilder,
        rdsConfigSource: fromAds,
        configSpecifier: { case: "scopedRds", value: { scopedRdsConfigSource: fromAds } },
      },
    },
    httpFilters: [
      ...(fromNodes ? [] : [lowerCaseHost(mesh.domain, outside)]),
      ...(fromNodes && mesh.nodes !== "plain" ? [nodesAllowed] : []),
      ...(fromNodes ? [nodeHealth] : []),
      ...(fromNodes && mesh.nodes !== "plain" ? [nodePolicy(mesh.domain)] : []),
      ...(edge && mesh.cors !== undefined ? [corsFilter] : []),
      ...(mesh.auth === undefined ? [] : [...(name === "ingress-tls" ? [tellHolder] : []), ...authFilters]),
      router,
    ],
    upgradeConfigs: [{ upgradeType: "websocket" }],
    accessLog: accessLog(name, mesh),
    localReplyConfig: localReplies(edge ? "clients" : fromNodes ? "nodes" : "inside", mesh),
  };
}

/** What a listener looks at besides, by who comes to it. */
function firstLooks(name: ListenerName, { domain, auth }: MeshInput): Partial<FirstLook> {
  const holder = (words: string) => (auth === undefined ? {} : { [holderHeader]: words });
  switch (name) {
    case "ingress-tls":
      return { told: holder(holderOfConnection) };
    case "egress-gateway":
      return { kept: holder(holderAsTold) };
    case "mesh":
      return {
        prefix: meshPrefix,
        told: { [certificateHeader]: certificateValue },
        kept: holder(holderFromOwnNodes(domain)),
      };
    default:
      return {};
  }
}

/** Nobody but the node's own user opens it. */
function ownSocket(path: string): Init<typeof AddressSchema> {
  return { address: { case: "pipe", value: { path, mode: 0o600 } } };
}

/** One connection of a node carries the requests of all of its clients: a malformed one ends alone. */
const betweenNodes = {
  maxConcurrentStreams: 1_000,
  initialStreamWindowSize: 1024 * 1024,
  initialConnectionWindowSize: 8 * 1024 * 1024,
  allowConnect: true,
  overrideStreamErrorOnInvalidHttpMessage: true,
  connectionKeepalive: { interval: duration(10_000), timeout: duration(5_000) },
};

const router = {
  name: "envoy.filters.http.router",
  configType: { case: "typedConfig" as const, value: packed(RouterSchema, {}) },
};

/** What every listener does against malformed, oversized, slow and misleading requests. */
const hardening = {
  codecType: HttpConnectionManager_CodecType.AUTO,
  serverName: "catalyst",
  normalizePath: true,
  mergeSlashes: true,
  pathWithEscapedSlashesAction: HttpConnectionManager_PathWithEscapedSlashesAction.REJECT_REQUEST,
  stripTrailingHostDot: true,
  forwardClientCertDetails: HttpConnectionManager_ForwardClientCertDetails.SANITIZE,
  maxRequestHeadersKb: 64,
  requestHeadersTimeout: duration(10_000),
  streamIdleTimeout: duration(3_600_000),
  streamFlushTimeout: duration(60_000),
  commonHttpProtocolOptions: {
    idleTimeout: duration(300_000),
    maxHeadersCount: 100,
    headersWithUnderscoresAction: HttpProtocolOptions_HeadersWithUnderscoresAction.DROP_HEADER,
  },
  http2ProtocolOptions: {
    maxConcurrentStreams: 100,
    initialStreamWindowSize: 256 * 1024,
    initialConnectionWindowSize: 1024 * 1024,
    allowConnect: true,
  },
} satisfies Init<typeof HttpConnectionManagerSchema>;
