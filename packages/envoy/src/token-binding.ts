import type { Any } from "@bufbuild/protobuf/wkt";
import type { HttpFilterSchema } from "@catalyst/xds/api/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb";
import { DynamicMetadataInputSchema } from "@catalyst/xds/api/extensions/matching/common_inputs/network/v3/network_inputs_pb";
import { CelMatcherSchema } from "@catalyst/xds/xds-core/type/matcher/v3/cel_pb";
import { HttpAttributesCelMatchInputSchema } from "@catalyst/xds/xds-core/type/matcher/v3/http_inputs_pb";
import type {
  Matcher_MatcherList_PredicateSchema,
  Matcher_OnMatchSchema,
  MatcherSchema,
} from "@catalyst/xds/xds-core/type/matcher/v3/matcher_pb";
import { at, type Condition, call, of, variable } from "./condition.ts";
import { holderHeader } from "./internal-headers.ts";
import { type Init, packed, packedStruct } from "./message.ts";

/** What the connection's certificate is told in, in Envoy's words: hexadecimal digits, nothing without a certificate. */
export const holderOfConnection = "%DOWNSTREAM_PEER_FINGERPRINT_256%";

/** That of whoever brings a request, and may say it: nobody but this node's gateway is at its socket. */
export const holderAsTold = `%REQ(${holderHeader})%`;

/** The same of Envoys of the same organisation; those of others may not speak for this one's clients. */
export function holderFromOwnNodes(domain: string): string {
  const isOwn = `connection.uri_san_peer_certificate.startsWith('spiffe://${domain}/')`;
  return `%CEL(${isOwn} && '${holderHeader}' in request.headers ? request.headers['${holderHeader}'] : '')%`;
}

/** Where a verified credential's claims lie, in the metadata of the filter that verified it. */
export const jwtMetadata = "envoy.filters.http.jwt_authn";
export const claimsKey = "claims";

/**
 * A token that is bound to a certificate comes from who has it; one that is bound in a way not known here, from nobody. An
 * expression is evaluated for bound tokens alone; one with an error does not match.
 */
export function holdersOnly(good: OnMatch, refused: OnMatch): Init<typeof MatcherSchema> {
  const cnf = at(of(variable("metadata"), "filter_metadata"), jwtMetadata);
  const thumbprint = at(of(of(cnf, claimsKey), "cnf"), "x5t#S256");
  const isHolder = call("_==_", thumbprint, at(of(variable("request"), "headers"), holderHeader));
  const held = { matcherType: ifMatches(expression(isHolder), good), onNoMatch: refused };
  return { matcherType: ifMatches(isBound, { onMatch: { case: "matcher", value: held } }), onNoMatch: good };
}

type OnMatch = Init<typeof Matcher_OnMatchSchema>;
type Predicate = Init<typeof Matcher_MatcherList_PredicateSchema>;

function ifMatches(predicate: Predicate, onMatch: OnMatch) {
  return { case: "matcherList" as const, value: { matchers: [{ predicate, onMatch }] } };
}

/** The claim is there, whatever it is, null too. */
const isBound = custom(
  packed(DynamicMetadataInputSchema, {
    filter: jwtMetadata,
    path: [claimsKey, "cnf"].map((key) => ({ segment: { case: "key" as const, value: key } })),
  }),
  packedStruct("envoy.extensions.matching.input_matchers.metadata.v3.Metadata", {
    value: { present_match: true },
  }),
);

function expression(expr: Condition): Predicate {
  const matcher = packed(CelMatcherSchema, { exprMatch: { celExprParsed: { expr } } });
  return custom(packed(HttpAttributesCelMatchInputSchema, {}), matcher);
}

function custom(input: Any, matcher: Any): Predicate {
  const value = {
    input: { name: "input", typedConfig: input },
    matcher: { case: "customMatch" as const, value: { name: "matcher", typedConfig: matcher } },
  };
  return { matchType: { case: "singlePredicate", value } };
}

/** Writes the connection's certificate in base64url: Envoy knows no other form than digits, tokens no other than this. */
const inBase64url = `
function envoy_on_request(handle)
  local digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
  local headers = handle:headers()
  local hex = headers:get("${holderHeader}") .. "00"
  local written = string.gsub(hex, "%x%x%x", function(three)
    local high, low = math.floor(tonumber(three, 16) / 64), tonumber(three, 16) % 64
    return string.sub(digits, high + 1, high + 1) .. string.sub(digits, low + 1, low + 1)
  end)
  headers:replace("${holderHeader}", string.sub(written, 1, 43))
end`;

const skip = {
  name: "skip",
  typed_config: {
    "@type": "type.googleapis.com/envoy.extensions.filters.common.matcher.action.v3.SkipFilter",
  },
};

/** What the TLS listener of clients does first, and only for those that have shown a certificate. */
export const tellHolder: Init<typeof HttpFilterSchema> = {
  name: "catalyst.client-certificate",
  configType: {
    case: "typedConfig",
    value: packedStruct("envoy.extensions.common.matching.v3.ExtensionWithMatcher", {
      extension_config: {
        name: "envoy.filters.http.lua",
        typed_config: {
          "@type": "type.googleapis.com/envoy.extensions.filters.http.lua.v3.Lua",
          default_source_code: { inline_string: inBase64url },
        },
      },
      xds_matcher: {
        matcher_list: {
          matchers: [
            {
              predicate: { not_matcher: { single_predicate: shown() } },
              on_match: { action: skip },
            },
          ],
        },
      },
    }),
  },
};

function shown() {
  return {
    input: {
      name: "certificate",
      typed_config: {
        "@type": "type.googleapis.com/envoy.type.matcher.v3.HttpRequestHeaderMatchInput",
        header_name: holderHeader,
      },
    },
    value_match: { safe_regex: { google_re2: {}, regex: "[0-9a-f]{64}" } },
  };
}
