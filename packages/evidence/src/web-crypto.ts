import type { VerifyCrypto } from "./crypto.ts";

/** Verifies with the Web Cryptography API of browsers, Deno, workers and Node. */
export function webCrypto(subtle: SubtleCrypto = globalThis.crypto.subtle): VerifyCrypto {
  return {
    sha256: async (bytes) => new Uint8Array(await subtle.digest("SHA-256", owned(bytes))),
    verifyEd25519: async (key, message, signature) => {
      const imported = await subtle.importKey("raw", owned(key.x), "Ed25519", false, ["verify"]);
      return subtle.verify("Ed25519", imported, owned(signature), owned(message));
    },
  };
}

/** The Web Cryptography API takes no view of memory that others share. */
function owned(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(bytes);
}
