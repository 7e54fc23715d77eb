import type { Signer } from "@catalyst/identity";
import { type StatementClaims, signStatement } from "../sign.ts";
import { statementType } from "../statement-type.ts";
import type { Receipt } from "./kinds.ts";
import { encodeReceipt } from "./receipt.ts";

export type ReceiptClaims = Omit<StatementClaims, "subject" | "audience" | "notBefore" | "expiresAt">;

/**
 * Signs a receipt; its subject is `receipt:` and its kind. For a dual signature the other party signs an equal
 * receipt. Throws {@link EvidenceError} `schema_mismatch` for a receipt that no reader would accept, and as
 * `signStatement` does.
 */
export function signReceipt(signer: Signer, receipt: Receipt, claims: ReceiptClaims): Uint8Array {
  const subject = `receipt:${receipt.kind}`;
  return signStatement(signer, statementType.receipt, { ...claims, subject }, encodeReceipt(receipt));
}
