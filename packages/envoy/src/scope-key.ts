import { hash } from "node:crypto";
import type { TypedExtensionConfigSchema } from "@catalyst/xds/api/config/core/v3/extension_pb";
import { LuaSchema } from "@catalyst/xds/api/extensions/filters/http/lua/v3/lua_pb";
import type {
  HttpFilterSchema,
  ScopedRoutes_ScopeKeyBuilderSchema,
} from "@catalyst/xds/api/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb";
import { HeaderMutationSchema } from "@catalyst/xds/api/extensions/http/early_header_mutation/header_mutation/v3/header_mutation_pb";
import { type HeaderPattern, type MutationInit, removing, setting } from "./header-mutation.ts";
import { asideOf, asidePrefix, scopeHeader } from "./internal-headers.ts";
import { type Init, packed } from "./message.ts";

/** Before the key of what other nodes bring: a Host has a scope for those that stand at this node, and one for them. */
export const meshPrefix = "mesh/";
/** Key of what ingress serves outside the domain. Without dots, so that no Host of the domain equals it. */
export const nodeScope = "node";
/** Key of Hosts that have upper-case letters: keys are compared byte for byte, Hosts are not. */
export const mixedCaseScope = "mixed-case";
/** A key that no scope has. */
const noScope = "none";

/** What a scope is called, and the key of the requests that are in it. */
export type ScopeId = { readonly name: string; readonly key: string };

/** A scope that is called as its key is: one of few. */
export function namedByKey(key: string): ScopeId {
  return { name: key, key };
}

/**
 * The scope of a service's Host, with {@link meshPrefix} the one of those that other nodes bring. Its name is the first label with
 * its dot, `products.`, or a digest (SHA-256, base64url) in place of one that is longer than 22 bytes: Envoy copies the names of
 * all scopes at each response that has one, and allocates memory for each that is longer. With 10,000 services that took 2 ms.
 */
export function hostScope(host: string, prefix = ""): ScopeId {
  const label = `${prefix}${host.slice(0, host.indexOf(".") + 1)}`;
  const isShort = label.length <= inlineBytes;
  const name = isShort ? label : hash("sha256", label, "base64url").slice(0, inlineBytes);
  return { name, key: `${prefix}${host}` };
}

/** What a string of libc++ holds without an allocation. */
const inlineBytes = 22;

/** The filter that is on in the mixed-case scope alone. */
export const lowerCaseFilter = "catalyst.lower-case-host";

/** What a listener makes of the headers of a request before anything else. */
export type FirstLook = {
  readonly domain: string;
  /** What Hosts outside of the domain get. */
  readonly outside: "node" | "nothing";
  readonly untrusted: readonly HeaderPattern[];
  /** What is told to the filters, by header, in Envoy's words; nothing where those come to nothing. Default nothing. */
  readonly told?: Readonly<Record<string, string>>;
  /** The same, but its words look at the request as it came, untrusted headers among it. */
  readonly kept?: Readonly<Record<string, string>>;
  /** Before the key. Default nothing. */
  readonly prefix?: string;
};

/**
 * The first look at a request: removes what callers must not set, and computes the key: the Host when it is a name
 * below the domain, with a port or without, else a key of the node's own. A name without colons that ends with the
 * domain is never one of those. One regular expression for most requests, and none that holds the domain: Envoy
 * takes short ones alone. The domain was checked, so it cannot end the expression's string.
 */
export function earlyHeaders({
  domain,
  outside,
  untrusted,
  told = {},
  kept = {},
  prefix = "",
}: FirstLook): Init<typeof TypedExtensionConfigSchema> {
  const fallback = outside === "node" ? nodeScope : noScope;
  const lowerCase = "request.host.matches('^[^:A-Z]+(:[0-9]+)?$')";
  const inside = `request.host.endsWith('.${domain}') || request.host.contains('.${domain}:')`;
  const mixed = `request.host.matches('[A-Z]') ? '${mixedCaseScope}' : '${fallback}'`;
  const key = `${lowerCase} ? (${inside} ? request.host : '${fallback}') : (${mixed})`;
  const aside = Object.keys(kept).map((name) => [name, asideOf(name)] as const);
  const mutations: MutationInit[] = [
    removing({ case: "prefix", value: asidePrefix }),
    ...aside.map(([name, other]) => setting(other, kept[name] ?? "")),
    ...untrusted.map(removing),
    ...aside.flatMap(([name, other]) => [
      setting(name, `%REQ(${other})%`),
      removing({ case: "exact", value: other }),
    ]),
    ...Object.entries(told).map(([name, value]) => setting(name, value)),
    setting(scopeHeader, `${prefix}%CEL(${key})%`),
  ];
  return {
    name: "envoy.http.early_header_mutation.header_mutation",
    typedConfig: packed(HeaderMutationSchema, { mutations }),
  };
}

/** The key of a request's scope: what the header says, without the port. */
export const scopeKeyBuilder: Init<typeof ScopedRoutes_ScopeKeyBuilderSchema> = {
  fragments: [
    {
      type: {
        case: "headerValueExtractor",
        value: {
          name: scopeHeader,
          elementSeparator: ":",
          extractType: { case: "index", value: 0 },
        },
      },
    },
  ],
};

/** The filter of the mixed-case scope. It costs nothing elsewhere: it is off unless a route turns it on. */
export function lowerCaseHost(domain: string, outside: "node" | "nothing"): Init<typeof HttpFilterSchema> {
  const code = `
function envoy_on_request(handle)
  local headers = handle:headers()
  local host = string.lower(headers:get(":authority"))
  local name = string.match(host, "^[^:]*$") or string.match(host, "^([^:]*):%d+$") or ""
  local suffix = ".${domain}"
  headers:replace(":authority", host)
  headers:replace("${scopeHeader}", string.sub(name, -#suffix) == suffix and name or "${outside === "node" ? nodeScope : noScope}")
  handle:clearRouteCache()
end`;
  return {
    name: lowerCaseFilter,
    disabled: true,
    configType: {
      case: "typedConfig",
      value: packed(LuaSchema, {
        sourceCodes: { [lowerCaseFilter]: { specifier: { case: "inlineString", value: code } } },
      }),
    },
  };
}
