import { readFileSync } from "node:fs";
import { IdentityError, publicKeyOf, readTokenJwks, type TokenJwk, tokenJwkOf } from "@catalyst/identity";
import type { Credentials } from "@catalyst/rpc";
import { NodeError } from "../errors.ts";

/**
 * The keys of a JWK Set that the configuration names; none where it names none. Throws {@link NodeError}
 * `file_unreadable`, or IdentityError `key_malformed`.
 */
export function readBelievedKeys(file: string | undefined): readonly TokenJwk[] {
  if (file === undefined) return [];
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (cause) {
    const message = `auth.identity.jwksFile names ${file}, which cannot be read: ${(cause as Error).message}`;
    throw new NodeError("file_unreadable", message, { cause });
  }
  return Array.from(readTokenJwks(text).values(), (key) => {
    const read = publicKeyOf(key);
    if (read.algorithm !== "P-256")
      throw new IdentityError("key_algorithm", `${file}: tokens have P-256 keys`);
    return tokenJwkOf(read);
  });
}

/** An issuer of access tokens with more keys; another one as it is, a key of tokens signs nothing else. */
export function withKeys(
  issuer: Credentials["issuers"][number],
  keys: readonly TokenJwk[],
): Credentials["issuers"][number] {
  if (issuer.kind !== "tokens" || keys.length === 0) return issuer;
  const own = (JSON.parse(issuer.jwks) as { keys: TokenJwk[] }).keys;
  const others = keys.filter(({ kid }) => own.every((each) => each.kid !== kid));
  return { ...issuer, jwks: JSON.stringify({ keys: [...own, ...others] }) };
}
