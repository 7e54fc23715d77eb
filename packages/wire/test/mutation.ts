import { WireError } from "@catalyst/wire";
import fc from "fast-check";

/**
 * Bytes such as a hostile or broken peer sends: good ones with a few bytes changed, removed or repeated, two of them
 * joined, and noise.
 */
export function hostileBytes(good: readonly Uint8Array[]): fc.Arbitrary<Uint8Array> {
  const one = fc.constantFrom(...good);
  // Not fc.double, which is nearly always close to 0: every edit would be at the beginning.
  const spot = fc.nat(999_999).map((millionths) => millionths / 1_000_000);
  const edit = fc.record({
    kind: fc.constantFrom("set", "flip", "cut", "insert", "repeat"),
    spot,
    value: fc.nat(255),
  });
  const edited = fc
    .tuple(one, fc.array(edit, { minLength: 1, maxLength: 4 }))
    .map(([bytes, edits]) => edits.reduce(applyEdit, bytes));
  const joined = fc.tuple(one, one, spot).map(([a, b, at]) => {
    const cut = Math.floor(at * a.length);
    return Uint8Array.of(...a.subarray(0, cut), ...b);
  });
  return fc.oneof({ weight: 6, arbitrary: edited }, joined, fc.uint8Array({ maxLength: 64 }));
}

type Edit = { readonly kind: string; readonly spot: number; readonly value: number };

function applyEdit(bytes: Uint8Array, { kind, spot, value }: Edit): Uint8Array {
  const at = Math.floor(spot * bytes.length);
  const changed = [...bytes];
  if (kind === "set") changed[at] = value;
  else if (kind === "flip") changed[at] = (changed[at] ?? 0) ^ (1 << (value & 7));
  else if (kind === "cut") changed.splice(at, 1 + (value % 8));
  else if (kind === "insert") changed.splice(at, 0, value);
  else changed.splice(at, 0, ...changed.slice(at, at + 1 + (value % 8)));
  return Uint8Array.from(changed);
}

/** The code with which a call is refused; null when it succeeds. Any other error goes on. */
export function refusal(call: () => unknown): string | null {
  try {
    call();
    return null;
  } catch (error) {
    if (error instanceof WireError) return error.code;
    throw error;
  }
}
