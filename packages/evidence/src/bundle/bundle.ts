import type { StatementKey } from "@catalyst/identity/portable";
import { decodeCanonical, encodeCanonical } from "../canonical.ts";
import { keyField } from "../envelope/delegation.ts";
import { maxEnvelopeBytes } from "../envelope/sign1.ts";
import { envelopesOfReceipt } from "../receipt/file.ts";
import { bytesOf, listOf, optional, record } from "../record.ts";

/** Receipts with all that it takes to verify them with the network off: spec/evidence.md §5. */
export type Bundle = {
  /** Each as the one or two envelopes that say it. */
  readonly receipts: readonly (readonly Uint8Array[])[];
  /** Keys of signers, for readers that know a root by its kid alone. */
  readonly keys?: readonly StatementKey[];
  readonly delegations?: readonly Uint8Array[];
  /** The policies and traces that receipts refer to. */
  readonly blocks?: readonly Uint8Array[];
};

/** Bytes of a bundle, unless both sides set another limit. */
export const defaultMaxBundleBytes = 1_048_576;

const maxReceipts = 200;
const maxOthers = 64;
const maxBlockBytes = 262_144;
const envelope = bytesOf(1, maxEnvelopeBytes);

const fields = record({
  receipts: listOf(envelopesOfReceipt, 1, maxReceipts),
  keys: optional(listOf(keyField, 1, maxOthers)),
  delegations: optional(listOf(envelope, 1, maxOthers)),
  blocks: optional(listOf(bytesOf(1, maxBlockBytes), 1, maxOthers)),
});

/** The bytes of a bundle; an empty list is left out. Throws {@link EvidenceError} `too_large` or `schema_mismatch`. */
export function encodeBundle(bundle: Bundle, maxBytes = defaultMaxBundleBytes): Uint8Array {
  const given = Object.entries(bundle).filter(([, list]) => list.length > 0);
  const value = fields.write(Object.fromEntries(given) as Bundle);
  const bytes = encodeCanonical(value, limitsFor(maxBytes));
  decodeBundle(bytes, maxBytes);
  return bytes;
}

/** Reads the form of a bundle; nothing of it is verified. Throws `too_large`, `cbor_refused` or `schema_mismatch`. */
export function decodeBundle(bytes: Uint8Array, maxBytes = defaultMaxBundleBytes): Bundle {
  return fields.read(decodeCanonical(bytes, limitsFor(maxBytes)), "bundle");
}

function limitsFor(maxBytes: number) {
  return { maxBytes, maxDepth: 8, maxItems: 4_096 };
}
