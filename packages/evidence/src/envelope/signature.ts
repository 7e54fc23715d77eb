import { isSoundSignature, type StatementKey } from "@catalyst/identity/portable";
import type { VerifyCrypto } from "../crypto.ts";
import { EvidenceError } from "../errors.ts";
import { type Envelope, signerOf } from "./envelope.ts";
import { toBeSigned } from "./sign1.ts";

/** Checks the signature of an envelope, spec/evidence.md §2.2. Throws {@link EvidenceError} `signature_invalid`. */
export async function checkSignature(
  envelope: Envelope,
  key: StatementKey,
  crypto: VerifyCrypto,
): Promise<void> {
  const { protectedHeader, payload, signature } = envelope.sign1;
  const message = toBeSigned(protectedHeader, payload);
  if (isSoundSignature(signature) && (await crypto.verifyEd25519(key, message, signature))) return;
  const signer = signerOf(envelope);
  throw new EvidenceError(
    "signature_invalid",
    `not signed by the key of ${signer.issuer} (kid ${signer.kid})`,
    {
      evidence: signer,
    },
  );
}
