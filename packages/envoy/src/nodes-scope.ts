import { create } from "@bufbuild/protobuf";
import { encodeResource, type Resource } from "@catalyst/xds";
import {
  type HeaderMatcher,
  HeaderMatcherSchema,
  type RetryPolicy,
  RetryPolicySchema,
} from "@catalyst/xds/api/config/route/v3/route_components_pb";
import { RouteConfigurationSchema } from "@catalyst/xds/api/config/route/v3/route_pb";
import { coveredByScope } from "./auth.ts";
import { insideOnly, scopeHeader, unreachedHeader } from "./internal-headers.ts";
import { type MeshInput, serviceHost } from "./mesh.ts";
import { duration, packedStruct } from "./message.ts";
import {
  forward,
  namedRoute,
  type RouteInit,
  type RouteName,
  rewritten,
  route,
  routeTable,
  scope,
  scopeOver,
} from "./scope.ts";
import { hostScope, namedByKey } from "./scope-key.ts";
import type { PathRule } from "./service.ts";
import { scopeRoute } from "./service-name.ts";

/** What a service that is reached through other nodes is asked for, which the node knows better. */
const nodesTimeoutMs = 660_000;

/** How the nodes that have a service are reached: by a cluster, which is over as many ways. */
export type Way = { readonly cluster: string; readonly ways: number };

/** The scope of a service that other nodes have beside this one: its requests may go to the service itself. */
export function sharedServiceScope(name: string, way: Way, mesh: MeshInput): Resource {
  return scope(hostScope(serviceHost(name, mesh.domain)), routesOf(namedRoute(name, mesh), way, mesh));
}

/**
 * The scope of a service that other nodes alone have. There may be 100,000 of these, told all at once: their routes are those of
 * {@link nodesRoutes} by this name, so that Envoy has each way's routes once.
 */
export function nodesScope(name: string, routes: string, { domain }: MeshInput): Resource {
  return scopeOver(hostScope(serviceHost(name, domain)), routes);
}

/** The name of the routes that lead one way. */
export function nodesRoutesName({ cluster }: Way, open: boolean): string {
  return `${open ? "open" : "covered"}/${cluster}`;
}

/**
 * The routes of all services that other nodes alone have and that are reached in one way. Which one a request is for is known by
 * its scope, so that goes on to the other node, which makes its own of it.
 */
export function nodesRoutes(way: Way, open: boolean, mesh: MeshInput): Resource {
  const name = nodesRoutesName(way, open);
  const named = { name: scopeRoute, cover: open ? null : coveredByScope(mesh.domain) };
  const hidden = insideOnly.filter((header) => header !== scopeHeader);
  const table = routeTable(name, routesOf(named, way, mesh), hidden);
  return encodeResource(RouteConfigurationSchema, name, table);
}

/**
 * A scope that no request is in and that names a way's routes: Envoy asks for routes when a scope names them, and has none for that
 * scope until they come. So a service that goes another way goes there when this one has brought the routes. No key that is made of
 * a request ends with a slash.
 */
export function nodesRoutesHerald(way: Way, open: boolean): Resource {
  const routes = nodesRoutesName(way, open);
  return scopeOver(namedByKey(heraldName(routes)), routes);
}

/** The herald of routes of this name. */
export function heraldName(routes: string): string {
  return `routes/${routes}/`;
}

/**
 * A request that has reached no service goes the next way, one that changes nothing also when its answer broke off; where it
 * failed twice nothing is left to try.
 */
function routesOf(named: RouteName, { cluster, ways }: Way, mesh: MeshInput): RouteInit[] {
  const everything: PathRule = { kind: "prefix", path: "/", to: null };
  const made = (retryOn: string, headers: readonly HeaderMatcher[]) => {
    const to = rewritten(forward(cluster, another(retryOn, ways)));
    return route(everything, to, named, mesh, headers);
  };
  return [made(`${unsent},${unanswered}`, [safeMethod]), made(unsent, [])];
}

/** The service has seen nothing of the request, as far as this Envoy knows, or that of the node that has it. */
const unsent = "connect-failure,refused-stream,reset-before-request,retriable-headers";
/** It may have, and gave no answer. */
const unanswered = "reset,gateway-error";

/** RFC 9110 §9.2.1 */
const safeMethod = create(HeaderMatcherSchema, {
  name: ":method",
  headerMatchSpecifier: {
    case: "stringMatch",
    value: { matchPattern: { case: "safeRegex", value: { regex: "GET|HEAD|OPTIONS" } } },
  },
});

function another(retryOn: string, ways: number): RetryPolicy {
  const present = { case: "presentMatch" as const, value: true };
  return create(RetryPolicySchema, {
    retryOn,
    perTryTimeout: duration(nodesTimeoutMs),
    numRetries: Math.min(4, Math.max(2, ways)),
    retryBackOff: { baseInterval: duration(5), maxInterval: duration(25) },
    retriableHeaders: [{ name: unreachedHeader, headerMatchSpecifier: present }],
    ...(ways < 2 ? {} : { retryPriority: untriedFirst }),
  });
}

const untriedFirst = {
  name: "envoy.retry_priorities.previous_priorities",
  configType: {
    case: "typedConfig" as const,
    value: packedStruct("envoy.extensions.retry.priority.previous_priorities.v3.PreviousPrioritiesConfig", {
      update_frequency: 1,
    }),
  },
};
