export { nodeCrypto } from "./node-crypto.ts";
export * from "./portable.ts";
export { type ReceiptClaims, signReceipt } from "./receipt/sign.ts";
export { type DelegationRequest, type StatementClaims, signDelegation, signStatement } from "./sign.ts";
