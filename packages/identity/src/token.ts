import { type KeyObject, randomBytes } from "node:crypto";
import { z } from "@catalyst/config";
import { labelPattern } from "@catalyst/wire";
import { fromBase64Url } from "./base64url.ts";
import { IdentityError } from "./errors.ts";
import { readTokenJwks } from "./jwks.ts";
import { isSignedBy, readCanonicalObject, readCompactJws, signCompactJws } from "./jws.ts";
import type { PrivateKey } from "./private-key.ts";

/** What a token is for: `tokens` are minted for processes and live for minutes, `apikeys` are given to people. */
export type TokenKind = "tokens" | "apikeys";

/** The header's `typ`, so that a token of one kind is none of the other. */
const types: Readonly<Record<TokenKind, string>> = { tokens: "at+jwt", apikeys: "apikey+jwt" };

const seconds = z
  .int()
  .min(0)
  .max(2 ** 40 - 1);

const claims = z.object({
  iss: z.string(),
  aud: z.string(),
  sub: z.string().regex(/^[\x21-\x7e]{1,512}$/),
  jti: z.string().regex(/^[0-9a-f]{32}$/),
  iat: seconds,
  nbf: seconds,
  exp: seconds,
  services: z
    .array(z.string().refine((name) => name === "*" || labelPattern.test(name)))
    .min(1)
    .max(64)
    .refine((names) => new Set(names).size === names.length, "names a service twice")
    .refine((names) => names.length === 1 || !names.includes("*"), "names services beside *, which is all"),
  cnf: z.object({ "x5t#S256": z.string().refine(isDigest, "is no SHA-256 in base64url") }).optional(),
});

function isDigest(text: string): boolean {
  return fromBase64Url(text) !== null;
}

/** Who a token speaks for, and what it is good for: spec/tokens.md §2. Times are seconds since 1970. */
export type TokenClaims = Readonly<z.infer<typeof claims>>;

/** How far the clocks of two machines may be apart, in seconds. */
export const clockSkewSeconds = 5;

/** One whose tokens are believed. */
export type TokenIssuer = {
  readonly kind: TokenKind;
  /** `iss`, a URL. */
  readonly issuer: string;
  /** `aud`: the organisation's domain. */
  readonly audience: string;
  readonly maxLifetimeMs: number;
  /** By kid; no other issuer has one of them. */
  readonly keys: ReadonlyMap<string, KeyObject>;
};

/** An issuer as others are told of it: its keys are a JWK Set as JSON text. Throws `key_malformed`. */
export function readTokenIssuer(told: Omit<TokenIssuer, "keys"> & { readonly jwks: string }): TokenIssuer {
  const { kind, issuer, audience, maxLifetimeMs, jwks } = told;
  return { kind, issuer, audience, maxLifetimeMs, keys: readTokenJwks(jwks) };
}

export type TokenRequest = {
  readonly kind: TokenKind;
  readonly issuer: string;
  readonly audience: string;
  readonly subject: string;
  /** Names of services, or `["*"]`. */
  readonly services: readonly string[];
  /** Whole seconds; what is left over is not given. */
  readonly ttlMs: number;
  /** Milliseconds since 1970. */
  readonly now: number;
  /** SHA-256 of the certificate without which it is good for nothing, base64url. Default none: it is good for whoever has it. */
  readonly certificate?: string | undefined;
};

/** A new token and its claims. Throws {@link IdentityError} `token_invalid` for claims that no verifier would take. */
export function mintToken(
  { kid, publicKey, secret }: PrivateKey,
  { kind, issuer, audience, subject, services, ttlMs, now, certificate }: TokenRequest,
): { readonly token: string; readonly claims: TokenClaims } {
  if (publicKey.algorithm !== "P-256")
    throw new IdentityError("key_algorithm", "tokens are signed with P-256");
  const iat = Math.floor(now / 1_000);
  const made = claims.safeParse({
    iss: issuer,
    aud: audience,
    sub: subject,
    jti: randomBytes(16).toString("hex"),
    iat,
    nbf: iat,
    exp: iat + Math.floor(ttlMs / 1_000),
    services: [...services],
    ...(certificate === undefined ? {} : { cnf: { "x5t#S256": certificate } }),
  });
  if (!made.success || made.data.exp <= iat) {
    const why = made.success ? "it would live for less than a second" : z.prettifyError(made.error);
    throw new IdentityError("token_invalid", `no token can say this: ${why}`);
  }
  return {
    token: signCompactJws({ alg: "ES256", typ: types[kind], kid }, made.data, secret),
    claims: made.data,
  };
}

