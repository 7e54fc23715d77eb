import { type Kid, kidFromBytes, kidToBytes } from "@catalyst/identity/portable";
import { type CborKey, type CborMap, type CborValue, encodeCbor, isName } from "@catalyst/wire/portable";
import { decodeCanonical, isText } from "../canonical.ts";
import { EvidenceError } from "../errors.ts";
import { envelopeLimits } from "./sign1.ts";

/** Seconds since 1970-01-01T00:00:00Z, a whole number. */
export type Timestamp = number;

/** What a statement says of itself, CWT claims of RFC 8392 in the protected header (RFC 9597): spec/evidence.md §1.3. */
export type Claims = {
  /** In whose name it is said: a name of a node, an organisation or a person. */
  readonly issuer: string;
  /** What it is about. */
  readonly subject: string;
  /** For whom it is meant; others refuse it. */
  readonly audience?: string;
  readonly expiresAt?: Timestamp;
  readonly notBefore?: Timestamp;
  readonly issuedAt: Timestamp;
  /** 16 random bytes. */
  readonly nonce: Uint8Array;
};

/** The protected header of a statement. */
export type Header = {
  /** -8 is EdDSA, which is what we write; -19 is Ed25519 of RFC 9864. */
  readonly algorithm: -8 | -19;
  readonly kid: Kid;
  readonly claims: Claims;
  /** The type of the payload, a media type: RFC 9596. */
  readonly type: string;
};

const label = { algorithm: 1, critical: 2, kid: 4, claims: 15, type: 16 } as const;
const claim = {
  issuer: 1,
  subject: 2,
  audience: 3,
  expiresAt: 4,
  notBefore: 5,
  issuedAt: 6,
  nonce: 7,
} as const;
const known: ReadonlySet<CborKey> = new Set(Object.values(label));
const knownClaims: ReadonlySet<CborKey> = new Set(Object.values(claim));

export const nonceBytes = 16;
const maxSubjectBytes = 512;
const typePattern = /^[\x21-\x7e]{1,128}$/;

/** The header's one encoding. */
export function encodeHeader({ algorithm, kid, claims, type }: Header): Uint8Array {
  const entries: [CborKey, CborValue | undefined][] = [
    [claim.issuer, claims.issuer],
    [claim.subject, claims.subject],
    [claim.audience, claims.audience],
    [claim.expiresAt, claims.expiresAt],
    [claim.notBefore, claims.notBefore],
    [claim.issuedAt, claims.issuedAt],
    [claim.nonce, claims.nonce],
  ];
  const given = entries.filter((entry): entry is [CborKey, CborValue] => entry[1] !== undefined);
  return encodeCbor(
    new Map<CborKey, CborValue>([
      [label.algorithm, algorithm],
      [label.kid, kidToBytes(kid)],
      [label.claims, new Map(given)],
      [label.type, type],
    ]),
  );
}

/**
 * Reads a protected header, spec/evidence.md §1.4. Throws {@link EvidenceError} `header_*`, `claim_*`,
 * `algorithm_unsupported` or `cbor_refused`.
 */
export function decodeHeader(bytes: Uint8Array): Header {
  const header = bytes.length === 0 ? new Map<CborKey, CborValue>() : decodeCanonical(bytes, envelopeLimits);
  if (!(header instanceof Map)) throw new EvidenceError("header_invalid", "the protected header is no map");
  const map: CborMap = header;
  if (map.has(label.critical)) {
    throw new EvidenceError("header_critical", "the protected header demands an extension");
  }
  for (const key of map.keys()) {
    if (!known.has(key)) throw new EvidenceError("header_unknown", `header parameter ${key} is not known`);
  }
  const algorithm = parameter(map, label.algorithm, "algorithm");
  if (algorithm !== -8 && algorithm !== -19) {
    throw new EvidenceError("algorithm_unsupported", `the algorithm is neither -8 nor -19`);
  }
  const kid = parameter(map, label.kid, "kid");
  if (!(kid instanceof Uint8Array) || kid.length !== 32) return invalid("the kid has not 32 bytes");
  const claims = parameter(map, label.claims, "claims");
  if (!(claims instanceof Map)) return invalid("the claims are no map");
  const type = parameter(map, label.type, "type");
  if (typeof type !== "string" || !typePattern.test(type)) {
    return invalid("the type is not 1 to 128 visible characters of ASCII");
  }
  return { algorithm, kid: kidFromBytes(kid), claims: readClaims(claims), type };
}

function parameter(map: CborMap, key: number, name: string): CborValue {
  const value = map.get(key);
  if (value === undefined) throw new EvidenceError("header_missing", `the protected header has no ${name}`);
  return value;
}

function invalid(message: string): never {
  throw new EvidenceError("header_invalid", message);
}

function readClaims(map: CborMap): Claims {
  for (const key of map.keys()) {
    if (!knownClaims.has(key)) throw new EvidenceError("claim_unknown", `claim ${key} is not known`);
  }
  const required = {
    issuer: claim.issuer,
    subject: claim.subject,
    "time of issue": claim.issuedAt,
    nonce: claim.nonce,
  };
  for (const [name, key] of Object.entries(required)) {
    if (!map.has(key)) throw new EvidenceError("claim_missing", `the claims have no ${name}`);
  }
  const issuer = map.get(claim.issuer);
  if (!isName(issuer)) return refuse("the issuer is no name");
  const subject = map.get(claim.subject);
  if (!isText(subject, maxSubjectBytes))
    return refuse(`the subject is no text of 1 to ${maxSubjectBytes} bytes`);
  const audience = map.get(claim.audience);
  if (audience !== undefined && !isName(audience)) return refuse("the audience is no name");
  const expiresAt = readTime(map, claim.expiresAt, "expiry");
  const notBefore = readTime(map, claim.notBefore, "beginning");
  const issuedAt = readTime(map, claim.issuedAt, "time of issue") ?? 0;
  const nonce = map.get(claim.nonce);
  if (!(nonce instanceof Uint8Array) || nonce.length !== nonceBytes)
    return refuse("the nonce has not 16 bytes");
  if (expiresAt !== undefined && expiresAt <= Math.max(issuedAt, notBefore ?? 0)) {
    return refuse("it expires before it begins");
  }
  return {
    issuer,
    subject,
    ...(audience === undefined ? {} : { audience }),
    ...(expiresAt === undefined ? {} : { expiresAt }),
    ...(notBefore === undefined ? {} : { notBefore }),
    issuedAt,
    nonce,
  };
}

function readTime(map: CborMap, key: number, name: string): Timestamp | undefined {
  const value = map.get(key);
  if (value === undefined || (typeof value === "number" && value >= 0)) return value;
  return refuse(`the ${name} is no time in whole seconds`);
}

function refuse(message: string): never {
  throw new EvidenceError("claim_invalid", message);
}
