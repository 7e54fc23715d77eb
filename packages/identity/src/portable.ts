// Public keys wherever JavaScript runs, browsers included: nothing here, or below it, imports a module of Node.
export { isSoundSignature } from "./ed25519.ts";
export { IdentityError, type IdentityErrorCode, type IdentityEvidence } from "./errors.ts";
export {
  formatStatementKey,
  fromCoseKey,
  type Kid,
  kidFromBytes,
  kidToBytes,
  type PublicKey,
  parseKid,
  parseStatementKey,
  type StatementKey,
  statementKey,
  type TokenKey,
  thumbprintInput,
  toCoseKey,
} from "./public-key.ts";
export type { TrustRoot } from "./trust-root.ts";