/**
 * Why a token is refused.
 *
 * | code | meaning |
 * |---|---|
 * | `token_malformed` | it is no compact JWS in its one form, or its header is not `alg`, `typ`, `kid` in this order |
 * | `token_algorithm` | it is not signed with ES256 |
 * | `token_claims` | its payload is not in its one form, or a claim is missing, or is not what it has to be |
 * | `token_issuer` | nobody who is believed has issued it, or it does not say to be of that kind |
 * | `token_key` | it names no key, or its issuer has none with this kid (any more) |
 * | `token_signature` | the key has not signed it |
 * | `token_audience` | it is meant for somebody else |
 * | `token_lifetime` | it lives longer than its issuer may let it |
 * | `token_early` | its time has not come |
 * | `token_expired` | its time is over |
 * | `token_revoked` | it was revoked |
 * | `token_binding` | it is bound to another certificate than that of who presents it |
 */
export type TokenRefusal =
  | "token_malformed"
  | "token_algorithm"
  | "token_claims"
  | "token_issuer"
  | "token_key"
  | "token_signature"
  | "token_audience"
  | "token_lifetime"
  | "token_early"
  | "token_expired"
  | "token_revoked"
  | "token_binding";

export type VerifiedToken =
  | { readonly kind: TokenKind; readonly claims: TokenClaims }
  | { readonly kind: "refused"; readonly code: TokenRefusal };

export type TokenTrust = {
  readonly issuers: readonly TokenIssuer[];
  /** Milliseconds since 1970. */
  readonly now: number;
  readonly isRevoked: (jti: string) => boolean;
  /** SHA-256 of the certificate of who presents it, base64url. Default none. */
  readonly certificate?: string | undefined;
};

/** Verifies a token as spec/tokens.md §3 says it, step by step. Never throws. */
export function verifyToken(text: string, trust: TokenTrust): VerifiedToken {
  const { issuers, now, isRevoked, certificate } = trust;
  const jws = readCompactJws(text);
  if (jws === null) return refused("token_malformed");
  if (jws.header.alg !== "ES256") return refused("token_algorithm");
  const read = claims.safeParse(readCanonicalObject(jws.payload));
  if (!read.success) return refused("token_claims");
  const token = read.data;
  const issuer = issuers.find((each) => each.issuer === token.iss);
  if (issuer === undefined || jws.header.typ !== types[issuer.kind]) return refused("token_issuer");
  const key = issuer.keys.get(jws.header.kid ?? "");
  if (key === undefined) return refused("token_key");
  if (!isSignedBy(jws, key)) return refused("token_signature");
  const code = staleness(token, issuer, now / 1_000) ?? (isRevoked(token.jti) ? "token_revoked" : null);
  if (code !== null) return refused(code);
  if (token.cnf !== undefined && token.cnf["x5t#S256"] !== certificate) return refused("token_binding");
  return { kind: issuer.kind, claims: token };
}

/** Whether a token is good for a service. */
export function coversService({ services }: TokenClaims, service: string): boolean {
  return services.includes("*") || services.includes(service);
}

/** What is wrong with a token that its issuer has signed, at a moment in seconds. */
function staleness(token: TokenClaims, issuer: TokenIssuer, now: number): TokenRefusal | null {
  const { aud, iat, nbf, exp } = token;
  if (aud !== issuer.audience) return "token_audience";
  if (exp - iat > issuer.maxLifetimeMs / 1_000 || exp <= nbf) return "token_lifetime";
  if (Math.max(iat, nbf) > now + clockSkewSeconds) return "token_early";
  return exp <= now - clockSkewSeconds ? "token_expired" : null;
}

function refused(code: TokenRefusal): VerifiedToken {
  return { kind: "refused", code };
}
