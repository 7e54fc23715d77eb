import { encodeResource, type Resource } from "@catalyst/xds";
import { TypedExtensionConfigSchema } from "@catalyst/xds/api/config/core/v3/extension_pb";
import { ActionSchema, RBAC_Action } from "@catalyst/xds/api/config/rbac/v3/rbac_pb";
import { RBACSchema } from "@catalyst/xds/api/extensions/filters/http/rbac/v3/rbac_pb";
import type { HttpFilterSchema } from "@catalyst/xds/api/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb";
import { UriSanInputSchema } from "@catalyst/xds/api/extensions/matching/common_inputs/ssl/v3/ssl_inputs_pb";
import { HttpRequestHeaderMatchInputSchema } from "@catalyst/xds/api/type/matcher/v3/http_inputs_pb";
import type { Matcher_OnMatchSchema, MatcherSchema } from "@catalyst/xds/xds-core/type/matcher/v3/matcher_pb";
import { discovered } from "./auth.ts";
import { certificateHeader } from "./internal-headers.ts";
import { type Init, packed, packedStruct } from "./message.ts";
import { nodeHealthPath } from "./node-cluster.ts";
import { type Anchor, compileAnchors, type DeniedNode, envoyOf } from "./node-tls.ts";
import { compileTcpAccess } from "./tcp-access.ts";

/** Which nodes may bring requests: spec/enrolment.md §2. */
export type NodeTrust = {
  readonly roots: readonly Anchor[];
  /** Certificates that nodes have signed for themselves. */
  readonly pinned: readonly Anchor[];
  readonly denied: readonly DeniedNode[];
};

/** Name of the filter, and of what it discovers. */
const nodesFilter = "catalyst.nodes";

/** What it carries, in Envoy's words. */
export const certificateValue = "%DOWNSTREAM_PEER_URI_SAN% %DOWNSTREAM_PEER_SERIAL%";

/** The policy by which a node that was revoked is refused. */
export const deniedNodePolicy = "denied node";

/**
 * What the mesh listener asks of a node before anything else, also on connections that were opened long ago: that its
 * certificate is an Envoy's, and was not revoked. Without its rules nobody is let in.
 */
export const nodesAllowed: Init<typeof HttpFilterSchema> = discovered(nodesFilter, RBACSchema);

/** Says to other nodes that this one takes requests; when Envoy goes down, that it takes none. */
export const nodeHealth: Init<typeof HttpFilterSchema> = {
  name: "envoy.filters.http.health_check",
  configType: {
    case: "typedConfig",
    value: packedStruct("envoy.extensions.filters.http.health_check.v3.HealthCheck", {
      pass_through_mode: false,
      headers: [{ name: ":path", string_match: { exact: nodeHealthPath } }],
    }),
  },
};

/**
 * Whom the Envoy of a node of this domain lets in and goes to: the certificates that TLS believes, and the look-ups, however
 * many were revoked, by which the mesh listener refuses some of them, requests and TCP connections.
 */
export function compileNodeTrust({ roots, pinned, denied }: NodeTrust, domain: string): Resource[] {
  const nodes = denied.flatMap((each) => (each.serial === null ? [envoyOf(each)] : []));
  const certificates = denied.flatMap((each) =>
    each.serial === null ? [] : [`${envoyOf(each)} ${each.serial}`],
  );
  const certificate = packed(HttpRequestHeaderMatchInputSchema, { headerName: certificateHeader });
  const matcher = unless(
    { name: "node", typedConfig: packed(UriSanInputSchema, {}) },
    nodes,
    unless({ name: "certificate", typedConfig: certificate }, certificates, envoysOnly),
  );
  const typedConfig = packed(RBACSchema, { matcher });
  const rules = encodeResource(TypedExtensionConfigSchema, nodesFilter, { name: nodesFilter, typedConfig });
  return [...compileAnchors(roots, pinned, domain), rules, compileTcpAccess(denied)];
}

type Matcher = Init<typeof MatcherSchema>;
type Input = { readonly name: string; readonly typedConfig: ReturnType<typeof packed> };

/** Refuses what one of the values names, and asks on about everybody else. */
function unless(input: Input, values: readonly string[], otherwise: Matcher): Matcher {
  if (values.length === 0) return otherwise;
  const refused = outcome(deniedNodePolicy, RBAC_Action.DENY);
  const map = Object.fromEntries(values.map((value) => [value, refused]));
  return {
    matcherType: {
      case: "matcherTree",
      value: { input, treeType: { case: "exactMatchMap", value: { map } } },
    },
    onNoMatch: { onMatch: { case: "matcher", value: otherwise } },
  };
}

/** Of a node's processes its Envoy alone brings requests. */
const envoysOnly: Matcher = {
  matcherType: {
    case: "matcherList",
    value: {
      matchers: [
        {
          predicate: {
            matchType: {
              case: "singlePredicate",
              value: {
                input: { name: "node", typedConfig: packed(UriSanInputSchema, {}) },
                matcher: { case: "valueMatch", value: { matchPattern: anyEnvoy() } },
              },
            },
          },
          onMatch: outcome("a node's Envoy", RBAC_Action.ALLOW),
        },
      ],
    },
  },
  onNoMatch: outcome("none", RBAC_Action.DENY),
};

function anyEnvoy() {
  const regex = "spiffe://[a-z0-9.-]+/node/[a-z0-9-]+/envoy";
  const engineType = { case: "googleRe2" as const, value: {} };
  return { case: "safeRegex" as const, value: { engineType, regex } };
}

function outcome(name: string, action: RBAC_Action): Init<typeof Matcher_OnMatchSchema> {
  const typedConfig = packed(ActionSchema, { name, action });
  return { onMatch: { case: "action", value: { name, typedConfig } } };
}
