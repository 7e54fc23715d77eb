import { type CborKey, type CborMap, type CborValue, encodeCbor } from "@catalyst/wire/portable";
import { fromBase64Url, toBase64Url } from "./base64url.ts";
import { checkPublicPoint } from "./ed25519.ts";
import { IdentityError } from "./errors.ts";

/** A key that statements are signed with: spec/evidence.md §2. */
export type StatementKey = {
  readonly algorithm: "Ed25519";
  /** 32 bytes: a point in its one encoding, and not of small order. */
  readonly x: Uint8Array;
};

/** A key of TLS leaves and of tokens. */
export type TokenKey = {
  readonly algorithm: "P-256";
  /** The coordinates, 32 bytes each, big-endian. */
  readonly x: Uint8Array;
  readonly y: Uint8Array;
};

/** The key of a root authority, which signs the certificates of issuing authorities alone. */
export type RootKey = {
  readonly algorithm: "P-384";
  /** The coordinates, 48 bytes each, big-endian. */
  readonly x: Uint8Array;
  readonly y: Uint8Array;
};

export type PublicKey = StatementKey | TokenKey | RootKey;

/** Names a key by a digest of it, base64url: 43 characters. */
export type Kid = string & { readonly __brand: "Kid" };

/** Labels and values of COSE_Key, RFC 9053 §7. */
const cose = { keyType: 1, curve: -1, x: -2, y: -3, okp: 1, ec2: 2, p256: 1, p384: 2, ed25519: 6 } as const;

/** The key as a COSE_Key of its required members, which is also the input of its thumbprint, RFC 9679 §4. */
export function toCoseKey(key: PublicKey): ReadonlyMap<CborKey, CborValue> {
  const parts: [CborKey, CborValue][] =
    key.algorithm === "Ed25519"
      ? [
          [cose.keyType, cose.okp],
          [cose.curve, cose.ed25519],
          [cose.x, key.x],
        ]
      : [
          [cose.keyType, cose.ec2],
          [cose.curve, key.algorithm === "P-256" ? cose.p256 : cose.p384],
          [cose.x, key.x],
          [cose.y, key.y],
        ];
  return new Map(parts);
}

/** The bytes whose SHA-256 is the RFC 9679 thumbprint of the key. */
export function thumbprintInput(key: PublicKey): Uint8Array {
  return encodeCbor(toCoseKey(key));
}

/** Reads the COSE_Key of a statement key, with exactly its three members. Throws `key_malformed` or `key_weak`. */
export function fromCoseKey(value: CborValue): StatementKey {
  const map: CborMap | null = value instanceof Map ? value : null;
  const x = map?.get(cose.x);
  const known = map?.size === 3 && map.get(cose.keyType) === cose.okp && map.get(cose.curve) === cose.ed25519;
  if (!known || !(x instanceof Uint8Array)) {
    throw new IdentityError("key_malformed", "not the COSE_Key of an Ed25519 key");
  }
  return statementKey(x);
}

/** The key with these 32 bytes, RFC 8032 §5.1.5. Throws `key_malformed` or `key_weak`. */
export function statementKey(x: Uint8Array): StatementKey {
  checkPublicPoint(x);
  return { algorithm: "Ed25519", x: Uint8Array.from(x) };
}

/** Reads the 43 characters that {@link formatStatementKey} wrote. Throws `key_malformed` or `key_weak`. */
export function parseStatementKey(text: string): StatementKey {
  const bytes = fromBase64Url(text);
  if (bytes === null)
    throw new IdentityError("key_malformed", "an Ed25519 key is 43 characters of base64url");
  return statementKey(bytes);
}

/** A statement key as people copy it: its 32 bytes in base64url. */
export function formatStatementKey(key: StatementKey): string {
  return toBase64Url(key.x);
}

/** The kid with these 32 bytes. Throws `key_malformed` for another length. */
export function kidFromBytes(bytes: Uint8Array): Kid {
  if (bytes.length !== 32)
    throw new IdentityError("key_malformed", `a kid has 32 bytes, not ${bytes.length}`);
  return toBase64Url(bytes) as Kid;
}

/** Reads a kid as people copy it. Throws `key_malformed`. */
export function parseKid(text: string): Kid {
  kidToBytes(text as Kid);
  return text as Kid;
}

/** The 32 bytes of a kid. */
export function kidToBytes(kid: Kid): Uint8Array {
  const bytes = fromBase64Url(kid);
  if (bytes === null) throw new IdentityError("key_malformed", "a kid is 43 characters of base64url");
  return bytes;
}
