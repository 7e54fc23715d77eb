import { equalBytes } from "../canonical.ts";
import { EvidenceError } from "../errors.ts";
import { type AuditEntry, type AuditHead, emptyHead, followEntry } from "./entry.ts";

/** Follows a log from its first entry on: spec/evidence.md §7.3. */
export type ChainCheck = {
  /** Where the entries so far end. */
  readonly head: AuditHead;
  /** Takes the next entry. Throws {@link EvidenceError} `audit_changed` or `audit_gap`. */
  follow(bytes: Uint8Array): AuditEntry;
  /** The head, when there are no more. Throws `audit_truncated` when a known head was not reached. */
  end(): AuditHead;
};

/** Begins to follow a log of which these heads are known. Throws as {@link ChainCheck.follow} does. */
export function createChainCheck(known: readonly AuditHead[]): ChainCheck {
  let head = emptyHead;
  checkKnown(head, known);
  return {
    get head() {
      return head;
    },
    follow: (bytes) => {
      const next = followEntry(head, bytes);
      checkKnown(next.head, known);
      head = next.head;
      return next.entry;
    },
    end: () => {
      const missing = known.find(({ seq }) => seq > head.seq);
      if (missing === undefined) return head;
      const message = `the log ends at entry ${head.seq}, and had ${missing.seq}`;
      throw new EvidenceError("audit_truncated", message, { evidence: { index: head.seq } });
    },
  };
}

function checkKnown(head: AuditHead, known: readonly AuditHead[]): void {
  for (const { seq, digest } of known) {
    if (seq !== head.seq || equalBytes(digest, head.digest)) continue;
    const message = `entry ${seq} is not the one that is known`;
    throw new EvidenceError("audit_changed", message, { evidence: { index: seq } });
  }
}
