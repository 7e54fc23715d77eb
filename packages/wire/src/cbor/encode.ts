import { WireError } from "../errors.ts";
import { compareKeysAt } from "./byte-order.ts";
import { utf8Length, writeText } from "./text.ts";
import {
  type CborInput,
  type CborKey,
  type CborLimits,
  CborTag,
  coseSign1Tag,
  defaultLimits,
} from "./value.ts";

/**
 * The one encoding of a value, spec/wire.md §1. Maps are sorted; a plain object is a map with text keys. Nobody else
 * writes to the bytes returned; but as with a Buffer, their `buffer` may hold others too. Throws {@link WireError}
 * `cbor_*` for what {@link decodeCbor} would refuse under the same limits, and `cbor_value` for what has no
 * representation: undefined, bigint, dates, instances of other classes.
 *
 * @example
 * encodeCbor({ kind: "pin", size: 5 }); // a2 64 6b696e64 63 70696e 64 73697a65 05
 */
export function encodeCbor(value: CborInput, limits: CborLimits = {}): Uint8Array {
  const writer = new Writer(limits);
  try {
    writer.item(value, 0);
    return writer.result();
  } finally {
    writer.release();
  }
}

const largestSpare = 65_536;
let spare: Uint8Array | null = new Uint8Array(4_096);

class Writer {
  bytes: Uint8Array;
  at = 0;
  items: number;
  readonly maxBytes: number;
  readonly maxDepth: number;

  constructor(limits: CborLimits) {
    this.bytes = spare ?? new Uint8Array(256);
    spare = null;
    this.maxBytes = limits.maxBytes ?? defaultLimits.maxBytes;
    this.maxDepth = limits.maxDepth ?? defaultLimits.maxDepth;
    this.items = limits.maxItems ?? defaultLimits.maxItems;
  }

  result(): Uint8Array {
    this.refuseBeyond(this.at);
    return copyOut(this.bytes, this.at);
  }

  release(): void {
    if (this.bytes.length <= largestSpare) spare = this.bytes;
  }

  item(value: CborInput, depth: number): void {
    if (this.items-- <= 0) throw new WireError("cbor_too_many_items", "the value has too many items");
    switch (typeof value) {
      case "string":
        this.text(value);
        return;
      case "number":
        this.integer(value);
        return;
      case "boolean":
        this.head(0xe0, value ? 21 : 20);
        return;
      case "object":
        this.object(value, depth + 1);
        return;
      default:
        throw new WireError("cbor_value", `a value of type ${typeof value} has no representation`);
    }
  }

  object(value: object | null, depth: number): void {
    if (value === null) {
      this.head(0xe0, 22);
      return;
    }
    if (value instanceof Uint8Array) {
      this.byteString(value);
      return;
    }
    if (depth > this.maxDepth) {
      throw new WireError("cbor_too_deep", `the value is nested more than ${this.maxDepth} times`);
    }
    if (Array.isArray(value)) this.array(value, depth);
    else if (value instanceof Map) this.map(value, depth);
    else if (value instanceof CborTag) this.tagged(value, depth);
    else this.record(value, depth);
  }

  integer(value: number): void {
    if (Number.isSafeInteger(value)) {
      if (value >= 0) this.head(0x00, value);
      else this.head(0x20, -1 - value);
      return;
    }
    if (Number.isInteger(value)) throw new WireError("cbor_integer_range", "an integer is beyond 2^53 - 1");
    throw new WireError("cbor_float", `${value} is no integer`);
  }

  text(value: string): void {
    const length = utf8Length(value);
    this.head(0x60, length);
    this.reserve(length);
    writeText(value, length, this.bytes, this.at);
    this.at += length;
  }

  byteString(value: Uint8Array): void {
    this.head(0x40, value.length);
    this.reserve(value.length);
    this.bytes.set(value, this.at);
    this.at += value.length;
  }

  array(values: readonly CborInput[], depth: number): void {
    this.head(0x80, values.length);
    for (let index = 0; index < values.length; index++) this.item(values[index] as CborInput, depth);
  }

  map(map: ReadonlyMap<CborKey, CborInput>, depth: number): void {
    this.head(0xa0, map.size);
    const starts: number[] = [];
    for (const [key, value] of map) {
      if (typeof key !== "string" && typeof key !== "number") {
        throw new WireError("cbor_key_type", `a map key of type ${typeof key} has no representation`);
      }
      starts.push(this.at);
      this.item(key, depth);
      this.item(value, depth);
    }
    this.sortEntries(starts);
  }

