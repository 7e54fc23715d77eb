import { IdentityError } from "./errors.ts";

// What implementations of Ed25519 disagree about is decided here, before one of them is asked: spec/evidence.md §2.2.

/** The prime of the field and the order of the base point, little-endian. */
const prime = littleEndian("7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffed");
const order = littleEndian("1000000000000000000000000000000014def9dea2f79cd65812631a5cf5d3ed");

/** The y coordinates, little-endian, of the points whose order divides 8. */
const smallOrder = [
  "0000000000000000000000000000000000000000000000000000000000000000",
  "0000000000000000000000000000000000000000000000000000000000000001",
  "7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffec",
  "7a03ac9277fdc74ec6cc392cfa53202a0f67100d760b3cba4fd84d3d706a17c7",
  "05fc536d880238b13933c6d305acdfd5f098eff289f4c345b027b2c28f95e826",
].map(littleEndian);

/**
 * Checks that 32 bytes are the one encoding of a point, and one that can be a key. Throws {@link IdentityError}
 * `key_malformed` or `key_weak`. That the point is on the curve is left to whoever verifies: no signature does then.
 */
export function checkPublicPoint(bytes: Uint8Array): void {
  if (bytes.length !== 32) {
    throw new IdentityError("key_malformed", `an Ed25519 key has 32 bytes, not ${bytes.length}`);
  }
  const y = withoutSign(bytes);
  if (!isBelow(y, prime)) throw new IdentityError("key_malformed", "the point is not in its shortest form");
  if (isSmall(y)) throw new IdentityError("key_weak", "the key is a point of small order");
}

/** Whether 64 bytes have the form of a signature that all verifiers judge alike: R not small, S reduced. */
export function isSoundSignature(signature: Uint8Array): boolean {
  if (signature.length !== 64) return false;
  const r = withoutSign(signature.subarray(0, 32));
  return isBelow(r, prime) && !isSmall(r) && isBelow(signature.subarray(32), order);
}

function isSmall(y: Uint8Array): boolean {
  return smallOrder.some((small) => small.every((byte, at) => byte === y[at]));
}

function withoutSign(bytes: Uint8Array): Uint8Array {
  const y = Uint8Array.from(bytes);
  y[31] = (y[31] ?? 0) & 0x7f;
  return y;
}

/** Compares two little-endian numbers of 32 bytes. Not in constant time: everything here is public. */
function isBelow(a: Uint8Array, b: Uint8Array): boolean {
  for (let at = 31; at >= 0; at--) {
    const difference = (a[at] ?? 0) - (b[at] ?? 0);
    if (difference !== 0) return difference < 0;
  }
  return false;
}

function littleEndian(hex: string): Uint8Array {
  return Uint8Array.from({ length: 32 }, (_, at) => Number.parseInt(hex.slice(62 - 2 * at, 64 - 2 * at), 16));
}
