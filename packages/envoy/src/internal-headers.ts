import { HeaderMutationSchema } from "@catalyst/xds/api/extensions/filters/http/header_mutation/v3/header_mutation_pb";
import type { HttpFilterSchema } from "@catalyst/xds/api/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb";
import { type MutationInit, removing, setting } from "./header-mutation.ts";
import { type Init, packed, packedStruct } from "./message.ts";

/** Tells a service who calls: the `sub` of the verified credential, and nothing that a caller sent. */
export const callerHeader = "x-catalyst-caller";

/**
 * Says which certificate the client has that stands at the beginning of a request, however many Envoys it passes: SHA-256
 * in base64url, as `cnf` of a token has it (RFC 8705 §3.1). The Envoy that the client is connected to sets it. It is kept
 * where the request comes from the node's own gateway or from an Envoy of the same organisation, and removed everywhere else.
 */
export const holderHeader = "x-catalyst-client-certificate";

/** Carries the verified credential's `jti` to the filters behind. */
export const credentialHeader = "x-catalyst-credential";

/** Says that there are no keys to verify a credential with. */
export const keylessHeader = "x-catalyst-keyless";

/** Carries a node's certificate to the filter, by its SPIFFE id and serial number. */
export const certificateHeader = "x-catalyst-node-certificate";

/** Carries the scope's key, a Host, from the first look at the headers to the choice of the scope and to who names its service. */
export const scopeHeader = "x-catalyst-scope";

/** What filters tell each other about a request, and no service is told. Another node is told the scope, and makes its own of it. */
export const insideOnly: readonly string[] = [
  scopeHeader,
  credentialHeader,
  keylessHeader,
  certificateHeader,
];

/**
 * One node says by it to another that the service has seen nothing of the request: it may be sent another way, whatever
 * it is. It reaches no client.
 */
export const unreachedHeader = "x-catalyst-unreached";

/** By it Envoy, when it goes down, has its own answers say that requests are to go elsewhere: for all services of the node. */
const notWellHeader = "x-envoy-immediate-health-check-fail";

/** What no service may say to another node's Envoy, and no client is told. */
export const insideAnswers: readonly string[] = [unreachedHeader, notWellHeader];

/** Before the name of a header that is put aside while all that are not to be trusted are removed. */
export const asidePrefix = "aside-x-catalyst-";

/** The name under which a header of ours is put aside. */
export function asideOf(header: string): string {
  return `aside-${header}`;
}

/** How all headers begin by which this node's own parts and Envoy speak: no caller sets one. */
export const internalPrefixes = ["x-catalyst-", "x-envoy-"] as const;

/** Says of an endpoint, in its metadata, that it is a node's Envoy and no service. */
export const nodeMetadata = { filterMetadata: { "catalyst.node": {} } };

type Filters = readonly Init<typeof HttpFilterSchema>[];

const aside = asideOf(unreachedHeader);
const isFromNode = "'catalyst.node' in xds.upstream_host_metadata.filter_metadata";

/**
 * What is done with answers before Envoy looks at them, where a request goes to a service or to other nodes: those alone
 * may say that the service was not reached, or it could have any request sent twice.
 */
export const answersOfEither: Filters = answering([
  removing({ case: "exact", value: aside }),
  setting(aside, `%CEL(${isFromNode} && '${unreachedHeader}' in response.headers ? 'true' : '')%`),
  removing({ case: "exact", value: unreachedHeader }),
  setting(unreachedHeader, `%RESP(${aside})%`),
  removing({ case: "exact", value: aside }),
]);

function answering(responseMutations: MutationInit[]): Filters {
  const mutate = packed(HeaderMutationSchema, { mutations: { responseMutations } });
  const send = packedStruct("envoy.extensions.filters.http.upstream_codec.v3.UpstreamCodec", {});
  return [
    { name: "catalyst.answers", configType: { case: "typedConfig", value: mutate } },
    { name: "envoy.filters.http.upstream_codec", configType: { case: "typedConfig", value: send } },
  ];
}
