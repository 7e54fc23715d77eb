import type { VerifyCrypto } from "./crypto.ts";

/** Verifies with the Web Cryptography API of browsers, Deno, workers and Node. */
export function webCrypto(subtle: SubtleCrypto = globalThis.crypto.subtle): VerifyCrypto {
  return {
    sha256: async (bytes) => new Uint8Array(await subtle.digest("SHA-256", owned(bytes))),
    verifyEd25519: async (key, message, signature) => {
      const imported = await importKey(subtle, key.x);
      return imported !== null && subtle.verify("Ed25519", imported, owned(signature), owned(message));
    },
  };
}

/** The key; null where the platform finds that it is no point of the curve, before it is asked to verify. */
async function importKey(subtle: SubtleCrypto, x: Uint8Array) {
  try {
    return await subtle.importKey("raw", owned(x), "Ed25519", false, ["verify"]);
  } catch (error) {
    if (error instanceof DOMException && error.name === "DataError") return null;
    throw error;
  }
}

/** The Web Cryptography API takes no view of memory that others share. */
function owned(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(bytes);
}
