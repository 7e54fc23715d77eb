import { WireError, type WireErrorCode } from "../errors.ts";
import { compareKeysAt } from "./byte-order.ts";
import { readText } from "./text.ts";
import {
  type CborKey,
  type CborLimits,
  type CborMap,
  CborTag,
  type CborValue,
  coseSign1Tag,
  defaultLimits,
} from "./value.ts";

/**
 * Reads the one item that the bytes hold, spec/wire.md §1. Whatever is not the deterministic encoding of a value of
 * the profile is refused, so `encodeCbor(decodeCbor(bytes))` gives the same bytes. Maps are read as `Map`, byte
 * strings as views into `bytes`. Throws nothing but {@link WireError} `cbor_*`, with `evidence.at`.
 *
 * @example
 * decodeCbor(Uint8Array.of(0xa1, 0x01, 0x27)); // Map { 1 => -8 }
 */
export function decodeCbor(bytes: Uint8Array, limits: CborLimits = {}): CborValue {
  const { maxBytes = defaultLimits.maxBytes } = limits;
  if (bytes.length > maxBytes) {
    throw new WireError("cbor_too_large", `${bytes.length} bytes are more than ${maxBytes}`);
  }
  const reader = new Reader(bytes, limits);
  const value = reader.item(0);
  if (reader.at < bytes.length) reader.refuse("cbor_trailing", "bytes follow the item", reader.at);
  return value;
}

/** The major types that a map key may have: integers and text. */
const isKeyType = [true, true, false, true, false, false, false, false];

class Reader {
  readonly bytes: Uint8Array;
  readonly maxDepth: number;
  at = 0;
  items: number;

  constructor(bytes: Uint8Array, limits: CborLimits) {
    this.bytes = bytes;
    this.maxDepth = limits.maxDepth ?? defaultLimits.maxDepth;
    this.items = limits.maxItems ?? defaultLimits.maxItems;
  }

  item(depth: number): CborValue {
    const start = this.at;
    if (this.items-- <= 0) this.refuse("cbor_too_many_items", "too many items", start);
    const initial = this.byte();
    const major = initial >> 5;
    const info = initial & 31;
    if (major === 7) return this.simple(info, start);
    const argument = info < 24 ? info : this.argument(major, info, start);
    switch (major) {
      case 0:
      case 1:
        return this.integer(major, argument, start);
      case 2:
        return this.byteString(argument, start);
      case 3:
        return this.text(argument, start);
      case 4:
        return this.array(argument, this.nested(depth, start), start);
      case 5:
        return this.map(argument, this.nested(depth, start), start);
      default:
        return this.tagged(argument, this.nested(depth, start), start);
    }
  }

  integer(major: number, argument: number, start: number): number {
    const value = major === 0 ? argument : -1 - argument;
    if (!Number.isSafeInteger(value)) this.refuse("cbor_integer_range", "beyond 2^53 - 1", start);
    return value;
  }

  byteString(length: number, start: number): Uint8Array {
    const { bytes } = this;
    const from = this.advance(length, start);
    return new Uint8Array(bytes.buffer, bytes.byteOffset + from, length);
  }

  text(length: number, start: number): string {
    const from = this.advance(length, start);
    const text = readText(this.bytes, from, this.at);
    return text ?? this.refuse("cbor_utf8", "text that is not valid UTF-8", start);
  }

  array(length: number, depth: number, start: number): readonly CborValue[] {
    this.expect(length, start);
    const values: CborValue[] = [];
    for (let index = 0; index < length; index++) values.push(this.item(depth));
    return values;
  }

  map(pairs: number, depth: number, start: number): CborMap {
    this.expect(pairs * 2, start);
    const map = new Map<CborKey, CborValue>();
    let last = -1;
    for (let index = 0; index < pairs; index++) {
      const keyStart = this.at;
      if (!isKeyType[this.peek() >> 5]) {
        this.refuse("cbor_key_type", "a map key is neither integer nor text", keyStart);
      }
      const key = this.item(depth) as CborKey;
      if (last >= 0) this.ascend(last, keyStart);
      last = keyStart;
      map.set(key, this.item(depth));
    }
    return map;
  }

  tagged(tag: number, depth: number, start: number): CborTag {
    if (tag !== coseSign1Tag) this.refuse("cbor_tag", `tag ${tag} is not in the profile`, start);
    return new CborTag(tag, this.item(depth));
  }

  simple(info: number, start: number): boolean | null {
    if (info === 20) return false;
    if (info === 21) return true;
    if (info === 22) return null;
    if (info < 25) this.refuse("cbor_simple", "a simple value other than false, true and null", start);
    if (info < 28) this.refuse("cbor_float", "a floating-point number", start);
    if (info < 31) this.refuse("cbor_reserved", "a reserved head", start);
    return this.refuse("cbor_indefinite", "a break without a beginning", start);
  }

  /** The argument that follows an initial byte with additional information from 24 on. */
  argument(major: number, info: number, start: number): number {
    switch (info) {
      case 24:
        return this.shortest(this.byte(), 24, start);
      case 25:
        return this.shortest(this.byte() * 0x100 + this.byte(), 0x100, start);
      case 26:
        return this.shortest(this.word(), 0x1_0000, start);
      case 27: {
        const high = this.word();
        // Beyond 2^53 the sum is not exact, but still beyond 2^53.
        return this.shortest(high * 0x1_0000_0000 + this.word(), 0x1_0000_0000, start);
      }
      default: {
        const indefinite = info === 31 && major >= 2 && major <= 5;
        if (indefinite) return this.refuse("cbor_indefinite", "an indefinite length", start);
        return this.refuse("cbor_reserved", "a reserved head", start);
      }
    }
  }

  shortest(argument: number, least: number, start: number): number {
    if (argument < least) this.refuse("cbor_not_shortest", "a number or length has a shorter form", start);
    return argument;
  }

  /** Two keys in a row, by where they start: their encodings ascend. */
  ascend(last: number, start: number): void {
    const difference = compareKeysAt(this.bytes, last, start, this.at);
    if (difference < 0) return;
    if (difference > 0) this.refuse("cbor_key_order", "map keys are out of order", start);
    this.refuse("cbor_key_duplicate", "a map key occurs twice", start);
  }

  nested(depth: number, start: number): number {
    if (depth >= this.maxDepth)
      this.refuse("cbor_too_deep", `nested more than ${this.maxDepth} times`, start);
    return depth + 1;
  }

  /** Refuses at once a container that announces more items than bytes are left. */
  expect(items: number, start: number): void {
    if (items > this.bytes.length - this.at) this.refuse("cbor_truncated", "the bytes end too early", start);
  }

  advance(length: number, start: number): number {
    this.expect(length, start);
    const from = this.at;
    this.at += length;
    return from;
  }

  word(): number {
    return this.byte() * 0x100_0000 + (this.byte() << 16) + (this.byte() << 8) + this.byte();
  }

  byte(): number {
    const byte = this.peek();
    this.at++;
    return byte;
  }

  peek(): number {
    return this.bytes[this.at] ?? this.refuse("cbor_truncated", "the bytes end too early", this.at);
  }

  refuse(code: WireErrorCode, message: string, at: number): never {
    throw new WireError(code, `${message} (at byte ${at})`, { evidence: { at } });
  }
}
