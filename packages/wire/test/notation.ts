import { type CborInput, type CborKey, CborTag, type CborValue } from "@catalyst/wire";
import { fromHex, toHex } from "./hex.ts";

/** A CBOR value in the JSON of the vectors, spec/vectors/README.md. */
export type Notation =
  | number
  | string
  | boolean
  | null
  | readonly Notation[]
  | { readonly bytes: string }
  | { readonly map: readonly (readonly [CborKey, Notation])[] }
  | { readonly tag: number; readonly value: Notation };

export function fromNotation(notation: Notation): CborInput {
  if (notation === null || typeof notation !== "object") return notation;
  if (isArray(notation)) return notation.map(fromNotation);
  if ("bytes" in notation) return fromHex(notation.bytes);
  if ("map" in notation) return new Map(notation.map.map(([key, value]) => [key, fromNotation(value)]));
  return new CborTag(notation.tag, fromNotation(notation.value));
}

export function toNotation(value: CborValue): Notation {
  if (value === null || typeof value !== "object") return value;
  if (value instanceof Uint8Array) return { bytes: toHex(value) };
  if (value instanceof Map) return { map: [...value].map(([key, item]) => [key, toNotation(item)] as const) };
  if (value instanceof CborTag) return { tag: value.tag, value: toNotation(value.value) };
  return (value as readonly CborValue[]).map(toNotation);
}

/** Array.isArray, which does not narrow readonly arrays. */
function isArray(notation: object): notation is readonly Notation[] {
  return Array.isArray(notation);
}
