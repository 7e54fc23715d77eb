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

/** Bytes, `length` of them or a few less, that ask as much of a decoder of CBOR as so many can. */
export function costlyBytes(length: number): Readonly<Record<string, Uint8Array>> {
  const repeated = (head: string, unit: string) => {
    const begin = Buffer.from(head, "hex");
    const times = Math.floor((2 * (length - begin.length)) / unit.length);
    return Uint8Array.from(Buffer.concat([begin, Buffer.from(unit.repeat(times), "hex")]));
  };
  const count = (units: number) => Math.floor(units).toString(16).padStart(8, "0");
  const keys = (unitOf: (at: number) => string) => {
    const units = Math.floor((2 * (length - 5)) / unitOf(0).length);
    return repeated(
      `ba${count(units)}${Array.from({ length: units }, (_, at) => unitOf(at)).join("")}`,
      "00",
    );
  };
  const four = (at: number) => (at + 65_536).toString(16).padStart(8, "0");
  return {
    "arrays in each other": repeated("", "81"),
    "tags in each other": repeated("", "d2"),
    "maps in each other": repeated("", "a100"),
    "empty maps in an array": repeated(`9a${count(length - 5)}`, "a0"),
    "promises of 2^40 items": repeated("", "9b0000010000000000"),
    "a map of many numbers": keys((at) => `1a${four(at)}00`),
    "a map of long keys that differ at their end": keys(
      (at) => `7828${"61".repeat(32)}${Buffer.from(four(at)).toString("hex")}00`,
    ),
    "text of two-byte characters": repeated(`7a${count(length - 5)}`, "c3a9"),
    "text whose last byte is wrong": repeated(`7a${count(length - 5)}`, "61").with(length - 1, 0xff),
    zeros: new Uint8Array(length),
  };
}

/** How long a call takes, in ms; of a few, the shortest, so that other work on the machine does not count. */
export async function msOf(call: () => unknown): Promise<number> {
  let least = Number.POSITIVE_INFINITY;
  for (let round = 0; round < 3; round++) {
    const start = performance.now();
    await call();
    least = Math.min(least, performance.now() - start);
  }
  return least;
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
