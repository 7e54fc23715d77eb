import { WireError } from "../errors.ts";

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const encoder = new TextEncoder();

/** Up to this length plain loops are faster than the platform's converters. */
const shortText = 24;

/** The text that a part of the bytes holds in UTF-8; null when it is no valid UTF-8. */
export function readText(bytes: Uint8Array, start: number, end: number): string | null {
  if (end - start <= shortText) {
    const ascii = readAscii(bytes, start, end);
    if (ascii !== null) return ascii;
  }
  try {
    return decoder.decode(bytes.subarray(start, end));
  } catch {
    return null;
  }
}

function readAscii(bytes: Uint8Array, start: number, end: number): string | null {
  let text = "";
  for (let at = start; at < end; at++) {
    const byte = bytes[at] ?? 0;
    if (byte >= 0x80) return null;
    text += String.fromCharCode(byte);
  }
  return text;
}

/** The bytes that the text takes in UTF-8. Throws `cbor_utf8` for a lone surrogate. */
export function utf8Length(text: string): number {
  let length = text.length;
  for (let index = 0; index < text.length; index++) {
    const unit = text.charCodeAt(index);
    if (unit < 0x80) continue;
    length += unit < 0x800 ? 1 : 2;
    if (unit < 0xd800 || unit > 0xdfff) continue;
    const next = text.charCodeAt(++index);
    if (unit > 0xdbff || !(next >= 0xdc00 && next <= 0xdfff)) {
      throw new WireError("cbor_utf8", "text has a lone surrogate");
    }
  }
  return length;
}

/** Writes well-formed text as UTF-8; `length` is its {@link utf8Length}, for which the target has room. */
export function writeText(text: string, length: number, target: Uint8Array, at: number): void {
  if (length > shortText || length !== text.length) {
    encoder.encodeInto(text, target.subarray(at));
    return;
  }
  for (let index = 0; index < length; index++) target[at + index] = text.charCodeAt(index);
}
