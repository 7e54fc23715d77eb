// The few forms of DER that are needed beside the library: X.690 §8 and §10.

export function sequence(...parts: readonly Uint8Array[]): Buffer {
  return element(0x30, Buffer.concat(parts));
}

export function octets(bytes: Uint8Array): Uint8Array {
  return element(0x04, bytes);
}

/** A non-negative integer: with a zero in front where the first bit would make it negative. */
export function integer(value: number): Uint8Array {
  const hex = value.toString(16);
  const bytes = Buffer.from(hex.padStart(hex.length + (hex.length % 2), "0"), "hex");
  return element(0x02, (bytes[0] ?? 0) < 0x80 ? bytes : Buffer.concat([Uint8Array.of(0), bytes]));
}

/** Tag, length and content; nothing here is longer than 65,535 bytes. */
export function element(tag: number, content: Uint8Array): Buffer {
  const { length } = content;
  const head =
    length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Uint8Array.of(tag, ...head), content]);
}

/** One element that was read: its tag, its content, and all of its bytes. */
export type DerElement = { readonly tag: number; readonly content: Uint8Array; readonly bytes: Uint8Array };

/** The elements that bytes hold, one behind the other; null when they do not hold whole ones in their shortest form. */
export function readElements(bytes: Uint8Array): readonly DerElement[] | null {
  const found: DerElement[] = [];
  for (let at = 0; at < bytes.length; ) {
    const [tag = 0, first = 0] = bytes.subarray(at, at + 2);
    const lengthBytes = first < 0x80 ? 0 : first & 0x7f;
    if (lengthBytes > 2 || first === 0x80 || (tag & 0x1f) === 0x1f) return null;
    const start = at + 2 + lengthBytes;
    const length = bytes.subarray(at + 2, start).reduce((sum, byte) => sum * 256 + byte, 0);
    const end = start + (lengthBytes === 0 ? first : length);
    const whole = bytes.subarray(at, end);
    const content = bytes.subarray(start, end);
    if (end > bytes.length || !element(tag, content).equals(whole)) return null;
    found.push({ tag, content, bytes: whole });
    at = end;
  }
  return found;
}
