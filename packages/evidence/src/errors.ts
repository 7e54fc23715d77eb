import { visible } from "@catalyst/wire/portable";

/**
 * Why evidence was refused, or could not be made or kept. spec/evidence.md says for each code when it is raised.
 *
 * | code | what to do |
 * |---|---|
 * | `too_large` | longer than its limit: make it smaller; on what a peer sent, refuse it |
 * | `cbor_refused` | the bytes are not canonical CBOR: `cause` has the code of `wire`; refuse the sender |
 * | `envelope_form` | the bytes are no COSE_Sign1 with its four parts: refuse the sender |
 * | `header_unprotected` | something in the unprotected header, which nobody signs: leave it empty |
 * | `payload_detached` | the envelope comes without its payload: put it in |
 * | `header_missing` | the protected header lacks a parameter: the message names it |
 * | `header_critical` | the signer demands an extension that this release does not know: upgrade |
 * | `header_unknown` | a parameter outside of the profile: leave it out |
 * | `header_invalid` | a parameter has the wrong type or length: the message names it |
 * | `algorithm_unsupported` | sign with Ed25519, algorithm -8 |
 * | `claim_missing` | the claims lack issuer, subject, time of issue or nonce: the message names it |
 * | `claim_unknown` | a claim outside of the profile: put it into the payload |
 * | `claim_invalid` | a claim has the wrong type, length or order, or has no place in this statement: the message names it |
 * | `type_unexpected` | a statement of another type than is expected here: its signature may be good, its use is not |
 * | `subject_unexpected` | the statement is about something else than its payload: its signature may be good, its use is not |
 * | `issuer_untrusted` | no root and no delegation lets this key speak for the issuer: add a root, if you do trust it |
 * | `delegation_window` | the key was delegated, but not for the time of issue: renew the delegation, or correct the clock |
 * | `delegation_type` | the key was delegated, but not for statements of this type: delegate it for them, or refuse the sender |
 * | `key_unknown` | the root is known by its kid alone, and nobody gave the key: give it |
 * | `signature_invalid` | the signature is not this key's over these bytes: refuse the sender |
 * | `schema_mismatch` | a member is missing, unknown or of the wrong form: the message names it |
 * | `kind_unknown` | a receipt of a kind that this release does not know: upgrade |
 * | `issued_in_future` | issued later than now: correct the clock, here or there |
 * | `not_yet_valid` | wait until its time comes |
 * | `audience_other` | meant for somebody else: do not use it |
 * | `expired` | ask the issuer for a new one |
 * | `payloads_differ` | the two signers did not sign the same bytes, one of them saw another receipt: have both sign one |
 * | `signers_equal` | a dual signature by one key or one issuer is a single one: leave one out, or have the other party sign |
 * | `signer_unexpected` | signed by somebody whom the receipt does not name as a party: do not believe it |
 * | `bundle_surplus` | the bundle holds a key, delegation or block that nothing in it uses, or one twice: leave it out |
 * | `reference_missing` | the bundle lacks a block that a receipt refers to: add it |
 * | `random_invalid` | a fault of the caller: a nonce has 16 bytes |
 * | `audit_in_use` | another process writes this log: there is one writer |
 * | `audit_changed` | an entry of the log is not the one that was written: keep the files and find out who changed them |
 * | `audit_gap` | entries are missing in the log: keep the files and find out who removed them |
 * | `audit_truncated` | the log ends before a head that is known of it: restore it from a copy |
 * | `audit_damaged` | bytes at the end of a file of the log are torn or damaged: open the log to set them aside |
 * | `audit_failed` | an entry could not be written: `cause` has the reason; the log is as it was before |
 */
export type EvidenceErrorCode =
  | "too_large"
  | "cbor_refused"
  | "envelope_form"
  | "header_unprotected"
  | "payload_detached"
  | "header_missing"
  | "header_critical"
  | "header_unknown"
  | "header_invalid"
  | "algorithm_unsupported"
  | "claim_missing"
  | "claim_unknown"
  | "claim_invalid"
  | "type_unexpected"
  | "subject_unexpected"
  | "issuer_untrusted"
  | "delegation_window"
  | "delegation_type"
  | "key_unknown"
  | "signature_invalid"
  | "schema_mismatch"
  | "kind_unknown"
  | "issued_in_future"
  | "not_yet_valid"
  | "audience_other"
  | "expired"
  | "payloads_differ"
  | "signers_equal"
  | "signer_unexpected"
  | "bundle_surplus"
  | "reference_missing"
  | "random_invalid"
  | "audit_in_use"
  | "audit_changed"
  | "audit_gap"
  | "audit_truncated"
  | "audit_damaged"
  | "audit_failed";

/** What an error is about, as far as it is known. */
export type EvidenceDetail = {
  /** The place in the list that was checked: of a bundle's receipts, of a log's entries. */
  readonly index?: number;
  /** Who signed, according to the envelope. */
  readonly issuer?: string;
  readonly kid?: string;
  readonly path?: string;
};

const maxMessage = 1_000;

/** The one error of this package. Its message may quote hostile bytes, and is fit for a terminal all the same. */
export class EvidenceError extends Error {
  override readonly name = "EvidenceError";
  readonly code: EvidenceErrorCode;
  readonly evidence: EvidenceDetail;

  constructor(
    code: EvidenceErrorCode,
    message: string,
    options: ErrorOptions & { evidence?: EvidenceDetail } = {},
  ) {
    super(visible(message.slice(0, maxMessage)), options);
    this.code = code;
    this.evidence = options.evidence ?? {};
  }
}
