import { fromCoseKey, IdentityError, type StatementKey, toCoseKey } from "@catalyst/identity/portable";
import { type CborInput, isName, isWithin } from "@catalyst/wire/portable";
import { EvidenceError } from "../errors.ts";
import { type Field, listOf, mismatch, record, textUpTo } from "../record.ts";
import { statementType } from "../statement-type.ts";
import { type Envelope, readEnvelope, readPayload } from "./envelope.ts";
import type { Timestamp } from "./header.ts";

/** A key is lent for 24 h at most. */
export const maxDelegationSeconds = 86_400;

/** A statement key as a COSE_Key. */
export const keyField: Field<StatementKey> = {
  read: (value, place) => {
    try {
      return fromCoseKey(value);
    } catch (error) {
      if (!(error instanceof IdentityError)) throw error;
      return mismatch(place, `a key: ${error.message}`);
    }
  },
  write: (key) => toCoseKey(key) as ReadonlyMap<string, CborInput>,
};

/** The payload of a delegation: spec/evidence.md §2.3. */
export const delegationFields = record({
  key: keyField,
  types: listOf(textUpTo(128), 1, 16),
});

/** That a key may sign statements of these types in the name of `subject`, for a while. */
export type Delegation = {
  readonly envelope: Envelope;
  readonly key: StatementKey;
  readonly subject: string;
  readonly types: readonly string[];
  readonly from: Timestamp;
  readonly until: Timestamp;
};

/** Reads a delegation; that it is signed by whom it says is not checked yet. Throws {@link EvidenceError}. */
export function readDelegation(bytes: Uint8Array): Delegation {
  const envelope = readEnvelope(bytes);
  const { claims, type } = envelope.header;
  if (type !== statementType.delegation) {
    throw new EvidenceError("type_unexpected", `a statement of type ${type} is no delegation`);
  }
  const { key, types } = delegationFields.read(readPayload(envelope), "delegation");
  const from = claims.notBefore ?? claims.issuedAt;
  const until = claims.expiresAt ?? mismatch("delegation.expiresAt", "there");
  if (claims.audience !== undefined) mismatch("delegation.audience", "left out");
  if (until - from > maxDelegationSeconds) mismatch("delegation", "for at most 24 hours");
  if (!isName(claims.subject) || !isWithin(claims.subject, claims.issuer)) {
    mismatch("delegation.subject", "the issuer's name or one below it");
  }
  return { envelope, key, subject: claims.subject, types, from, until };
}