  record(value: object, depth: number): void {
    const prototype: unknown = Object.getPrototypeOf(value);
    if (prototype !== Object.prototype && prototype !== null) {
      throw new WireError("cbor_value", "an instance of a class has no representation");
    }
    const record = value as { readonly [key: string]: CborInput };
    const keys = Object.keys(record).sort(compareAscii);
    this.head(0xa0, keys.length);
    const starts: number[] = [];
    for (const key of keys) {
      starts.push(this.at);
      this.item(key, depth);
      this.item(record[key] as CborInput, depth);
    }
    this.sortEntries(starts);
  }

  /** Brings the entries of a map, written one after the other at these places, into the order of their keys. */
  sortEntries(starts: readonly number[]): void {
    const { bytes, at: end } = this;
    if (isAscending(bytes, starts, end)) return;
    const entries = starts.map((start, index) => ({ start, end: starts[index + 1] ?? end }));
    entries.sort((a, b) => compareKeysAt(bytes, a.start, b.start, end));
    const first = starts[0] ?? end;
    const written = bytes.slice(first, end);
    let to = first;
    for (const entry of entries) {
      bytes.set(written.subarray(entry.start - first, entry.end - first), to);
      to += entry.end - entry.start;
    }
  }

  tagged({ tag, value }: CborTag<CborInput>, depth: number): void {
    if (tag !== coseSign1Tag) throw new WireError("cbor_tag", `tag ${tag} is not in the profile`);
    this.head(0xc0, tag);
    this.item(value, depth);
  }

  head(major: number, argument: number): void {
    this.reserve(9);
    const { bytes } = this;
    if (argument < 24) {
      bytes[this.at++] = major | argument;
    } else if (argument < 0x100) {
      bytes[this.at++] = major | 24;
      bytes[this.at++] = argument;
    } else if (argument < 0x10000) {
      bytes[this.at++] = major | 25;
      bytes[this.at++] = argument >>> 8;
      bytes[this.at++] = argument;
    } else if (argument < 0x1_0000_0000) {
      bytes[this.at++] = major | 26;
      this.word(argument);
    } else {
      bytes[this.at++] = major | 27;
      this.word(Math.floor(argument / 0x1_0000_0000));
      this.word(argument);
    }
  }

  word(value: number): void {
    const { bytes } = this;
    bytes[this.at++] = value >>> 24;
    bytes[this.at++] = value >>> 16;
    bytes[this.at++] = value >>> 8;
    bytes[this.at++] = value;
  }

  reserve(length: number): void {
    const needed = this.at + length;
    if (needed <= this.bytes.length) return;
    this.refuseBeyond(needed - 9);
    const larger = new Uint8Array(Math.max(needed, this.bytes.length * 2));
    larger.set(this.bytes.subarray(0, this.at));
    this.bytes = larger;
  }

  refuseBeyond(length: number): void {
    if (length <= this.maxBytes) return;
    throw new WireError("cbor_too_large", `the encoding is longer than ${this.maxBytes} bytes`);
  }
}

const slabBytes = 8_192;
let slab = new Uint8Array(slabBytes);
let slabUsed = 0;

/** A copy of the first bytes. Memory for a small one alone would take longer to get than to encode it. */
function copyOut(bytes: Uint8Array, length: number): Uint8Array {
  if (length > slabBytes / 8) return bytes.slice(0, length);
  if (slabUsed + length > slabBytes) {
    slab = new Uint8Array(slabBytes);
    slabUsed = 0;
  }
  const copy = slab.subarray(slabUsed, slabUsed + length);
  copy.set(bytes.subarray(0, length));
  slabUsed += length;
  return copy;
}

/** The order of keys in ASCII; where there are others, {@link Writer.sortEntries} has the last word. */
function compareAscii(a: string, b: string): number {
  return a.length - b.length || (a < b ? -1 : 1);
}

function isAscending(bytes: Uint8Array, starts: readonly number[], end: number): boolean {
  for (let index = 1; index < starts.length; index++) {
    if (compareKeysAt(bytes, starts[index - 1] ?? end, starts[index] ?? end, end) >= 0) return false;
  }
  return true;
}
