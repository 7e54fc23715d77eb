// Reading and verifying, wherever JavaScript runs: nothing here, or below it, imports a module of Node or a signer.
export { type Bundle, decodeBundle, defaultMaxBundleBytes, encodeBundle } from "./bundle/bundle.ts";
export { type VerifiedBundle, type VerifyBundleOptions, verifyBundle } from "./bundle/verify.ts";
export type { VerifyCrypto } from "./crypto.ts";
export {
  type Decision,
  type DecisionStep,
  decisionLimits,
  decodeDecision,
  encodeDecision,
} from "./decision/decision.ts";
export { renderDecision } from "./decision/render.ts";
export { type Delegation, maxDelegationSeconds, readDelegation } from "./envelope/delegation.ts";
export { cidOfEnvelope, type Envelope, readEnvelope, readPayload } from "./envelope/envelope.ts";
export type { Claims, Header, Timestamp } from "./envelope/header.ts";
export { maxEnvelopeBytes } from "./envelope/sign1.ts";
export {
  type Authority,
  createTrust,
  type Trust,
  type TrustInput,
  type TrustLink,
} from "./envelope/trust.ts";
export { type Statement, type VerifyOptions, verifyStatement } from "./envelope/verify.ts";
export { type EvidenceDetail, EvidenceError, type EvidenceErrorCode } from "./errors.ts";
export { decodeReceiptFile, encodeReceiptFile } from "./receipt/file.ts";
export type { Receipt, ReceiptKind, ReceiptOf, Scope } from "./receipt/kinds.ts";
export { encodeReceipt, readReceipt } from "./receipt/receipt.ts";
export { type VerifiedReceipt, verifyReceipt } from "./receipt/verify.ts";
export { statementType } from "./statement-type.ts";
export { webCrypto } from "./web-crypto.ts";
