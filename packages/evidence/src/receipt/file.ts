import { decodeCanonical, encodeCanonical } from "../canonical.ts";
import { maxEnvelopeBytes } from "../envelope/sign1.ts";
import { bytesOf, listOf } from "../record.ts";

/** The one or two envelopes of a receipt; in a file, and in a bundle. */
export const envelopesOfReceipt = listOf(bytesOf(1, maxEnvelopeBytes), 1, 2);

const limits = { maxBytes: 2 * maxEnvelopeBytes + 16, maxDepth: 8, maxItems: 1_024 } as const;

/** A receipt as a file, spec/evidence.md §4.4: its envelope, or the list of its two. */
export function encodeReceiptFile(envelopes: readonly Uint8Array[]): Uint8Array {
  const [only] = envelopes;
  return only !== undefined && envelopes.length === 1
    ? only
    : encodeCanonical(envelopesOfReceipt.write(envelopes), limits);
}

/** The envelopes that a file holds; nothing is verified. Throws {@link EvidenceError} for a list of other things. */
export function decodeReceiptFile(bytes: Uint8Array): readonly Uint8Array[] {
  const isList = ((bytes[0] ?? 0) & 0xe0) === 0x80;
  return isList ? envelopesOfReceipt.read(decodeCanonical(bytes, limits), "file") : [bytes];
}
