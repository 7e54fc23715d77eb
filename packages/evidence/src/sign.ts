import { randomFillSync } from "node:crypto";
import type { Signer, StatementKey } from "@catalyst/identity";
import { encodeCanonical } from "./canonical.ts";
import { delegationFields, readDelegation } from "./envelope/delegation.ts";
import { readEnvelope } from "./envelope/envelope.ts";
import { encodeHeader, nonceBytes, type Timestamp } from "./envelope/header.ts";
import { encodeSign1, envelopeLimits, toBeSigned } from "./envelope/sign1.ts";
import { statementType } from "./statement-type.ts";

/** What a statement says of itself, but for what signing adds. */
export type StatementClaims = {
  readonly issuer: string;
  readonly subject: string;
  readonly audience?: string;
  readonly issuedAt: Timestamp;
  readonly notBefore?: Timestamp;
  readonly expiresAt?: Timestamp;
  /** 16 bytes; default: random ones. */
  readonly nonce?: Uint8Array;
};

/**
 * Signs payload bytes as a statement of a type, spec/evidence.md §1. Throws {@link EvidenceError} for what no reader
 * would accept: `claim_invalid`, `header_invalid`, `too_large`.
 */
export function signStatement(
  signer: Signer,
  type: string,
  claims: StatementClaims,
  payload: Uint8Array,
): Uint8Array {
  const nonce = claims.nonce ?? randomFillSync(new Uint8Array(nonceBytes));
  const protectedHeader = encodeHeader({
    algorithm: -8,
    kid: signer.kid,
    claims: { ...claims, nonce },
    type,
  });
  const signature = signer.sign(toBeSigned(protectedHeader, payload));
  const bytes = encodeSign1({ protectedHeader, payload, signature });
  readEnvelope(bytes);
  return bytes;
}

/** What a delegation lends: spec/evidence.md §2.3. */
export type DelegationRequest = {
  /** In whose name the delegating key speaks. */
  readonly issuer: string;
  /** In whose name the lent key will: the issuer's name, or one below it. */
  readonly subject: string;
  readonly key: StatementKey;
  readonly types: readonly string[];
  readonly issuedAt: Timestamp;
  /** At most 24 h, less the 120 s that it begins before its issue for clocks that are behind. */
  readonly lifetimeSeconds: number;
  /** 16 bytes; default: random ones. */
  readonly nonce?: Uint8Array;
};

/** Seconds that a delegation begins before its issue. */
const leadSeconds = 120;

/** Lends a key the right to sign in a name for at most a day. Throws {@link EvidenceError} `schema_mismatch`. */
export function signDelegation(signer: Signer, request: DelegationRequest): Uint8Array {
  const { issuer, subject, key, types, issuedAt, lifetimeSeconds, nonce } = request;
  const claims = {
    issuer,
    subject,
    issuedAt,
    notBefore: issuedAt - leadSeconds,
    expiresAt: issuedAt + lifetimeSeconds,
    ...(nonce === undefined ? {} : { nonce }),
  };
  const payload = encodeCanonical(delegationFields.write({ key, types }), envelopeLimits);
  const bytes = signStatement(signer, statementType.delegation, claims, payload);
  readDelegation(bytes);
  return bytes;
}
