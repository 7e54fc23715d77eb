export type { AuditEntry, AuditEvent, AuditedAction, AuditedRecovery, AuditHead } from "./audit/entry.ts";
export { formatAuditHead, parseAuditHead } from "./audit/head-note.ts";
export { signAuditHead, verifyAuditHead } from "./audit/head-statement.ts";
export { type AuditLog, type AuditLogOptions, openAuditLog } from "./audit/log.ts";
export { type VerifiedAudit, type VerifyAuditOptions, verifyAudit } from "./audit/verify.ts";
export { nodeCrypto } from "./node-crypto.ts";
export * from "./portable.ts";
export { type ReceiptClaims, signReceipt } from "./receipt/sign.ts";
export { type DelegationRequest, type StatementClaims, signDelegation, signStatement } from "./sign.ts";
