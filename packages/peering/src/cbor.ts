import { type CborLimits, type CborValue, decodeCbor, WireError } from "@catalyst/wire";
import { PeeringError, type PeeringErrorCode } from "./errors.ts";

/** Decodes canonical CBOR; a refusal has the code given, and that of `wire` as its cause. */
export function decode(bytes: Uint8Array, limits: CborLimits, code: PeeringErrorCode): CborValue {
  try {
    return decodeCbor(bytes, limits);
  } catch (cause) {
    if (!(cause instanceof WireError)) throw cause;
    throw new PeeringError(code, cause.message, { cause });
  }
}

export function malformed(code: PeeringErrorCode, message: string): never {
  throw new PeeringError(code, message);
}

export function isText(value: unknown): value is string {
  return typeof value === "string";
}

export function isInteger(value: unknown, min: number, max: number): value is number {
  return typeof value === "number" && value >= min && value <= max;
}
