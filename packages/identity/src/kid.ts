import { hash } from "node:crypto";
import { toBase64Url } from "./base64url.ts";
import { type Kid, kidFromBytes, type PublicKey, thumbprintInput } from "./public-key.ts";

/** The kid of a key in its use: {@link statementKid} for Ed25519, {@link tokenKid} for the others. */
export function kidOf(key: PublicKey): Kid {
  return key.algorithm === "Ed25519" ? statementKid(key) : tokenKid(key);
}

/** The kid of a key in statements: its RFC 9679 thumbprint with SHA-256. */
export function statementKid(key: PublicKey): Kid {
  return kidFromBytes(hash("sha256", thumbprintInput(key), "buffer"));
}

/** The kid of a key in tokens and JWKS: its RFC 7638 thumbprint with SHA-256. */
export function tokenKid(key: PublicKey): Kid {
  const x = toBase64Url(key.x);
  const members =
    key.algorithm === "Ed25519"
      ? { crv: "Ed25519", kty: "OKP", x }
      : { crv: key.algorithm, kty: "EC", x, y: toBase64Url(key.y) };
  return kidFromBytes(hash("sha256", JSON.stringify(members), "buffer"));
}
