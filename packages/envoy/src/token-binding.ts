import type { HttpFilterSchema } from "@catalyst/xds/api/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb";
import { at, type Condition, call, has, of, variable } from "./condition.ts";
import { type Init, packedStruct } from "./message.ts";

/**
 * Says which certificate the client has that stands at the beginning of a request, however many Envoys it passes: SHA-256
 * in base64url, as `cnf` of a token has it (RFC 8705 §3.1). The Envoy that the client is connected to sets it. It is kept
 * where the request comes from the node's own gateway or from an Envoy of the same organisation, and removed everywhere else.
 */
export const holderHeader = "x-catalyst-client-certificate";

/** What the connection's certificate is told in, in Envoy's words: hexadecimal digits, nothing without a certificate. */
export const holderOfConnection = "%DOWNSTREAM_PEER_FINGERPRINT_256%";

/** That of whoever brings a request, and may say it: nobody but this node's gateway is at its socket. */
export const holderAsTold = `%REQ(${holderHeader})%`;

/** The same of Envoys of the same organisation; those of others may not speak for this one's clients. */
export function holderFromOwnNodes(domain: string): string {
  const isOwn = `connection.uri_san_peer_certificate.startsWith('spiffe://${domain}/')`;
  return `%CEL(${isOwn} && '${holderHeader}' in request.headers ? request.headers['${holderHeader}'] : '')%`;
}

/** A token that is bound to a certificate comes from who has it; one that is bound in a way not known here, from nobody. */
export function isHolder(claims: Condition): Condition {
  const told = at(of(variable("request"), "headers"), holderHeader);
  return call("_||_", call("!_", has(claims, "cnf")), call("_==_", at(of(claims, "cnf"), "x5t#S256"), told));
}

/** The same turned around, as text: for whoever explains a refusal. `claims` is an expression. */
export function isNoHolder(claims: string): string {
  const bound = `has(${claims}.cnf)`;
  const matches = `'${holderHeader}' in request.headers && ${claims}.cnf["x5t#S256"] == request.headers['${holderHeader}']`;
  return `${bound} && !(${matches})`;
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
