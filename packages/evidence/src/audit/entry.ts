import { hash } from "node:crypto";
import { decodeCanonical, encodeCanonical, equalBytes } from "../canonical.ts";
import { maxEnvelopeBytes } from "../envelope/sign1.ts";
import { EvidenceError } from "../errors.ts";
import {
  blockCid,
  bytesOf,
  integer,
  mismatch,
  oneOf,
  optional,
  type RecordOf,
  record,
  textUpTo,
} from "../record.ts";

const action = {
  actor: textUpTo(512),
  action: textUpTo(128),
  target: textUpTo(512),
  outcome: oneOf("done", "denied", "failed"),
  reason: optional(textUpTo(512)),
  decision: optional(blockCid),
};

/** What an operator, or somebody who would like to be one, did. `decision` names the trace of what was denied. */
export type AuditedAction = RecordOf<typeof action>;

const recovery = { file: textUpTo(255), bytes: integer(1), digest: bytesOf(32) };

/** That opening the log found torn or damaged bytes, and set the file aside under this name. */
export type AuditedRecovery = RecordOf<typeof recovery>;

/** What an entry holds: exactly one of the four. A delegation stands before the first receipt that needs it. */
export type AuditEvent =
  | { readonly delegation: Uint8Array }
  | { readonly receipt: Uint8Array }
  | { readonly action: AuditedAction }
  | { readonly recovery: AuditedRecovery };

const entry = record({
  seq: integer(1),
  at: integer(),
  previous: bytesOf(32),
  delegation: optional(bytesOf(1, maxEnvelopeBytes)),
  receipt: optional(bytesOf(1, maxEnvelopeBytes)),
  action: optional(record(action)),
  recovery: optional(record(recovery)),
});

/** One entry of the log: spec/evidence.md §7.1. */
export type AuditEntry = {
  /** From 1, without a gap. */
  readonly seq: number;
  /** Milliseconds since 1970, by the writer's clock. */
  readonly at: number;
  readonly event: AuditEvent;
};

/** Where a log ends: the number of its last entry, and the digest that stands for all of them. */
export type AuditHead = {
  readonly seq: number;
  /** SHA-256 of the last entry, which holds that of the one before; 32 zero bytes for an empty log. */
  readonly digest: Uint8Array;
};

export const emptyHead: AuditHead = { seq: 0, digest: new Uint8Array(32) };

const limits = { maxBytes: 8_192, maxDepth: 4, maxItems: 64 } as const;

/** The entry that follows a head, and the head after it. Throws {@link EvidenceError} `schema_mismatch`. */
export function chainEntry(
  head: AuditHead,
  at: number,
  event: AuditEvent,
): { bytes: Uint8Array; head: AuditHead } {
  const seq = head.seq + 1;
  const bytes = encodeCanonical(entry.write({ seq, at, previous: head.digest, ...event }), limits);
  readEntry(bytes);
  return { bytes, head: { seq, digest: digestOfEntry(bytes) } };
}

/**
 * Reads the entry that follows a head. Throws {@link EvidenceError} `audit_gap` when it is not the next one, and
 * `audit_changed` when it does not follow this very head, or is no entry at all.
 */
export function followEntry(head: AuditHead, bytes: Uint8Array): { entry: AuditEntry; head: AuditHead } {
  const seq = head.seq + 1;
  const { previous, ...read } = changed(seq, () => readEntry(bytes));
  if (read.seq !== seq)
    throw new EvidenceError("audit_gap", `entry ${seq} is missing`, { evidence: { index: seq } });
  if (!equalBytes(previous, head.digest)) {
    throw new EvidenceError("audit_changed", `entry ${seq} does not follow the one before`, {
      evidence: { index: seq },
    });
  }
  return { entry: read, head: { seq, digest: digestOfEntry(bytes) } };
}

function readEntry(bytes: Uint8Array): AuditEntry & { readonly previous: Uint8Array } {
  const { seq, at, previous, ...members } = entry.read(decodeCanonical(bytes, limits), "entry");
  if (Object.keys(members).length !== 1) mismatch("entry", "one of delegation, receipt, action and recovery");
  return { seq, at, previous, event: members as AuditEvent };
}

function changed<Result>(seq: number, read: () => Result): Result {
  try {
    return read();
  } catch (cause) {
    if (!(cause instanceof EvidenceError)) throw cause;
    const message = `entry ${seq} is none: ${cause.message}`;
    throw new EvidenceError("audit_changed", message, { cause, evidence: { index: seq } });
  }
}

/** What stands for an entry, and for all before it. */
export function digestOfEntry(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(hash("sha256", bytes, "buffer"));
}
