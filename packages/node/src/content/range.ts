import { RpcError } from "@catalyst/rpc";

/** Bytes from `start` up to, but without `end`. */
export type ByteSpan = {
  readonly start: number;
  readonly end: number;
  readonly sizeBytes: number;
  /** Whether a part was asked for. */
  readonly isPart: boolean;
};

/**
 * Reads a `Range` header, RFC 9110 §14.2. One range of bytes is served; several, or another unit, are answered with
 * everything, as the RFC allows. Throws RpcError `range_invalid` for a range that has no byte.
 */
export function readRange(header: string | undefined, sizeBytes: number): ByteSpan {
  const whole = { start: 0, end: sizeBytes, sizeBytes, isPart: false };
  const found = header === undefined ? null : /^bytes=(\d{0,16})-(\d{0,16})$/.exec(header.trim());
  const [, first = "", last = ""] = found ?? [];
  if (first === "" && last === "") return whole;
  const start = first === "" ? Math.max(0, sizeBytes - Number(last)) : Number(first);
  const end = first === "" || last === "" ? sizeBytes : Math.min(sizeBytes, Number(last) + 1);
  if (start >= end) {
    throw new RpcError("range_invalid", `the object has ${sizeBytes} bytes: none of them is in ${header}`);
  }
  return { start, end, sizeBytes, isPart: true };
}
