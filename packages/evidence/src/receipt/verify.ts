import { equalBytes } from "../canonical.ts";
import { checkSubject, type Statement, type VerifyOptions, verifyStatement } from "../envelope/verify.ts";
import { EvidenceError } from "../errors.ts";
import { statementType } from "../statement-type.ts";
import type { Receipt } from "./kinds.ts";
import { readReceipt } from "./receipt.ts";

/** A receipt that was verified, and the one or two statements that say it. */
export type VerifiedReceipt = {
  readonly receipt: Receipt;
  readonly statements: readonly Statement[];
};

/**
 * Verifies a receipt that one party or two signed, each in an envelope of its own over the same payload bytes:
 * spec/evidence.md §4.3. Throws nothing but {@link EvidenceError}.
 *
 * @example
 * const { receipt } = await verifyReceipt([bytes], { crypto: nodeCrypto, trust, asOf: 1_800_000_000 });
 */
export async function verifyReceipt(
  envelopes: readonly Uint8Array[],
  options: VerifyOptions,
): Promise<VerifiedReceipt> {
  if (envelopes.length > 2) throw new EvidenceError("schema_mismatch", "a receipt is signed once or twice");
  const statements: Statement[] = [];
  for (const bytes of envelopes) {
    const statement = await verifyStatement(bytes, statementType.receipt, options);
    checkUnbounded(statement);
    statements.push(statement);
  }
  const [first, second] = statements;
  if (first === undefined) throw new EvidenceError("schema_mismatch", "a receipt is signed once or twice");
  if (second !== undefined) checkPair(first, second);
  const receipt = readReceipt(first.payload);
  for (const { header } of statements) checkSubject(header, `receipt:${receipt.kind}`);
  checkParties(receipt, statements);
  return { receipt, statements };
}

/** A receipt is for everybody, and for ever. */
function checkUnbounded({ header }: Statement): void {
  const { audience, notBefore, expiresAt } = header.claims;
  if (audience === undefined && notBefore === undefined && expiresAt === undefined) return;
  throw new EvidenceError("claim_invalid", "a receipt has no audience, no beginning and no expiry");
}

function checkPair(first: Statement, second: Statement): void {
  if (!equalBytes(first.payloadBytes, second.payloadBytes)) {
    throw new EvidenceError("payloads_differ", "the two envelopes do not hold the same payload");
  }
  if (first.header.kid === second.header.kid || first.header.claims.issuer === second.header.claims.issuer) {
    throw new EvidenceError("signers_equal", `both signatures are of ${first.header.claims.issuer}`);
  }
}

/** A transfer is a matter between two; whoever signs its receipt is one of them. */
function checkParties(receipt: Receipt, statements: readonly Statement[]): void {
  if (receipt.kind !== "transfer") return;
  for (const { header } of statements) {
    const { issuer } = header.claims;
    if (issuer === receipt.provider || issuer === receipt.client) continue;
    throw new EvidenceError("signer_unexpected", `${issuer} is neither the provider nor the client`, {
      evidence: { issuer, kid: header.kid },
    });
  }
}
