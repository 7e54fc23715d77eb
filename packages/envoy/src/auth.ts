import type { DescMessage } from "@bufbuild/protobuf";
import type { Credentials } from "@catalyst/rpc";
import { encodeResource, type Resource, typeUrl } from "@catalyst/xds";
import { TypedExtensionConfigSchema } from "@catalyst/xds/api/config/core/v3/extension_pb";
import {
  ActionSchema,
  type PolicySchema,
  type PrincipalSchema,
  RBAC_Action,
} from "@catalyst/xds/api/config/rbac/v3/rbac_pb";
import type { HeaderMatcherSchema, RouteSchema } from "@catalyst/xds/api/config/route/v3/route_components_pb";
import { HeaderMutationSchema } from "@catalyst/xds/api/extensions/filters/http/header_mutation/v3/header_mutation_pb";
import {
  JwtAuthenticationSchema,
  type JwtProviderSchema,
  type JwtRequirementSchema,
  type RequirementRuleSchema,
} from "@catalyst/xds/api/extensions/filters/http/jwt_authn/v3/config_pb";
import { RBACPerRouteSchema, RBACSchema } from "@catalyst/xds/api/extensions/filters/http/rbac/v3/rbac_pb";
import type { HttpFilterSchema } from "@catalyst/xds/api/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb";
import { HttpRequestHeaderMatchInputSchema } from "@catalyst/xds/api/type/matcher/v3/http_inputs_pb";
import type { ListMatcherSchema, ValueMatcherSchema } from "@catalyst/xds/api/type/matcher/v3/value_pb";
import type { Matcher_OnMatchSchema } from "@catalyst/xds/xds-core/type/matcher/v3/matcher_pb";
import { z } from "zod";
import { at, call, constant, of, variable } from "./condition.ts";
import { EnvoyError } from "./errors.ts";
import { callerHeader, credentialHeader, keylessHeader } from "./internal-headers.ts";
import { duration, fromAds, type Init, packed } from "./message.ts";
import { serviceOfScope, stringFunctions } from "./service-name.ts";
import { claimsKey, holdersOnly, jwtMetadata } from "./token-binding.ts";

/** One issuer of credentials: whose signatures are good, and on which claims. */
export type CredentialIssuer = Readonly<Credentials["issuers"][number]>;

/** What credentials are verified by: of what the auth process tells, the issuers, and the `jti` of what was revoked. */
export type CredentialRules = {
  readonly issuers: readonly CredentialIssuer[];
  readonly revoked: readonly Pick<Credentials["revoked"][number], "jti">[];
};

/** The policies by which a credential is refused that is good otherwise: it was revoked, or is bound to somebody else. */
export const revokedPolicy = "revoked";
export const boundPolicy = "bound";

/** Names of the filters; those of the first two are also the names of what they discover. */
const verifyFilter = "catalyst.credentials";
const revokedFilter = "catalyst.revoked";
const coverFilter = "catalyst.services";

/** The name in `services` of a credential that is good for every one. */
const everyService = "*";

/** Where the claim `services` lies in the metadata of the filter that verified it. */
const servicesPath = [claimsKey, "services"];

/** What only the first filter says of a request: whose credential was verified, and which one. */
const marked: readonly Init<typeof PrincipalSchema>[] = [credentialHeader, callerHeader].map((name) => ({
  identifier: { case: "header", value: present(name) },
}));

const clockSkewSeconds = 5;
/** Credentials that a worker has verified and need not again; what is longer than our issuers' is not kept. */
const verifiedKept = { jwtCacheSize: 1_000, jwtMaxTokenSize: 8_192 };

/**
 * What a listener does with credentials, in this order: verify, refuse what was revoked or is somebody else's, and refuse
 * what does not cover the service. Keys and revocations are discovered, so that another key is no other listener: a listener that
 * changes drains its connections. The first filter lets pass what it cannot verify, unmarked; the last asks for the
 * mark, so that a fault of the first leaves the door closed.
 */
export const authFilters: readonly Init<typeof HttpFilterSchema>[] = [
  discovered(verifyFilter, JwtAuthenticationSchema, HeaderMutationSchema),
  discovered(revokedFilter, RBACSchema),
  {
    name: coverFilter,
    configType: { case: "typedConfig", value: packed(RBACSchema, mustCover(everyService)) },
  },
];

export type RouteFilters = NonNullable<Init<typeof RouteSchema>["typedPerFilterConfig"]>;

/** What a route has whose service needs no credential: one that is good is told all the same. */
export const openRoute: RouteFilters = { [coverFilter]: packed(RBACPerRouteSchema, {}) };

/** What a route has whose service a credential must cover. A route without it takes those for all services alone. */
export function coveredRoute(service: string): RouteFilters {
  return { [coverFilter]: packed(RBACPerRouteSchema, { rbac: mustCover(service, everyService) }) };
}

