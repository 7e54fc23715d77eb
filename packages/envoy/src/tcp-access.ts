import { StringValueSchema } from "@bufbuild/protobuf/wkt";
import { encodeResource, type Resource } from "@catalyst/xds";
import { TypedExtensionConfigSchema } from "@catalyst/xds/api/config/core/v3/extension_pb";
import type { FilterSchema } from "@catalyst/xds/api/config/listener/v3/listener_components_pb";
import { FilterStateInputSchema } from "@catalyst/xds/api/extensions/matching/common_inputs/network/v3/network_inputs_pb";
import type { MatcherSchema } from "@catalyst/xds/xds-core/type/matcher/v3/matcher_pb";
import { fromAds, type Init, packed, packedStruct } from "./message.ts";
import { compileNodeRules, isNode, type NodeRule } from "./node-policy.ts";
import { type DeniedNode, envoyOf } from "./node-tls.ts";

/** Name of the filter, and of what it discovers. */
const nodesFilter = "catalyst.nodes.tcp";
const filterType = "envoy.extensions.filters.network.set_filter_state.v3.Config";

/** Before the Host in the name of what other nodes reach a TCP service by; nothing else's name begins so. */
export const tcpPrefix = "tcp/";

/** Whether a cluster only leads to the listener inside of Envoy that has its name. */
export function isDoorInside(cluster: string): boolean {
  return cluster.startsWith(tcpPrefix);
}

/** Chooses what a connection of another node is led to, by the Host that it asks for: nothing where that is no TCP service's. */
export const tcpByHost: Init<typeof FilterSchema> = {
  name: "catalyst.tcp-host",
  configType: {
    case: "typedConfig",
    value: packedStruct(filterType, {
      on_new_connection: [state("envoy.tcp_proxy.cluster", `${tcpPrefix}%REQUESTED_SERVER_NAME%`)],
    }),
  },
};

/** Notes which node has opened a connection, when TLS knows: nobody, where that is no node's Envoy or was revoked. */
export const tcpNodes: Init<typeof FilterSchema> = {
  name: nodesFilter,
  configType: {
    case: "configDiscovery",
    value: { configSource: fromAds, typeUrls: [`type.googleapis.com/${filterType}`] },
  },
};

/** Takes back what was noted, where it is another node than the one whose door this is; behind {@link tcpNodes}. */
export function tcpOnlyFor(id: string): Init<typeof FilterSchema> {
  const refuse = toldIf(`connection.uri_san_peer_certificate == '${id}' ? '' : '${nobody}'`);
  return {
    name: "catalyst.tcp-node",
    configType: {
      case: "typedConfig",
      value: packedStruct(filterType, { on_downstream_tls_handshake: [refuse] }),
    },
  };
}

/** Where that is noted, and what was shown. */
const nodeKey = "catalyst.node";
const certificateKey = "catalyst.node-certificate";
const nobody = "nobody";

/** All SPIFFE ids of a certificate, as one text: that of several nodes is no node's. CEL knows the first one alone. */
const allNames = "%DOWNSTREAM_PEER_URI_SAN%";

/** What Envoy parses at once: expressions are bounded, and the list of who was revoked is not. */
const mostInExpression = 500;

/** What it discovers: the rules that the HTTP filter has for requests. */
export function compileTcpAccess(denied: readonly DeniedNode[]): Resource {
  const id = "connection.uri_san_peer_certificate";
  const nodes = denied.flatMap((each) => (each.serial === null ? [`'${envoyOf(each)}'`] : []));
  // What a filter has noted is bytes.
  const certificates = denied.flatMap((each) =>
    each.serial === null ? [] : [`b'${envoyOf(each)} ${each.serial}'`],
  );
  const rules = [
    state(certificateKey, "%DOWNSTREAM_PEER_URI_SAN% %DOWNSTREAM_PEER_SERIAL%"),
    told(allNames),
    ...refusing(id, nodes),
    ...refusing(`filter_state['${certificateKey}']`, certificates),
  ];
  const typedConfig = packedStruct(filterType, { on_downstream_tls_handshake: rules });
  return encodeResource(TypedExtensionConfigSchema, nodesFilter, { name: nodesFilter, typedConfig });
}

function refusing(what: string, values: readonly string[]) {
  const rules = [];
  for (let from = 0; from < values.length; from += mostInExpression) {
    const list = values.slice(from, from + mostInExpression);
    rules.push(toldIf(`${what} in [${list.join(",")}] ? '${nobody}' : ''`));
  }
  return rules;
}

/**
 * Tells it to the listener inside of Envoy; an empty text changes nothing. Hashable, so that a connection that was begun for
 * one node, and not used, is never that of another.
 */
function told(words: string) {
  const hashable = { factory_key: "envoy.hashable_string", shared_with_upstream: "ONCE" };
  return { ...state(nodeKey, words), ...hashable };
}

function toldIf(expression: string) {
  return told(`%CEL(${expression})%`);
}

function state(key: string, format: string) {
  return {
    object_key: key,
    factory_key: key.startsWith("envoy.") ? key : "envoy.string",
    format_string: { text_format_source: { inline_string: format }, omit_empty_values: true },
    skip_if_empty: true,
  };
}

/**
 * Which connections of other nodes a service takes: leads those to the filter chain of this name, the others to none. That
 * is decided before anything is connected to: the RBAC filter would judge with the first byte that the node sends, and many
 * services speak first.
 */
export function tcpRules(
  rules: readonly NodeRule[],
  domain: string,
  chain: string,
): Init<typeof MatcherSchema> {
  const input = { name: "node", typedConfig: packed(FilterStateInputSchema, { key: nodeKey }) };
  const typedConfig = (name: string) => packed(StringValueSchema, { value: name });
  const outcome = (name: string, allows: boolean) => ({
    onMatch: { case: "action" as const, value: { name, typedConfig: typedConfig(allows ? chain : "none") } },
  });
  const matcher = compileNodeRules(rules, domain, { input, outcome });
  const predicate = isNode("spiffe://[a-z0-9.-]+/node/[a-z0-9-]+/envoy", input);
  const onMatch = { onMatch: { case: "matcher" as const, value: matcher } };
  return { matcherType: { case: "matcherList", value: { matchers: [{ predicate, onMatch }] } } };
}
