/**
 * What CBOR bytes stand for, spec/wire.md §1. Integers are within ±(2^53 - 1), text is well-formed Unicode, and a
 * map's keys are integers or text. Decoding gives byte strings as views into the input: they live as long as it
 * does, and change when it changes.
 */
export type CborValue =
  | number
  | string
  | boolean
  | null
  | Uint8Array
  | readonly CborValue[]
  | CborMap
  | CborTag;

export type CborKey = number | string;

/** A map; iteration follows the order of the encoding. */
export type CborMap = ReadonlyMap<CborKey, CborValue>;

/** What can be encoded: also a plain object, as a map with text keys. */
export type CborInput =
  | number
  | string
  | boolean
  | null
  | Uint8Array
  | readonly CborInput[]
  | ReadonlyMap<CborKey, CborInput>
  | CborTag<CborInput>
  | { readonly [key: string]: CborInput };

/** The one tag of the profile: COSE_Sign1, RFC 9052 §4.2. */
export const coseSign1Tag = 18;

/** A tagged value. */
export class CborTag<Value = CborValue> {
  readonly tag: number;
  readonly value: Value;

  constructor(tag: number, value: Value) {
    this.tag = tag;
    this.value = value;
  }
}

/** What a decoder accepts and an encoder makes at most; the limits bound the memory that hostile bytes can take. */
export type CborLimits = {
  /** Bytes of the whole encoding. Default 1,048,576. */
  readonly maxBytes?: number;
  /** Arrays, maps and tags inside each other. Default 32; the stack bears about 1,000. */
  readonly maxDepth?: number;
  /**
   * Items of every kind, containers and keys included. Default 65,536. Integer keys can be chosen such that a `Map`
   * keeps them in one chain: 16,384 items then take 0.1 s, 65,536 take 1.2 s. What strangers send has a limit of its own.
   */
  readonly maxItems?: number;
};

export const defaultLimits = { maxBytes: 1_048_576, maxDepth: 32, maxItems: 65_536 } as const;