/** The same of a route that many services share: a credential must cover the one whose scope the request is in. */
export function coveredByScope(domain: string): RouteFilters {
  return { [coverFilter]: packed(RBACPerRouteSchema, { rbac: mustCoverScope(domain) }) };
}

/**
 * What the filters discover. Without rules no credential is verified, and what needs one is answered with 503.
 * Throws {@link EnvoyError} `credentials_invalid`.
 */
export function compileCredentials(rules: CredentialRules | null): Resource[] {
  const verify =
    rules === null
      ? packed(HeaderMutationSchema, sayKeyless())
      : packed(JwtAuthenticationSchema, verification(rules.issuers));
  const refuse = packed(RBACSchema, refusing(rules?.revoked ?? []));
  return [extension(verifyFilter, verify), extension(revokedFilter, refuse)];
}

function sayKeyless(): Init<typeof HeaderMutationSchema> {
  const append = { header: { key: keylessHeader, value: "true" } };
  return { mutations: { requestMutations: [{ action: { case: "append", value: append } }] } };
}

/** Where a credential is looked for: the first that holds one of ours is the one that counts. */
const places = [
  { header: "x-api-key", prefix: "" },
  { header: "authorization", prefix: "Bearer " },
] as const;

/**
 * Three parts in base64url and nothing else, the bits that the last character of a signature has left over unset.
 * Envoy reads padding, spaces and what comes behind them too, and a credential has one form, spec/tokens.md.
 */
const oneForm = "[A-Za-z0-9_-]+[.][A-Za-z0-9_-]+[.][A-Za-z0-9_-]+[AQgw]";

/** The `typ` of an issuer's credentials. */
const types: Readonly<Record<CredentialIssuer["kind"], string>> = { tokens: "at+jwt", apikeys: "apikey+jwt" };

/**
 * An issuer's credentials begin with one of a few texts, its protected header once for each of its keys: the text
 * selects the provider, so that none parses what another issued, and what has another algorithm or `typ`, no `kid` or
 * a `crit` selects none. One provider for each issuer and place: exactly one credential of a request is verified, and
 * a service's own credentials, in the other place, are left alone.
 */
function verification(issuers: readonly CredentialIssuer[]): Init<typeof JwtAuthenticationSchema> {
  const all = places.flatMap((place) => issuers.map((issuer) => ({ place, issuer })));
  const nameOf = ({ place, issuer }: (typeof all)[number]) => `${issuer.kind} in ${place.header}`;
  return {
    providers: Object.fromEntries(all.map((each) => [nameOf(each), provider(each.issuer, each.place)])),
    rules: all.flatMap((each) => headsOf(each.issuer).map((head) => ruleFor(each.place, head, nameOf(each)))),
  };
}

/** The protected headers of an issuer's credentials as they are written, with the dot behind: spec/tokens.md. */
function headsOf({ kind, jwks }: CredentialIssuer): string[] {
  const parsed = keySet.safeParse(parseJson(jwks));
  if (!parsed.success) throw new EnvoyError("credentials_invalid", `the keys for ${kind} are no JWK Set`);
  return parsed.data.keys.map(({ kid }) => {
    const head = JSON.stringify({ alg: "ES256", typ: types[kind], kid });
    return `${Buffer.from(head).toString("base64url")}.`;
  });
}

const keySet = z.object({ keys: z.array(z.object({ kid: z.string().min(1) })) });

function ruleFor(
  { header, prefix }: (typeof places)[number],
  head: string,
  providerName: string,
): Init<typeof RequirementRuleSchema> {
  const begins = { matchPattern: { case: "prefix" as const, value: `${prefix}${head}` } };
  const written = { matchPattern: { case: "safeRegex" as const, value: { regex: prefix + oneForm } } };
  const requirements: Init<typeof JwtRequirementSchema>[] = [
    { requiresType: { case: "providerName", value: providerName } },
    { requiresType: { case: "allowMissingOrFailed", value: {} } },
  ];
  return {
    match: {
      pathSpecifier: { case: "prefix", value: "/" },
      headers: [begins, written].map((value) => ({
        name: header,
        headerMatchSpecifier: { case: "stringMatch", value },
      })),
    },
    requirementType: {
      case: "requires",
      value: { requiresType: { case: "requiresAny", value: { requirements } } },
    },
  };
}

function provider(
  { issuer, audience, jwks, maxLifetimeMs }: CredentialIssuer,
  { header, prefix }: (typeof places)[number],
): Init<typeof JwtProviderSchema> {
  return {
    issuer,
    audiences: [audience],
    jwksSourceSpecifier: { case: "localJwks", value: { specifier: { case: "inlineString", value: jwks } } },
    requireExpiration: true,
    maxLifetime: duration(maxLifetimeMs),
    clockSkewSeconds,
    fromHeaders: [{ name: header, valuePrefix: prefix }],
    forward: true,
    payloadInMetadata: claimsKey,
    failedStatusInMetadata: "failed",
    claimToHeaders: [
      { headerName: callerHeader, claimName: "sub" },
      { headerName: credentialHeader, claimName: "jti" },
    ],
    jwtCacheConfig: verifiedKept,
  };
}

