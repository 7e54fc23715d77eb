import type { StatementKey, TrustRoot } from "@catalyst/identity";
import { readDelegation } from "../envelope/delegation.ts";
import { createTrust, type Trust } from "../envelope/trust.ts";
import { EvidenceError } from "../errors.ts";
import { nodeCrypto } from "../node-crypto.ts";
import { verifyReceipt } from "../receipt/verify.ts";
import type { AuditEntry } from "./entry.ts";

/** Whose receipts are believed, in a log. */
export type AuditTrust = {
  readonly roots: readonly TrustRoot[];
  /** Keys for roots of which the kid alone is known. */
  readonly keys?: readonly StatementKey[];
};

/** Delegations of a log that are kept in mind, the newest: those of many days, each good for one at most. */
const maxKept = 256;

/**
 * Verifies the receipts of a log as they come, each as of the moment of its entry, with the delegations that stand
 * before it. The function returned throws {@link EvidenceError} with the entry's number in `evidence.index`.
 */
export function createReceiptCheck({ roots, keys = [] }: AuditTrust): (entry: AuditEntry) => Promise<void> {
  let delegations: readonly Uint8Array[] = [];
  let trust: Trust | null = null;
  return async ({ seq, at, event }) => {
    try {
      if ("delegation" in event) {
        readDelegation(event.delegation);
        delegations = [...delegations, event.delegation].slice(-maxKept);
        trust = null;
      }
      if (!("receipt" in event)) return;
      trust ??= await createTrust({ roots, keys, delegations }, nodeCrypto);
      await verifyReceipt([event.receipt], { crypto: nodeCrypto, trust, asOf: Math.floor(at / 1_000) });
    } catch (cause) {
      if (!(cause instanceof EvidenceError)) throw cause;
      const evidence = { ...cause.evidence, index: seq };
      throw new EvidenceError(cause.code, `entry ${seq}: ${cause.message}`, { cause, evidence });
    }
  };
}
