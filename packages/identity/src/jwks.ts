import { createPublicKey, type KeyObject } from "node:crypto";
import { z } from "@catalyst/config";
import { toBase64Url } from "./base64url.ts";
import { IdentityError } from "./errors.ts";
import { tokenKid } from "./kid.ts";
import { publicKeyOf } from "./private-key.ts";
import type { TokenKey } from "./public-key.ts";

/** A public key of tokens in a JWK Set: spec/tokens.md §4. */
const tokenJwk = z.object({
  kty: z.literal("EC"),
  crv: z.literal("P-256"),
  x: z.string(),
  y: z.string(),
  kid: z.string(),
  use: z.literal("sig"),
  alg: z.literal("ES256"),
});
export type TokenJwk = z.infer<typeof tokenJwk>;

const jwkSet = z.object({ keys: z.array(tokenJwk).max(1_000) });

/** The key as others are given it; nothing private is in it. */
export function tokenJwkOf(key: TokenKey): TokenJwk {
  const { x, y } = { x: toBase64Url(key.x), y: toBase64Url(key.y) };
  return { kty: "EC", crv: "P-256", x, y, kid: tokenKid(key), use: "sig", alg: "ES256" };
}

/** The keys of a JWK Set, by kid. Throws {@link IdentityError} `key_malformed` for one that is not as §4 says. */
export function readTokenJwks(text: string): ReadonlyMap<string, KeyObject> {
  const malformed = (why: string, cause?: unknown) =>
    new IdentityError("key_malformed", `not a JWK Set of P-256 keys: ${why}`, { cause });
  const read = () => {
    const set = jwkSet.safeParse(JSON.parse(text));
    if (!set.success) throw malformed(z.prettifyError(set.error));
    return set.data.keys.map((jwk): [string, KeyObject] => {
      const key = createPublicKey({ key: jwk, format: "jwk" });
      if (tokenKid(publicKeyOf(key)) !== jwk.kid) throw malformed(`${jwk.kid} is not the kid of its key`);
      return [jwk.kid, key];
    });
  };
  try {
    return new Map(read());
  } catch (cause) {
    if (cause instanceof IdentityError) throw cause;
    throw malformed(cause instanceof Error ? cause.message : String(cause), cause);
  }
}
