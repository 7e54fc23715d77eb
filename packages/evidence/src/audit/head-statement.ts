import type { Signer } from "@catalyst/identity";
import { encodeCanonical } from "../canonical.ts";
import { envelopeLimits } from "../envelope/sign1.ts";
import { checkSubject, type VerifyOptions, verifyStatement } from "../envelope/verify.ts";
import { bytesOf, integer, record } from "../record.ts";
import { type StatementClaims, signStatement } from "../sign.ts";
import { statementType } from "../statement-type.ts";
import type { AuditHead } from "./entry.ts";

const subject = "audit";
const fields = record({ seq: integer(), digest: bytesOf(32) });

/** Signs where a log ends, to be kept elsewhere: from then on nothing before it can be changed or cut off unseen. */
export function signAuditHead(
  signer: Signer,
  head: AuditHead,
  claims: Omit<StatementClaims, "subject">,
): Uint8Array {
  const payload = encodeCanonical(fields.write(head), envelopeLimits);
  return signStatement(signer, statementType.auditHead, { ...claims, subject }, payload);
}

/** Verifies a signed head, to be given to `verifyAudit`. Throws {@link EvidenceError}. */
export async function verifyAuditHead(bytes: Uint8Array, options: VerifyOptions): Promise<AuditHead> {
  const { header, payload } = await verifyStatement(bytes, statementType.auditHead, options);
  const head = fields.read(payload, "head");
  checkSubject(header, subject);
  return head;
}
