/**
 * Compares the encodings of two keys by where they start, byte for byte; negative when `a` comes first, 0 when no
 * byte differs before `b` reaches `end`. No encoding is the beginning of another, so a difference comes in time.
 */
export function compareKeysAt(bytes: Uint8Array, a: number, b: number, end: number): number {
  for (let offset = 0; b + offset < end; offset++) {
    const difference = (bytes[a + offset] ?? 0) - (bytes[b + offset] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}
