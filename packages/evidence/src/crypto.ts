import type { StatementKey } from "@catalyst/identity/portable";

/**
 * What verifying asks of the platform. `nodeCrypto` is one, `webCrypto()` another; they agree on every signature
 * that is asked of them, because what implementations disagree about is refused before: spec/evidence.md §2.2.
 */
export type VerifyCrypto = {
  /** 32 bytes. */
  sha256(bytes: Uint8Array): Uint8Array | Promise<Uint8Array>;
  /** RFC 8032 §5.1.7, without the cofactor. */
  verifyEd25519(key: StatementKey, message: Uint8Array, signature: Uint8Array): boolean | Promise<boolean>;
};
