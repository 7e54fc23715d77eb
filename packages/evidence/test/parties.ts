import { createPrivateKey, hash } from "node:crypto";
import { createTrust, nodeCrypto, type Trust, type VerifyOptions } from "@catalyst/evidence";
import { createSigner, privateKeyOf, type Signer, type TrustRoot } from "@catalyst/identity";

/** A moment, and what tests take for now. */
export const now = 1_800_000_000;

/** The same key each time for the same name: its seed is SHA-256 of the name. */
export function signerOf(name: string): Signer {
  const head = Buffer.from("302e020100300506032b657004220420", "hex");
  const der = Buffer.concat([head, hash("sha256", name, "buffer")]);
  return createSigner(privateKeyOf(createPrivateKey({ key: der, format: "der", type: "pkcs8" })));
}

export function rootOf(name: string, signer: Signer, covers: TrustRoot["covers"] = "name"): TrustRoot {
  return { name, covers, kid: signer.kid, key: signer.publicKey };
}

/** Bytes that are the same each time for the same text. */
export function nonceOf(text: string): Uint8Array {
  return new Uint8Array(hash("sha256", text, "buffer").subarray(0, 16));
}

export async function optionsFor(...roots: readonly TrustRoot[]): Promise<VerifyOptions> {
  return optionsWith(await createTrust({ roots }, nodeCrypto));
}

export function optionsWith(trust: Trust): VerifyOptions {
  return { crypto: nodeCrypto, trust, asOf: now };
}

export const alpha = { name: "n1.acme.catalyst.internal", signer: signerOf("alpha") };
export const beta = { name: "n1.umbrella.catalyst.internal", signer: signerOf("beta") };
