import { create } from "@bufbuild/protobuf";
import type { Resource } from "@catalyst/xds";
import {
  type HeaderMatcher,
  HeaderMatcherSchema,
  type RetryPolicy,
  RetryPolicySchema,
} from "@catalyst/xds/api/config/route/v3/route_components_pb";
import { unreachedHeader } from "./internal-headers.ts";
import { type MeshInput, serviceHost } from "./mesh.ts";
import { duration, packedStruct } from "./message.ts";
import { forward, type RouteInit, rewritten, route, scope } from "./scope.ts";
import type { PathRule } from "./service.ts";
import { type Template, templateOf } from "./template.ts";

/** What a service that is reached through other nodes is asked for, which the node knows better. */
const nodesTimeoutMs = 660_000;

/** How the nodes that have a service are reached: by a cluster, which is over as many ways. */
type Way = { readonly cluster: string; readonly ways: number };

/** Each is about 2 kB. */
const mostTemplates = 1_000;
const templates = new WeakMap<MeshInput, Map<string, Template>>();
const encoder = new TextEncoder();

/**
 * The scope of a service that other nodes have, perhaps beside this one. There may be 100,000 of these, told all at once, and
 * those that are reached in one way differ in the service's name alone.
 */
export function nodesScope(name: string, way: Way, mesh: MeshInput): Resource {
  const bytes = encoder.encode(name);
  const isOpen = mesh.auth?.open.includes(name) === true;
  const template = templateFor(bytes.length, isOpen, way, mesh);
  return template(serviceHost(name, mesh.domain), bytes);
}

function templateFor(length: number, isOpen: boolean, way: Way, mesh: MeshInput): Template {
  const known = templates.get(mesh) ?? new Map<string, Template>();
  templates.set(mesh, known);
  const key = `${length} ${isOpen} ${way.ways} ${way.cluster}`;
  const before = known.get(key);
  if (before !== undefined) return before;
  if (known.size >= mostTemplates) known.clear();
  const template = templateOf(length, (name) => {
    const auth = mesh.auth && { ...mesh.auth, open: isOpen ? [name] : [] };
    return scope(serviceHost(name, mesh.domain), routesOf(name, way, { ...mesh, auth }));
  });
  known.set(key, template);
  return template;
}

/**
 * A request that has reached no service goes the next way, one that changes nothing also when its answer broke off; where it
 * failed twice nothing is left to try.
 */
function routesOf(name: string, { cluster, ways }: Way, mesh: MeshInput): RouteInit[] {
  const everything: PathRule = { kind: "prefix", path: "/", to: null };
  const made = (retryOn: string, headers: readonly HeaderMatcher[]) => {
    const to = rewritten(forward(cluster, another(retryOn, ways)));
    return route(everything, to, name, mesh, headers);
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
