export { type KeptKey, type KeySecret, type KeyStore, openKeyStore } from "./key-store.ts";
export { statementKid, tokenKid } from "./kid.ts";
export { type TrustOptions, trustOptions, trustRoots } from "./options.ts";
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
