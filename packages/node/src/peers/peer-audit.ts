import type { AuditedAction } from "@catalyst/evidence";
import { Ledger, type LedgerParts } from "../audit/ledger.ts";

/** The orchestrator's part in the audit log, which is there from the first time that there is something to write. */
export class PeerAudit implements AsyncDisposable {
  readonly #parts: LedgerParts;
  #ledger: Promise<Ledger> | null = null;

  constructor(parts: LedgerParts) {
    this.#parts = parts;
  }

  /** Throws RpcError `evidence_failed`, EvidenceError or DurableError. */
  async act(action: Omit<AuditedAction, "actor">): Promise<void> {
    this.#ledger ??= Ledger.open(this.#parts).catch((error) => {
      this.#ledger = null;
      throw error;
    });
    await (await this.#ledger).act(action);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const ledger = await this.#ledger?.catch(() => null);
    await ledger?.[Symbol.asyncDispose]();
  }
}
