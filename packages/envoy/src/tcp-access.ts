import { encodeResource, type Resource } from "@catalyst/xds";
import { TypedExtensionConfigSchema } from "@catalyst/xds/api/config/core/v3/extension_pb";
import type { FilterSchema } from "@catalyst/xds/api/config/listener/v3/listener_components_pb";
import { fromAds, type Init, packedStruct } from "./message.ts";
import { type DeniedNode, envoyOf } from "./node-tls.ts";

/** Name of the filter, and of what it discovers. */
const nodesFilter = "catalyst.nodes.tcp";
const configType = "envoy.extensions.filters.network.set_filter_state.v3.Config";

/** Before the Host in the name of the cluster of a TCP service that stands here; no other name begins with it. */
export const tcpPrefix = "tcp/";

/**
 * Chooses the cluster of a connection that another node brings: that of the TCP service whose Host it asks for, and none
 * for a node that was revoked. That is done when TLS knows who it is and before anything is connected to: the RBAC filter
 * would judge with the first byte that the node sends, and many services speak first.
 */
export const tcpNodesAllowed: Init<typeof FilterSchema> = {
  name: nodesFilter,
  configType: {
    case: "configDiscovery",
    value: { configSource: fromAds, typeUrls: [`type.googleapis.com/${configType}`] },
  },
};

/** Where the filter notes what was shown; nothing else reads it. */
const certificateKey = "catalyst.node-certificate";
const clusterKey = "envoy.tcp_proxy.cluster";

/** What Envoy parses at once: expressions are bounded, and the list of who was revoked is not. */
const mostInExpression = 500;

/** The rules for it: what the HTTP filter asks of a node, asked of a connection. */
export function compileTcpAccess(denied: readonly DeniedNode[]): Resource {
  const isEnvoy =
    "connection.uri_san_peer_certificate.matches('^spiffe://[a-z0-9.-]+/node/[a-z0-9-]+/envoy$')";
  const certificate = `filter_state['${certificateKey}']`;
  const nodes = denied.flatMap((each) => (each.serial === null ? [envoyOf(each)] : []));
  const certificates = denied.flatMap((each) =>
    each.serial === null ? [] : [`${envoyOf(each)} ${each.serial}`],
  );
  const rules = [
    state(certificateKey, "%DOWNSTREAM_PEER_URI_SAN% %DOWNSTREAM_PEER_SERIAL%"),
    // Where that cannot be said, the name begins with nothing, as none does.
    state(clusterKey, `%CEL(${isEnvoy} ? 'tcp' : 'refused')%/%REQUESTED_SERVER_NAME%`),
    ...refusing(
      "connection.uri_san_peer_certificate",
      nodes.map((node) => `'${node}'`),
    ),
    // What a filter has noted is bytes.
    ...refusing(
      certificate,
      certificates.map((shown) => `b'${shown}'`),
    ),
  ];
  const typedConfig = packedStruct(configType, { on_downstream_tls_handshake: rules });
  return encodeResource(TypedExtensionConfigSchema, nodesFilter, { name: nodesFilter, typedConfig });
}

/** No cluster has the name that they get. */
function refusing(what: string, values: readonly string[]) {
  const rules = [];
  for (let from = 0; from < values.length; from += mostInExpression) {
    const list = values.slice(from, from + mostInExpression);
    rules.push(state(clusterKey, `%CEL(${what} in [${list.join(",")}] ? 'refused' : '')%`));
  }
  return rules;
}

function state(key: string, format: string) {
  return {
    object_key: key,
    factory_key: key === clusterKey ? key : "envoy.string",
    format_string: { text_format_source: { inline_string: format }, omit_empty_values: true },
    skip_if_empty: true,
    ...(key === clusterKey ? { shared_with_upstream: "ONCE" } : {}),
  };
}
