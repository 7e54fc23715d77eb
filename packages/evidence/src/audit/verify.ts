import { setTimeout as sleep } from "node:timers/promises";
import { EvidenceError } from "../errors.ts";
import { createChainCheck } from "./chain.ts";
import type { AuditEntry, AuditHead } from "./entry.ts";
import { readHeadNote } from "./head-note.ts";
import { type AuditTrust, createReceiptCheck } from "./receipt-check.ts";
import { readSegment, type Segment, segmentsOf } from "./segment.ts";

export type VerifyAuditOptions = {
  /** Heads of this log that are known from elsewhere: the log must still hold what each stands for. */
  readonly known?: readonly AuditHead[];
  /** Whose receipts are believed: each one in the log is verified then. Without it they are counted alone. */
  readonly trust?: AuditTrust;
  /** How long a writer may be in the middle of an entry. Default 250 ms; 0 where there is no writer. */
  readonly settleMs?: number;
  /** Is given each entry, in order. */
  readonly onEntry?: (entry: AuditEntry) => void;
};

/** A log in which nothing was changed, removed or put elsewhere. */
export type VerifiedAudit = {
  readonly head: AuditHead;
  readonly receipts: number;
  readonly actions: number;
  /** Files that were set aside because they were torn or damaged: look at what they hold. */
  readonly setAside: readonly string[];
};

/**
 * Verifies a log from its first entry on, spec/evidence.md §7.3. Entries missing at the end show only by a known head,
 * or by the note beside the log. A log that is being written may be verified. Throws {@link EvidenceError} `audit_*`, and
 * as `verifyReceipt` does for a receipt that is not to be believed.
 */
export async function verifyAudit(folder: string, options: VerifyAuditOptions = {}): Promise<VerifiedAudit> {
  const note = await readHeadNote(folder);
  const check = createChainCheck([...(options.known ?? []), ...(note === null ? [] : [note])]);
  const checkReceipt = options.trust === undefined ? null : createReceiptCheck(options.trust);
  const found = { receipts: 0, actions: 0, setAside: [] as string[] };
  for (const segment of await segmentsOf(folder)) {
    checkStart(segment, check.head);
    for (const bytes of await readSettled(segment, options.settleMs ?? 250)) {
      const entry = check.follow(bytes);
      tally(entry, found);
      await checkReceipt?.(entry);
      options.onEntry?.(entry);
    }
  }
  return { head: check.end(), ...found };
}

function tally(
  { event }: AuditEntry,
  found: { receipts: number; actions: number; setAside: string[] },
): void {
  if ("receipt" in event) found.receipts++;
  else if ("action" in event) found.actions++;
  else if ("recovery" in event) found.setAside.push(event.recovery.file);
}

function checkStart({ path, firstSeq }: Segment, head: AuditHead): void {
  if (firstSeq === head.seq + 1) return;
  const message = `entry ${head.seq + 1} is missing before ${path}`;
  throw new EvidenceError("audit_gap", message, { evidence: { index: head.seq + 1, path } });
}

/**
 * Reads a file again where its end looks torn, since a writer may be in the middle of it: entries come to stand where
 * one writes, and never behind damage.
 */
async function readSettled(segment: Segment, settleMs: number): Promise<readonly Uint8Array[]> {
  const first = await readSegment(segment);
  if (first.droppedBytes === 0) return first.records;
  await sleep(settleMs);
  const { records, droppedBytes } = await readSegment(segment);
  if (droppedBytes === 0 || records.length > first.records.length) return records;
  const message = `${droppedBytes} bytes at the end of ${segment.path} are torn or damaged`;
  throw new EvidenceError("audit_damaged", message, { evidence: { path: segment.path } });
}
