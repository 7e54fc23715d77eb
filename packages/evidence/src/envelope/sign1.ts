import { CborTag, type CborValue, coseSign1Tag, encodeCbor } from "@catalyst/wire/portable";
import { decodeCanonical, encodeCanonical } from "../canonical.ts";
import { EvidenceError } from "../errors.ts";

/** The parts of a COSE_Sign1, RFC 9052 §4.2, as they were signed: spec/evidence.md §1.1. */
export type Sign1 = {
  /** The encoded protected header. */
  readonly protectedHeader: Uint8Array;
  readonly payload: Uint8Array;
  /** 64 bytes. */
  readonly signature: Uint8Array;
};

/** Bytes of a whole envelope at most. */
export const maxEnvelopeBytes = 4_096;

/** What an envelope may hold in items and depth; the payload, a byte string here, has the same limits. */
export const envelopeLimits = { maxBytes: maxEnvelopeBytes, maxDepth: 8, maxItems: 1_024 } as const;

const signatureBytes = 64;
const empty = new Uint8Array();

export function encodeSign1({ protectedHeader, payload, signature }: Sign1): Uint8Array {
  return encodeCanonical(
    new CborTag(coseSign1Tag, [protectedHeader, new Map(), payload, signature]),
    envelopeLimits,
  );
}

/**
 * Takes an envelope apart. Throws {@link EvidenceError} `too_large`, `cbor_refused`, `envelope_form`,
 * `header_unprotected` or `payload_detached`.
 */
export function decodeSign1(bytes: Uint8Array): Sign1 {
  const value = decodeCanonical(bytes, envelopeLimits);
  const parts = value instanceof CborTag && Array.isArray(value.value) ? (value.value as CborValue[]) : [];
  const [protectedHeader, unprotected, payload, signature] = parts;
  if (parts.length !== 4) refuse("not a tagged COSE_Sign1 of four parts");
  if (!(protectedHeader instanceof Uint8Array)) return refuse("the protected header is no byte string");
  if (!(unprotected instanceof Map)) return refuse("the unprotected header is no map");
  if (payload !== null && !(payload instanceof Uint8Array)) return refuse("the payload is no byte string");
  if (!(signature instanceof Uint8Array) || signature.length !== signatureBytes) {
    return refuse("the signature has not 64 bytes");
  }
  if (unprotected.size > 0) {
    throw new EvidenceError("header_unprotected", "the unprotected header is not empty");
  }
  if (payload === null) throw new EvidenceError("payload_detached", "the payload is not in the envelope");
  return { protectedHeader, payload, signature };
}

/**
 * The bytes that are signed: the Sig_structure of RFC 9052 §4.4 without external data. A protected header without
 * members counts as no bytes, also where it came as an encoded empty map.
 */
export function toBeSigned(protectedHeader: Uint8Array, payload: Uint8Array): Uint8Array {
  const isEmptyMap = protectedHeader.length === 1 && protectedHeader[0] === 0xa0;
  return encodeCbor(["Signature1", isEmptyMap ? empty : protectedHeader, empty, payload]);
}

function refuse(message: string): never {
  throw new EvidenceError("envelope_form", message);
}
