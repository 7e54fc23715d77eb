export { readTokenJwks, type TokenJwk, tokenJwkOf } from "./jwks.ts";
export { type KeptKey, type KeySecret, type KeyStore, openKeyStore } from "./key-store.ts";
export { statementKid, tokenKid } from "./kid.ts";
export { type KeyOptions, keyOptions, type TrustOptions, trustOptions, trustRoots } from "./options.ts";
export * from "./portable.ts";
export {
  createSigner,
  generateKey,
  type KeyAlgorithm,
  type PrivateKey,
  privateKeyOf,
  publicKeyOf,
  type Signer,
} from "./private-key.ts";
export {
  planRotation,
  type RotatingKey,
  type RotationStep,
  type RotationTimings,
  removedAt,
  rotated,
  type SigningKeyState,
  waitsUntil,
} from "./rotation.ts";
export {
  clockSkewSeconds,
  coversService,
  mintToken,
  readTokenIssuer,
  type TokenClaims,
  type TokenIssuer,
  type TokenKind,
  type TokenRefusal,
  type TokenRequest,
  type TokenTrust,
  type VerifiedToken,
  verifyToken,
} from "./token.ts";
