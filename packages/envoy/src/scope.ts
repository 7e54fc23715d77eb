import { create } from "@bufbuild/protobuf";
import { BoolValueSchema } from "@bufbuild/protobuf/wkt";
import { encodeResource, type Resource } from "@catalyst/xds";
import {
  FilterConfigSchema,
  type HeaderMatcher,
  type RetryPolicy,
  RetryPolicySchema,
  RouteAction_MaxStreamDurationSchema,
  type RouteSchema,
} from "@catalyst/xds/api/config/route/v3/route_components_pb";
import type { RouteConfigurationSchema } from "@catalyst/xds/api/config/route/v3/route_pb";
import { ScopedRouteConfigurationSchema } from "@catalyst/xds/api/config/route/v3/scoped_route_pb";
import { LuaPerRouteSchema } from "@catalyst/xds/api/extensions/filters/http/lua/v3/lua_pb";
import { coveredRoute, openRoute, type RouteFilters } from "./auth.ts";
import { keysCluster } from "./cluster.ts";
import { corsPolicy } from "./cors.ts";
import { insideAnswers, insideOnly } from "./internal-headers.ts";
import { gatewayName, isOpen, type MeshAuth, type MeshInput, serviceHost } from "./mesh.ts";
import { duration, type Init, packed } from "./message.ts";
import { type NodeRule, nodePolicyOf } from "./node-policy.ts";
import {
  hostScope,
  lowerCaseFilter,
  meshPrefix,
  mixedCaseScope,
  namedByKey,
  nodeScope,
  type ScopeId,
} from "./scope-key.ts";
import { graphqlPath, type PathRule, type RoutedService } from "./service.ts";

export type RouteInit = Init<typeof RouteSchema>;
type Action = Extract<NonNullable<RouteInit["action"]>, { case: "route" }>["value"];

const defaultGatewayTimeoutMs = 60_000;
const defaultMaxStreamMs = 3_600_000;

/** The scope of a service that stands at this node alone: its Host on every listener. */
export function serviceScope(service: RoutedService, mesh: MeshInput): Resource {
  return scope(hostScope(service.host), routesHere(service, mesh));
}

/** The scope of a service as other nodes have it: never by way of another node, so that nothing goes in circles. */
export function meshScope(
  service: RoutedService,
  mesh: MeshInput,
  rules: readonly NodeRule[] = [],
): Resource {
  const { cors: _, ...others } = mesh;
  const policy = mesh.nodes === "plain" ? {} : nodePolicyOf(rules, mesh.domain);
  const routes = routesHere(service, others).map((route) => ({
    ...route,
    typedPerFilterConfig: { ...route.typedPerFilterConfig, ...policy },
  }));
  return scope(hostScope(service.host, meshPrefix), routes);
}

function routesHere(service: RoutedService, mesh: MeshInput): RouteInit[] {
  const to = rewritten(upstream(service.host, service.timeoutMs));
  return service.paths.map((rule) => route(rule, to, namedRoute(service.name, mesh), mesh));
}

/** The Host that the service expects, where its endpoint says which; what was asked for is told beside it. */
export function rewritten(to: Action): Action {
  return {
    ...to,
    hostRewriteSpecifier: { case: "autoHostRewrite", value: create(BoolValueSchema, { value: true }) },
    appendXForwardedHost: true,
  };
}

/** The gateway at its own Host. */
export function gatewayScope(mesh: MeshInput): Resource {
  return scope(hostScope(serviceHost(gatewayName, mesh.domain)), [
    route({ kind: "prefix", path: "/", to: null }, toGateway(mesh), namedRoute(gatewayName, mesh), mesh),
  ]);
}

/**
 * Where others look for the keys that credentials are verified with, those of tokens and those of API keys: OpenID
 * Connect Discovery, RFC 8414.
 */
const keyPaths = ["", "/apikeys"].flatMap((below) => [
  `${below}/.well-known/jwks.json`,
  `${below}/.well-known/openid-configuration`,
  `/.well-known/oauth-authorization-server${below}`,
]);
const keysTimeoutMs = 5_000;

/** What ingress serves at any Host outside the domain: the GraphQL endpoint, its public keys, and a word of help. */
export function anyHostScope(mesh: MeshInput): Resource {
  const help =
    `Nothing is served at this path of node ${mesh.node}. The GraphQL endpoint is ${graphqlPath}; ` +
    `a service answers at the Host <service>.${mesh.domain}.`;
  return scope(namedByKey(nodeScope), [
    route(
      { kind: "exact", path: graphqlPath, to: null },
      toGateway(mesh),
      namedRoute(gatewayName, mesh),
      mesh,
    ),
    ...(mesh.keysSocketPath === undefined ? [] : keyPaths.map((path) => keysRoute(path, mesh))),
    {
      match: { pathSpecifier: { case: "prefix", value: "/" } },
      ...openTo(mesh),
      action: {
        case: "directResponse",
        value: { status: 404, body: { specifier: { case: "inlineString", value: help } } },
      },
    },
  ]);
}