/** One look-up in a hash table, however many there are; behind it, whose the credential is. */
function refusing(revoked: CredentialRules["revoked"]): Init<typeof RBACSchema> {
  const matcher = holdersOnly(outcome("good", RBAC_Action.ALLOW), outcome(boundPolicy, RBAC_Action.DENY));
  if (revoked.length === 0) return { matcher };
  const refuse = outcome(revokedPolicy, RBAC_Action.DENY);
  const input = packed(HttpRequestHeaderMatchInputSchema, { headerName: credentialHeader });
  const map = Object.fromEntries(revoked.map(({ jti }) => [jti, refuse]));
  return {
    matcher: {
      matcherType: {
        case: "matcherTree",
        value: {
          input: { name: "jti", typedConfig: input },
          treeType: { case: "exactMatchMap", value: { map } },
        },
      },
      onNoMatch: { onMatch: { case: "matcher", value: matcher } },
    },
  };
}

function outcome(name: string, action: RBAC_Action): Init<typeof Matcher_OnMatchSchema> {
  const typedConfig = packed(ActionSchema, { name, action });
  return { onMatch: { case: "action", value: { name, typedConfig } } };
}

/**
 * A credential was verified that says who presents it and can be revoked, and its claim `services` is a list that has one of the
 * names. Whatever is missing here, the answer is no.
 */
function mustCover(...names: readonly string[]): Init<typeof RBACSchema> {
  return allowing(listed(holdsOneOf(names)));
}

/** The same where the name is that of the request's scope: in an expression members of an object would be names too. */
function mustCoverScope(domain: string): Init<typeof RBACSchema> {
  const metadata = at(of(variable("metadata"), "filter_metadata"), jwtMetadata);
  const services = servicesPath.reduce(at, metadata);
  const names = [constant(everyService), serviceOfScope(domain)];
  const condition = call("_||_", ...names.map((name) => call("@in", name, services)));
  return allowing(listed(holdsAnything), { condition, celConfig: stringFunctions });
}

/** The claim `services` is a list that matches. */
function listed(value: Init<typeof ListMatcherSchema>): Init<typeof PrincipalSchema> {
  const metadataMatcher = {
    filter: jwtMetadata,
    path: servicesPath.map((key) => ({ segment: { case: "key" as const, value: key } })),
    value: { matchPattern: { case: "listMatch" as const, value } },
  };
  return { identifier: { case: "sourcedMetadata", value: { metadataMatcher } } };
}

const holdsAnything: Init<typeof ListMatcherSchema> = {
  matchPattern: { case: "oneOf", value: { matchPattern: { case: "presentMatch", value: true } } },
};

/** Lets in whom the first filter has marked, where the claim and what else is asked for hold. */
function allowing(
  claim: Init<typeof PrincipalSchema>,
  also: Pick<Init<typeof PolicySchema>, "condition" | "celConfig"> = {},
): Init<typeof RBACSchema> {
  const covered = {
    permissions: [{ rule: { case: "any" as const, value: true } }],
    principals: [{ identifier: { case: "andIds" as const, value: { ids: [...marked, claim] } } }],
    ...also,
  };
  return { rules: { action: RBAC_Action.ALLOW, policies: { covered } } };
}

function holdsOneOf(names: readonly string[]): Init<typeof ListMatcherSchema> {
  const valueMatchers = names.map((name): Init<typeof ValueMatcherSchema> => {
    const text = { matchPattern: { case: "exact" as const, value: name } };
    return { matchPattern: { case: "stringMatch", value: text } };
  });
  const [only] = valueMatchers;
  // Envoy takes no choice of one.
  const value =
    only !== undefined && valueMatchers.length === 1
      ? only
      : { matchPattern: { case: "orMatch" as const, value: { valueMatchers } } };
  return { matchPattern: { case: "oneOf", value } };
}

function present(name: string): Init<typeof HeaderMatcherSchema> {
  return { name, headerMatchSpecifier: { case: "presentMatch", value: true } };
}

/** A filter whose configuration is discovered by the filter's own name: to change it is not to change the listener. */
export function discovered(name: string, ...schemas: readonly DescMessage[]): Init<typeof HttpFilterSchema> {
  const typeUrls = schemas.map((schema) => typeUrl(schema));
  return { name, configType: { case: "configDiscovery", value: { configSource: fromAds, typeUrls } } };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function extension(name: string, typedConfig: ReturnType<typeof packed>): Resource {
  return encodeResource(TypedExtensionConfigSchema, name, { name, typedConfig });
}
