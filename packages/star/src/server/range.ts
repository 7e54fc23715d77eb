import { StarError } from "../errors.ts";

/** A part of a file: the first byte, and the one behind the last. */
export type ByteRange = { readonly from: number; readonly to: number };

/**
 * The part of a file of `size` bytes that a request names: `length` zero means to the end, and what lies behind the end is left
 * out. Throws StarError `range_invalid` for one that begins behind the end.
 */
export function rangeOf(offset: bigint, length: bigint, size: number): ByteRange {
  if (offset > BigInt(size)) {
    throw new StarError("range_invalid", `the file has ${size} bytes, and ${offset} lies behind them`);
  }
  const from = Number(offset);
  const left = BigInt(size - from);
  return { from, to: from + Number(length === 0n || length > left ? left : length) };
}
