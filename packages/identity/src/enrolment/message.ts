import { type CborInput, type CborValue, decodeCbor, encodeCbor, WireError } from "@catalyst/wire/portable";
import { IdentityError, type IdentityErrorCode } from "../errors.ts";

/** What a message of enrolment may take: five requests or chains, and what is believed in an organisation. */
export const messageLimits = { maxBytes: 16_777_216, maxDepth: 6, maxItems: 4_096 } as const;

/** A value as the form of a message is checked on it: maps with text keys as plain objects. */
type Plain =
  | number
  | string
  | boolean
  | null
  | Uint8Array
  | readonly Plain[]
  | { readonly [key: string]: Plain };

/** A message in deterministic CBOR, spec/wire.md §1: maps with text keys. */
export function encodeMessage(message: CborInput): Uint8Array {
  return encodeCbor(message, messageLimits);
}

/** Reads a message. Throws {@link IdentityError} with the code for bytes that are none. */
export function decodeMessage(bytes: Uint8Array, code: IdentityErrorCode): Plain {
  try {
    return plainOf(decodeCbor(bytes, messageLimits), code);
  } catch (cause) {
    if (!(cause instanceof WireError)) throw cause;
    throw new IdentityError(code, `it is no message in CBOR: ${cause.message}`, { cause });
  }
}

function plainOf(value: CborValue, code: IdentityErrorCode): Plain {
  if (value instanceof Map) {
    const entries = Array.from(
      value,
      ([key, member]) => [textKey(key, code), plainOf(member, code)] as const,
    );
    return Object.fromEntries(entries);
  }
  if (value instanceof Uint8Array) return Uint8Array.from(value); // the input may change
  if (Array.isArray(value)) return (value as readonly CborValue[]).map((item) => plainOf(item, code));
  if (typeof value === "object" && value !== null) {
    throw new IdentityError(code, "it has a tag, which no message has");
  }
  return value;
}

function textKey(key: number | string, code: IdentityErrorCode): string {
  if (typeof key === "string" && key !== "__proto__") return key;
  throw new IdentityError(code, "a key of a map is not a name");
}
