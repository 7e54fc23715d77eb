import { encodeCbor } from "@catalyst/wire";
import { toHex } from "../../../packages/wire/test/hex.ts";
import { fromNotation, type Notation } from "../../../packages/wire/test/notation.ts";
import type { VectorFile } from "../wire-vectors.ts";

const hex = (length: number) =>
  Array.from({ length }, (_, at) => (at % 251).toString(16).padStart(2, "0")).join("");

/** An array in an array in an array: `depth` arrays in all. */
const nested = (depth: number): Notation => (depth === 1 ? [] : [nested(depth - 1)]);

const values: Readonly<Record<string, Notation>> = {
  zero: 0,
  "the largest integer in the head": 23,
  "the smallest integer of one byte": 24,
  "the largest integer of one byte": 255,
  "the smallest integer of two bytes": 256,
  "the largest integer of two bytes": 65_535,
  "the smallest integer of four bytes": 65_536,
  "the largest integer of four bytes": 4_294_967_295,
  "the smallest integer of eight bytes": 4_294_967_296,
  "the largest integer": Number.MAX_SAFE_INTEGER,
  "minus one": -1,
  "the least negative integer in the head": -24,
  "the first negative integer of one byte": -25,
  "the last negative integer of one byte": -256,
  "the first negative integer of two bytes": -257,
  "the last negative integer of four bytes": -4_294_967_296,
  "the first negative integer of eight bytes": -4_294_967_297,
  "the smallest integer": Number.MIN_SAFE_INTEGER,
  false: false,
  true: true,
  null: null,
  "no bytes": { bytes: "" },
  "23 bytes": { bytes: hex(23) },
  "24 bytes": { bytes: hex(24) },
  "256 bytes": { bytes: hex(256) },
  "no text": "",
  "text of one byte per character": "catalyst",
  "text of two, three and four bytes per character": "ü水𐅑",
  "a byte order mark is text": "\ufeffa",
  "a zero character is text": "a\u0000b",
  "composed and decomposed text differ": ["\u00e9", "e\u0301"],
  "text of 24 bytes": "abcdefghijklmnopqrstuvwx",
  "an empty array": [],
  "an array of 24": Array.from({ length: 24 }, (_, at) => at),
  "32 arrays in each other": nested(32),
  "an empty map": { map: [] },
  "keys by the bytes of their encodings, not by their length": {
    map: [
      ["", 7],
      [-1, 5],
      [24, 2],
      ["b", 9],
      [1_000, 3],
      [-25, 6],
      [23, 1],
      ["aa", 10],
      ["a", 8],
      [65_536, 4],
    ],
  },
  "keys beyond ASCII by UTF-8, which UTF-16 sorts otherwise": {
    map: [
      ["\u{1d11e}", 2],
      ["\uff5ea", 1],
    ],
  },
  "keys that mean something to JavaScript": {
    map: [
      ["__proto__", 1],
      ["constructor", 2],
      ["toString", 3],
    ],
  },
  "a COSE_Sign1": {
    tag: 18,
    value: [{ bytes: "a10127" }, { map: [[4, { bytes: "6b3031" }]] }, { bytes: "f6" }, { bytes: hex(64) }],
  },
};

export function cborVectors(): VectorFile {
  return {
    about: "spec/wire.md §1. A value and its encoding; entries of a map stand in any order.",
    vectors: Object.entries(values).map(([name, value]) => ({
      name,
      value,
      hex: toHex(encodeCbor(fromNotation(value))),
    })),
  };
}
