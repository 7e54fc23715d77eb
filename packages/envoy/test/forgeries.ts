import { createHmac, createPublicKey, sign } from "node:crypto";
import { domain, encoded, signed, testIssuer } from "./credentials.ts";

export const tokens = testIssuer("tokens");
export const keys = testIssuer("apikeys");
const now = Math.floor(Date.now() / 1_000);

/** What stands in the two parts of a token that is good. */
const head = { alg: "ES256", typ: "at+jwt", kid: tokens.kid };
export const good = tokens.issue();
const [first = "", second = "", third = ""] = good.split(".");
export const claims = JSON.parse(Buffer.from(second, "base64url").toString());
export const unsigned = `${first}.${second}`;

const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
const publicPem = createPublicKey(tokens.key).export({ type: "spki", format: "pem" });

/** The same signed part under another header, with the MAC that who takes the public key for a secret would want. */
function maced(header: Readonly<Record<string, unknown>>, secret: string | Buffer): string {
  const input = `${encoded(header)}.${second}`;
  return `${input}.${createHmac("sha256", secret).update(input).digest("base64url")}`;
}

/** The last character with the bits flipped that no byte has. */
function otherLastBits(text: string): string {
  return `${text.slice(0, -1)}${alphabet[alphabet.indexOf(text.slice(-1)) ^ 1]}`;
}

/** Threat 5. */
export const forged: Readonly<Record<string, string>> = {
  "alg none": `${encoded({ ...head, alg: "none" })}.${second}.`,
  "alg NONE with a signature": `${encoded({ ...head, alg: "NONE" })}.${second}.${third}`,
  "no signature": `${unsigned}.`,
  "two parts": unsigned,
  "HS256 with the public key as JWK": maced({ ...head, alg: "HS256" }, JSON.stringify(tokens.jwk)),
  "HS256 with the public key as point": maced(
    { ...head, alg: "HS256" },
    Buffer.from(String(tokens.jwk["x"]), "base64url"),
  ),
  "HS256 with the public key as PEM": maced({ ...head, alg: "HS256" }, publicPem),
  "a MAC under the header of ES256": maced(head, JSON.stringify(tokens.jwk)),
  "zero signature": `${unsigned}.${Buffer.alloc(64).toString("base64url")}`,
  "signature in DER": `${unsigned}.${sign("sha256", Buffer.from(unsigned), tokens.key).toString("base64url")}`,
  "signature cut": `${unsigned}.${third.slice(0, -2)}`,
  "signature with more": `${good}AA`,
  "last bits of the signature": `${unsigned}.${otherLastBits(third)}`,
  "last bits of the payload": `${first}.${otherLastBits(second)}.${third}`,
  padding: `${good}==`,
  "padding inside": `${first}.${second}=.${third}`,
  "the other alphabet": `${unsigned}.${Buffer.from(third, "base64url").toString("base64")}`,
  "a fourth part": `${good}.x`,
  "something behind": `${good} x`,
  "something behind a comma": `${good},x`,
  "a stray character": `${first}.${second.slice(0, 8)}!${second.slice(8)}.${third}`,
  "the key of a stranger": signed(head, claims, testIssuer("tokens").key),
  "a key in the header": tokens.issue({}, { jwk: tokens.jwk }),
  "a key by its address": tokens.issue({}, { jku: "http://127.0.0.1/jwks.json" }),
};

/** Threat 8: signed by the issuer's own key, and yet no credential. */
export const wrong: Readonly<Record<string, string>> = {
  "no exp": tokens.issue({ exp: undefined }),
  "exp that is no number": tokens.issue({ exp: "tomorrow" }),
  expired: tokens.issue({ iat: now - 100, nbf: now - 100, exp: now - 10 }),
  "not yet valid": tokens.issue({ nbf: now + 30, exp: now + 60 }),
  "living too long": tokens.issue({ exp: now + 3_700 }),
  "living too long, without iat": tokens.issue({ iat: undefined, exp: now + 86_400 }),
  "foreign aud": tokens.issue({ aud: "other.catalyst.internal" }),
  "no aud": tokens.issue({ aud: undefined }),
  "foreign iss": tokens.issue({ iss: "https://other.catalyst.internal" }),
  "no iss": tokens.issue({ iss: undefined }),
  "unknown crit": tokens.issue({}, { crit: ["exp"] }),
  "foreign typ": tokens.issue({}, { typ: "bundle+jwt" }),
  "no typ": tokens.issue({}, { typ: undefined }),
  "no kid": tokens.issue({}, { kid: undefined }),
  "foreign kid": tokens.issue({}, { kid: keys.kid }),
  "a token's key under an API key's issuer": signed(head, { ...claims, iss: keys.rules.issuer }, tokens.key),
  "an API key's key under a token's issuer": signed(
    { ...head, typ: "apikey+jwt", kid: keys.kid },
    claims,
    keys.key,
  ),
  "an API key's key under a token's header": signed(head, claims, keys.key),
  "no jti": tokens.issue({ jti: undefined }),
};

/** Signed by the issuer's own key, and good for no service. */
export const uncovering: Readonly<Record<string, string>> = {
  "no sub": tokens.issue({ sub: undefined }),
  "no services": tokens.issue({ services: undefined }),
  "services that are no list": tokens.issue({ services: "products" }),
  "all services as text": tokens.issue({ services: "*" }),
  "services as members": tokens.issue({ services: { products: true } }),
  "all services as a member": tokens.issue({ services: { "*": true } }),
  "a list of none": tokens.issue({ services: [] }),
  "a list of lists": tokens.issue({ services: [["products"]] }),
  "names that are nearly it": tokens.issue({
    services: ["product", "products2", "PRODUCTS", `products.${domain}`, "**", ""],
  }),
};
