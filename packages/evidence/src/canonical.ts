import {
  type CborInput,
  type CborLimits,
  type CborValue,
  decodeCbor,
  encodeCbor,
  WireError,
} from "@catalyst/wire/portable";
import { EvidenceError } from "./errors.ts";

/** Decodes canonical CBOR of at most `maxBytes`. Throws {@link EvidenceError} `too_large` or `cbor_refused`. */
export function decodeCanonical(bytes: Uint8Array, limits: CborLimits & { maxBytes: number }): CborValue {
  if (bytes.length > limits.maxBytes) {
    throw new EvidenceError("too_large", `${bytes.length} bytes are more than ${limits.maxBytes}`);
  }
  try {
    return decodeCbor(bytes, limits);
  } catch (cause) {
    if (!(cause instanceof WireError)) throw cause;
    throw new EvidenceError("cbor_refused", cause.message, { cause });
  }
}

/** The canonical CBOR of a value. Throws {@link EvidenceError} `too_large`, or `cbor_refused` for other faults. */
export function encodeCanonical(value: CborInput, limits: CborLimits & { maxBytes: number }): Uint8Array {
  try {
    return encodeCbor(value, limits);
  } catch (cause) {
    if (!(cause instanceof WireError)) throw cause;
    const code = cause.code === "cbor_too_large" ? "too_large" : "cbor_refused";
    throw new EvidenceError(code, cause.message, { cause });
  }
}

/** Whether two byte strings are the same. */
export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, at) => byte === b[at]);
}

/** Whether a value is text of 1 to `maxBytes` bytes in UTF-8. */
export function isText(value: unknown, maxBytes: number): value is string {
  if (typeof value !== "string" || value === "" || value.length > maxBytes) return false;
  return value.length * 3 <= maxBytes || new TextEncoder().encode(value).length <= maxBytes;
}
