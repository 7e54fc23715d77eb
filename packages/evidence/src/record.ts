import {
  type CborInput,
  type CborValue,
  type Cid,
  cidFromBytes,
  cidToBytes,
  isName,
  parseCid,
  splitCid,
  WireError,
} from "@catalyst/wire/portable";
import { isText } from "./canonical.ts";
import { EvidenceError } from "./errors.ts";

/**
 * How one value stands in CBOR. `read` throws {@link EvidenceError} `schema_mismatch`, naming the place; `write` takes
 * what `read` gives.
 */
export type Field<Value> = {
  read(value: CborValue, place: string): Value;
  write(value: Value): CborInput;
};

/** A member that may be left out. */
export type OptionalField<Value> = Field<Value> & { readonly optional: true };

type AnyField = { read(value: CborValue, place: string): unknown; write(value: never): CborInput };

export type Fields = Readonly<Record<string, AnyField>>;

type OptionalNames<Of extends Fields> = {
  [Name in keyof Of]: Of[Name] extends { readonly optional: true } ? Name : never;
}[keyof Of];

type ValueOf<Of extends AnyField> = ReturnType<Of["read"]>;

/** The object that a record of these fields stands for. */
export type RecordOf<Of extends Fields> = {
  readonly [Name in Exclude<keyof Of, OptionalNames<Of>>]: ValueOf<Of[Name]>;
} & { readonly [Name in OptionalNames<Of>]?: ValueOf<Of[Name]> };

export function mismatch(place: string, expected: string): never {
  throw new EvidenceError("schema_mismatch", `${place} is not ${expected}`);
}

/** A map with these members, and no others: spec/evidence.md §3. */
export function record<const Of extends Fields>(fields: Of): Field<RecordOf<Of>> {
  return {
    read: (value, place) => {
      if (!(value instanceof Map)) return mismatch(place, "a map");
      const result: Record<string, unknown> = {};
      for (const key of value.keys()) {
        if (typeof key !== "string" || !Object.hasOwn(fields, key))
          mismatch(`${place}.${key}`, "a known member");
      }
      for (const [name, field] of Object.entries(fields)) {
        const member: CborValue | undefined = value.get(name);
        if (member !== undefined) result[name] = field.read(member, `${place}.${name}`);
        else if (!("optional" in field)) mismatch(`${place}.${name}`, "there");
      }
      return result as RecordOf<Of>;
    },
    write: (object) => {
      const members = Object.entries(fields as Readonly<Record<string, Field<unknown>>>).flatMap(
        ([name, field]) => {
          const member = (object as Readonly<Record<string, unknown>>)[name];
          return member === undefined ? [] : [[name, field.write(member)] as const];
        },
      );
      return new Map(members);
    },
  };
}

export function optional<Value>(field: Field<Value>): OptionalField<Value> {
  return { ...field, optional: true };
}

export function listOf<Value>(field: Field<Value>, min: number, max: number): Field<readonly Value[]> {
  return {
    read: (value, place) =>
      Array.isArray(value) && value.length >= min && value.length <= max
        ? (value as CborValue[]).map((item, at) => field.read(item, `${place}[${at}]`))
        : mismatch(place, `a list of ${min} to ${max}`),
    write: (values) => values.map((value) => field.write(value)),
  };
}

export function oneOf<const Value extends string>(...values: readonly Value[]): Field<Value> {
  return plain((value): value is Value => values.includes(value as Value), `one of ${values.join(", ")}`);
}

export function textUpTo(maxBytes: number): Field<string> {
  return plain((value) => isText(value, maxBytes), `text of 1 to ${maxBytes} bytes`);
}

export function bytesOf(min: number, max = min): Field<Uint8Array> {
  return plain(
    (value): value is Uint8Array => value instanceof Uint8Array && value.length >= min && value.length <= max,
    min === max ? `${min} bytes` : `${min} to ${max} bytes`,
  );
}

export function integer(min = 0, max = Number.MAX_SAFE_INTEGER): Field<number> {
  return plain(
    (value): value is number => typeof value === "number" && value >= min && value <= max,
    max === Number.MAX_SAFE_INTEGER ? `an integer of ${min} or more` : `an integer of ${min} to ${max}`,
  );
}

export const flag: Field<boolean> = plain((value) => typeof value === "boolean", "true or false");

export const name: Field<string> = plain(isName, "a name");

/** A CID in its binary form; of an object or of a block. */
export const cid: Field<Cid> = {
  read: (value, place) => {
    if (!(value instanceof Uint8Array)) return mismatch(place, "a CID");
    try {
      return cidFromBytes(value);
    } catch (error) {
      if (!(error instanceof WireError)) throw error;
      return mismatch(place, `a CID: ${error.message}`);
    }
  },
  write: cidToBytes,
};

/** A name in a namespace: text of at most 512 bytes that begins with `holo://`. */
export const handle: Field<string> = plain(
  (value): value is string => isText(value, 512) && value.startsWith("holo://"),
  "a handle",
);

/** A handle as text, or a CID as bytes: in a record both are text, and a handle is told by its `holo://`. */
export const handleOrCid: Field<string> = {
  read: (value, place) => (typeof value === "string" ? handle.read(value, place) : cid.read(value, place)),
  write: (value) => (value.startsWith("holo://") ? value : cidToBytes(parseCid(value))),
};

/** The CID of a block, which is small enough to go along in a bundle. */
export const blockCid: Field<Cid> = {
  read: (value, place) => {
    const found = cid.read(value, place);
    return splitCid(found).hash === "sha2-256" ? found : mismatch(place, "the CID of a block");
  },
  write: cidToBytes,
};

/** Any value of CBOR, as it is. */
export const anything: Field<CborValue> = plain((_value): _value is CborValue => true, "a value");

function plain<Value extends CborValue>(
  accepts: (value: CborValue) => value is Value,
  expected: string,
): Field<Value> {
  return {
    read: (value, place) => (accepts(value) ? value : mismatch(place, expected)),
    write: (value) => value,
  };
}
