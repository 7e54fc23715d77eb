/**
 * The field GF(2^8) with the polynomial x^8 + x^4 + x^3 + x^2 + 1 (0x11d), in which addition is exclusive or. 2 is a
 * generator of all its elements but 0.
 */
const polynomial = 0x11d;

const powers = new Uint8Array(510);
const logarithms = new Uint8Array(256);
for (let exponent = 0, value = 1; exponent < 255; exponent++) {
  powers[exponent] = powers[exponent + 255] = value;
  logarithms[value] = exponent;
  value = value < 128 ? value << 1 : (value << 1) ^ polynomial;
}

/** The product of two elements. */
export function multiply(a: number, b: number): number {
  if (a === 0 || b === 0) return 0;
  return powers[(logarithms[a] ?? 0) + (logarithms[b] ?? 0)] ?? 0;
}

/** The quotient of two elements, of which the second is not 0. */
export function divide(a: number, b: number): number {
  return a === 0 ? 0 : (powers[(logarithms[a] ?? 0) + 255 - (logarithms[b] ?? 0)] ?? 0);
}

/** For each coefficient in use, the products of all pairs of bytes: two at a time is four times as fast as one. */
const products = new Map<number, Uint16Array>();

/** Adds to every byte of the target that of the source times a coefficient. Both have the same, even length. */
export function addProduct(target: Uint8Array, coefficient: number, source: Uint8Array): void {
  const table = productsOf(coefficient);
  const from = pairsOf(source);
  const to = pairsOf(target);
  for (let at = 0; at < to.length; at++) to[at] = (to[at] ?? 0) ^ (table[from[at] ?? 0] ?? 0);
}

function productsOf(coefficient: number): Uint16Array {
  const known = products.get(coefficient);
  if (known !== undefined) return known;
  const single = Uint8Array.from({ length: 256 }, (_, value) => multiply(coefficient, value));
  const table = Uint16Array.from(
    { length: 65_536 },
    (_, pair) => (single[pair & 255] ?? 0) | ((single[pair >>> 8] ?? 0) << 8),
  );
  products.set(coefficient, table);
  return table;
}

function pairsOf({ buffer, byteOffset, length }: Uint8Array): Uint16Array {
  return new Uint16Array(buffer, byteOffset, length / 2);
}
