import { ActionSchema, RBAC_Action } from "@catalyst/xds/api/config/rbac/v3/rbac_pb";
import type { RouteSchema } from "@catalyst/xds/api/config/route/v3/route_components_pb";
import { RBACPerRouteSchema, RBACSchema } from "@catalyst/xds/api/extensions/filters/http/rbac/v3/rbac_pb";
import type { HttpFilterSchema } from "@catalyst/xds/api/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb";
import { UriSanInputSchema } from "@catalyst/xds/api/extensions/matching/common_inputs/ssl/v3/ssl_inputs_pb";
import type { TypedExtensionConfigSchema } from "@catalyst/xds/xds-core/core/v3/extension_pb";
import type {
  Matcher_MatcherList_FieldMatcherSchema,
  Matcher_MatcherList_PredicateSchema,
  Matcher_OnMatchSchema,
  MatcherSchema,
} from "@catalyst/xds/xds-core/type/matcher/v3/matcher_pb";
import { type Init, packed } from "./message.ts";

/** Which nodes may have a service: the first rule of a list that is about a node decides. */
export type NodeRule = {
  readonly name: string;
  readonly allows: boolean;
  /** Regular expressions (RE2) for the SPIFFE id of its Envoy, all of which must match it whole. */
  readonly ids: readonly string[];
};

/** Name of the filter. */
const policyFilter = "catalyst.node-policy";

type Matcher = Init<typeof MatcherSchema>;
type Predicate = Init<typeof Matcher_MatcherList_PredicateSchema>;

/** What the mesh listener asks of a node for one service: where no rule is about it, that it is of this organisation. */
export function nodePolicy(domain: string): Init<typeof HttpFilterSchema> {
  const typedConfig = packed(RBACSchema, { matcher: compileNodeRules([], domain) });
  return { name: policyFilter, configType: { case: "typedConfig", value: typedConfig } };
}

/** The same on the route of a service that has rules of its own. */
export function nodePolicyOf(
  rules: readonly NodeRule[],
  domain: string,
): NonNullable<Init<typeof RouteSchema>["typedPerFilterConfig"]> {
  if (rules.length === 0) return {};
  const rbac = { matcher: compileNodeRules(rules, domain) };
  return { [policyFilter]: packed(RBACPerRouteSchema, { rbac }) };
}

/** Where rules are looked at: what says which node it is, and what becomes of it. */
type Door = {
  readonly input: Init<typeof TypedExtensionConfigSchema>;
  readonly outcome: (rule: string, allows: boolean) => Init<typeof Matcher_OnMatchSchema>;
};

const rbac: Door = { input: { name: "node", typedConfig: packed(UriSanInputSchema, {}) }, outcome };

/** Rules as a matcher, of RBAC unless it is told otherwise; behind them the default. */
export function compileNodeRules(rules: readonly NodeRule[], domain: string, door: Door = rbac): Matcher {
  const own = `spiffe://${domain.replaceAll(".", "[.]")}/node/[a-z0-9-]+/envoy`;
  const all: NodeRule[] = [...rules, { name: "own organisation", allows: true, ids: [own] }];
  return {
    matcherType: { case: "matcherList", value: { matchers: all.map((rule) => compileRule(rule, door)) } },
    onNoMatch: door.outcome("other organisation", false),
  };
}

function compileRule(
  { name, allows, ids }: NodeRule,
  { input, outcome }: Door,
): Init<typeof Matcher_MatcherList_FieldMatcherSchema> {
  const all = ids.map((id) => isNode(id, input));
  const [first, ...others] = all;
  const predicate: Predicate =
    first !== undefined && others.length === 0
      ? first
      : { matchType: { case: "andMatcher", value: { predicate: all } } };
  return { predicate, onMatch: outcome(name, allows) };
}

/** Whether what says which node it is matches the expression whole. */
export function isNode(regex: string, input: Door["input"]): Predicate {
  const engineType = { case: "googleRe2" as const, value: {} };
  return {
    matchType: {
      case: "singlePredicate",
      value: {
        input,
        matcher: {
          case: "valueMatch",
          value: { matchPattern: { case: "safeRegex", value: { engineType, regex } } },
        },
      },
    },
  };
}

function outcome(name: string, allows: boolean): Init<typeof Matcher_OnMatchSchema> {
  const typedConfig = packed(ActionSchema, { name, action: allows ? RBAC_Action.ALLOW : RBAC_Action.DENY });
  return { onMatch: { case: "action", value: { name, typedConfig } } };
}