/** Where Hosts with upper-case letters arrive: the filter writes them in lower case and chooses the scope anew. */
export function anyCaseScope(): Resource {
  return scope(namedByKey(mixedCaseScope), [
    {
      match: { pathSpecifier: { case: "prefix", value: "/" } },
      action: { case: "directResponse", value: { status: 404 } },
      typedPerFilterConfig: {
        [lowerCaseFilter]: packed(FilterConfigSchema, {
          config: packed(LuaPerRouteSchema, { override: { case: "name", value: lowerCaseFilter } }),
        }),
      },
    },
  ]);
}

function toGateway(mesh: MeshInput): Action {
  const timeoutMs = mesh.requestTimeoutMs ?? defaultGatewayTimeoutMs;
  return upstream(serviceHost(gatewayName, mesh.domain), timeoutMs);
}

/**
 * No limit on the whole response, or streams and long downloads would be cut; the answer must begin within
 * `timeoutMs` of the complete request. Tried again is only what has not left this Envoy.
 */
function upstream(cluster: string, timeoutMs: number) {
  return forward(
    cluster,
    create(RetryPolicySchema, {
      retryOn: "connect-failure,refused-stream,reset-before-request",
      numRetries: 2,
      retryBackOff: { baseInterval: duration(5), maxInterval: duration(25) },
      perTryTimeout: duration(timeoutMs),
    }),
  );
}

export function forward(cluster: string, retryPolicy: RetryPolicy) {
  return {
    clusterSpecifier: { case: "cluster" as const, value: cluster },
    timeout: duration(0),
    retryPolicy,
  };
}

function keysRoute(path: string, mesh: MeshInput): RouteInit {
  return {
    match: { pathSpecifier: { case: "path", value: path } },
    action: { case: "route", value: upstream(keysCluster, keysTimeoutMs) },
    ...openTo(mesh),
  };
}

/** For a route that needs no credential. */
function openTo({ auth }: MeshInput): Pick<RouteInit, "typedPerFilterConfig"> {
  return auth === undefined ? {} : { typedPerFilterConfig: openRoute };
}

/**
 * A credential is looked at when a request comes, and never again while its answer goes on. So that ends in time,
 * whoever sends it comes back, and is refused when the credential was revoked or has expired meanwhile.
 */
function bounded(to: Action, { maxStreamMs = defaultMaxStreamMs }: Partial<MeshAuth> = {}): Action {
  const maxStreamDuration = create(RouteAction_MaxStreamDurationSchema, {
    maxStreamDuration: duration(maxStreamMs),
  });
  return { ...to, maxStreamDuration };
}

/** What a route is called, and what a credential has to cover there; null where it needs none. */
export type RouteName = { readonly name: string; readonly cover: RouteFilters | null };

/** The route of one service, whose name it has; an open one needs no credential. */
export function namedRoute(service: string, mesh: MeshInput): RouteName {
  return { name: service, cover: isOpen(service, mesh) ? null : coveredRoute(service) };
}

/** One way for paths to a service, of requests that have the headers; what a credential lets in has its bounds. */
export function route(
  rule: PathRule,
  to: Action,
  { name, cover }: RouteName,
  mesh: MeshInput,
  headers: readonly HeaderMatcher[] = [],
): RouteInit {
  const match =
    rule.kind === "exact"
      ? { case: "path" as const, value: rule.path }
      : { case: "prefix" as const, value: rule.path };
  const action = rule.to === null ? to : { ...to, prefixRewrite: rule.to };
  return {
    name,
    match: { pathSpecifier: match, headers: [...headers] },
    action: { case: "route", value: cover === null ? action : bounded(action, mesh.auth) },
    typedPerFilterConfig: {
      ...(cover ?? openTo(mesh).typedPerFilterConfig),
      ...(mesh.cors === undefined ? {} : corsPolicy(mesh.cors)),
    },
  };
}

/** A scope with routes of its own. */
export function scope(id: ScopeId, routes: RouteInit[]): Resource {
  const routeConfiguration = routeTable(id.key, routes, insideOnly);
  return encodeResource(ScopedRouteConfigurationSchema, id.name, { ...identified(id), routeConfiguration });
}

/** A scope whose routes are another resource, which it names. */
export function scopeOver(id: ScopeId, routeConfigurationName: string): Resource {
  return encodeResource(ScopedRouteConfigurationSchema, id.name, {
    ...identified(id),
    routeConfigurationName,
  });
}

function identified({ name, key }: ScopeId) {
  return { name, key: { fragments: [{ type: { case: "stringKey" as const, value: key } }] } };
}

/** Routes for every Host that leads to them; `hidden` are the headers that requests are freed of on their way out. */
export function routeTable(
  name: string,
  routes: RouteInit[],
  hidden: readonly string[],
): Init<typeof RouteConfigurationSchema> {
  return {
    name,
    requestHeadersToRemove: [...hidden],
    responseHeadersToRemove: [...insideAnswers],
    virtualHosts: [{ name, domains: ["*"], routes }],
  };
}
