import type { Kid } from "@catalyst/identity/portable";
import { type CborValue, type Cid, formatCid } from "@catalyst/wire/portable";
import { decodeCanonical } from "../canonical.ts";
import type { VerifyCrypto } from "../crypto.ts";
import { decodeHeader, type Header } from "./header.ts";
import { decodeSign1, envelopeLimits, type Sign1 } from "./sign1.ts";

/** A signed statement whose form is right. Whether the signature is, {@link verifyEnvelope} tells. */
export type Envelope = {
  readonly bytes: Uint8Array;
  readonly header: Header;
  readonly sign1: Sign1;
};

/**
 * Reads an envelope, spec/evidence.md §1.4; nothing of it is to be believed yet. Throws {@link EvidenceError}.
 */
export function readEnvelope(bytes: Uint8Array): Envelope {
  const sign1 = decodeSign1(bytes);
  return { bytes, header: decodeHeader(sign1.protectedHeader), sign1 };
}

/** The value that the payload holds. Throws `cbor_refused` when it is not canonical CBOR. */
export function readPayload({ sign1 }: Envelope): CborValue {
  return decodeCanonical(sign1.payload, envelopeLimits);
}

/** The CID of the envelope, by which others refer to it; its digest is the msgId. */
export async function cidOfEnvelope(bytes: Uint8Array, crypto: VerifyCrypto): Promise<Cid> {
  return formatCid({ content: "cbor", hash: "sha2-256", digest: await crypto.sha256(bytes) });
}

/** Who signed, for the evidence of an error. */
export function signerOf({ header }: Envelope): { readonly issuer: string; readonly kid: Kid } {
  return { issuer: header.claims.issuer, kid: header.kid };
}
