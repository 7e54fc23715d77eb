import { createHash, generateKeyPairSync, type KeyObject, randomBytes, sign } from "node:crypto";
import type { CredentialIssuer, CredentialRules } from "../src/auth.ts";

export const domain = "acme.catalyst.internal";

/** What stands in a credential; a member that is undefined is left out. */
export type Claims = Readonly<Record<string, unknown>>;

/** An issuer that signs whatever a test asks it to. */
export type TestIssuer = {
  readonly rules: CredentialIssuer;
  readonly kid: string;
  readonly key: KeyObject;
  /** The public key as a JWK. */
  readonly jwk: Readonly<Record<string, unknown>>;
  /** A credential that is good for five minutes, unless the claims or the header say otherwise. */
  readonly issue: (claims?: Claims, header?: Claims) => string;
};

export function testIssuer(kind: "tokens" | "apikeys", seed?: KeyObject): TestIssuer {
  const key = seed ?? generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey;
  const { kty, crv, x, y } = key.export({ format: "jwk" });
  const kid = createHash("sha256").update(JSON.stringify({ crv, kty, x, y })).digest("base64url");
  const jwk = { kty, crv, x, y, kid, alg: "ES256", use: "sig" };
  const issuer = kind === "tokens" ? `https://${domain}` : `https://${domain}/apikeys`;
  const typ = kind === "tokens" ? "at+jwt" : "apikey+jwt";
  return {
    rules: {
      kind,
      issuer,
      audience: domain,
      jwks: JSON.stringify({ keys: [jwk] }),
      maxLifetimeMs: 3_600_000,
    },
    kid,
    key,
    jwk,
    issue: (claims = {}, header = {}) => {
      const now = Math.floor(Date.now() / 1_000);
      const times = { iat: now, nbf: now, exp: now + 300 };
      const jti = randomBytes(16).toString("hex");
      const all = { iss: issuer, aud: domain, sub: "apikey:ci", jti, ...times, services: ["*"], ...claims };
      return signed({ alg: "ES256", typ, kid, ...header }, all, key);
    },
  };
}

/** A compact JWS, ES256 whatever its header says. */
export function signed(header: Claims, claims: Claims, key: KeyObject): string {
  const input = `${encoded(header)}.${encoded(claims)}`;
  return `${input}.${sign("sha256", Buffer.from(input), { key, dsaEncoding: "ieee-p1363" }).toString("base64url")}`;
}

/** What stands in a credential. */
export function claimsOf(credential: string): Claims {
  return JSON.parse(Buffer.from(credential.split(".")[1] ?? "", "base64url").toString());
}

export function encoded(value: Claims): string {
  return Buffer.from(JSON.stringify(value)).toString("base64url");
}

/** What Envoy is told of issuers. */
export function rulesOf(issuers: readonly TestIssuer[], revoked: readonly string[] = []): CredentialRules {
  return { issuers: issuers.map(({ rules }) => rules), revoked: revoked.map((jti) => ({ jti })) };
}
