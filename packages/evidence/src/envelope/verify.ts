import type { CborValue, Cid } from "@catalyst/wire/portable";
import type { VerifyCrypto } from "../crypto.ts";
import { EvidenceError } from "../errors.ts";
import { cidOfEnvelope, type Envelope, readEnvelope, readPayload, signerOf } from "./envelope.ts";
import type { Claims, Header, Timestamp } from "./header.ts";
import { checkSignature } from "./signature.ts";
import type { Trust, TrustLink } from "./trust.ts";

export type VerifyOptions = {
  readonly crypto: VerifyCrypto;
  readonly trust: Trust;
  /** The moment that expiry and issue are judged at: now, or another for a look back. */
  readonly asOf: Timestamp;
  /** How far ahead the issuer's clock may be, in seconds. Default 120. */
  readonly maxSkewSeconds?: number;
  /** Who is asking, where the statement may name an audience. */
  readonly audience?: string;
};

/** A statement that was verified. */
export type Statement = {
  readonly header: Envelope["header"];
  /** The value that the payload holds, and the bytes that were signed. */
  readonly payload: CborValue;
  readonly payloadBytes: Uint8Array;
  /** Names the envelope; its digest is the msgId. */
  readonly cid: Cid;
  /** Why the signer is believed, from the root to the signer. */
  readonly path: readonly TrustLink[];
};

/**
 * Verifies a statement of a type, in the order of spec/evidence.md §2.5: form, authority, signature, payload, time.
 * Throws nothing but {@link EvidenceError}.
 */
export async function verifyStatement(
  bytes: Uint8Array,
  type: string,
  options: VerifyOptions,
): Promise<Statement> {
  const envelope = readEnvelope(bytes);
  if (envelope.header.type !== type) {
    throw new EvidenceError("type_unexpected", `a statement of type ${envelope.header.type} is no ${type}`, {
      evidence: signerOf(envelope),
    });
  }
  const { key, path } = await options.trust.authorise(envelope);
  await checkSignature(envelope, key, options.crypto);
  const payload = readPayload(envelope);
  checkClaims(envelope.header.claims, options);
  const cid = await cidOfEnvelope(bytes, options.crypto);
  return { header: envelope.header, payload, payloadBytes: envelope.sign1.payload, cid, path };
}

/** Seconds that an issuer's clock may be ahead of ours. */
const defaultSkewSeconds = 120;

function checkClaims(
  claims: Claims,
  { asOf, maxSkewSeconds = defaultSkewSeconds, audience }: VerifyOptions,
): void {
  if (claims.audience !== undefined && claims.audience !== audience) {
    throw new EvidenceError("audience_other", `it is meant for ${claims.audience}`);
  }
  if (claims.issuedAt > asOf + maxSkewSeconds) {
    throw new EvidenceError("issued_in_future", `issued ${claims.issuedAt - asOf} s from now`);
  }
  if (claims.notBefore !== undefined && claims.notBefore > asOf + maxSkewSeconds) {
    throw new EvidenceError("not_yet_valid", `good in ${claims.notBefore - asOf} s`);
  }
  if (claims.expiresAt !== undefined && claims.expiresAt <= asOf) {
    throw new EvidenceError("expired", `expired ${asOf - claims.expiresAt} s ago`);
  }
}

/** That a statement is about what its type says. Throws {@link EvidenceError} `subject_unexpected`. */
export function checkSubject({ claims }: Header, subject: string): void {
  if (claims.subject === subject) return;
  throw new EvidenceError("subject_unexpected", `it is about ${claims.subject}, and not about ${subject}`);
}
