import type { CborInput, CborMap, CborValue } from "@catalyst/wire";
import { isName } from "@catalyst/wire";
import { SessionError } from "../errors.ts";

/** How one value stands in CBOR. `read` throws {@link SessionError} `message_malformed`, naming the place. */
export type Field<Value> = {
  read(value: CborValue, place: string): Value;
  write(value: Value): CborInput;
};

type AnyField = { read(value: CborValue, place: string): unknown; write(value: never): CborInput };

/** The members of a map by name, each with its integer key. */
type Members = Readonly<Record<string, Member>>;
type Member = { readonly key: number; readonly field: AnyField; readonly optional?: true };

type OptionalNames<Of extends Members> = {
  [Name in keyof Of]: Of[Name] extends { readonly optional: true } ? Name : never;
}[keyof Of];

type ValueOf<Of extends Member> = ReturnType<Of["field"]["read"]>;

/** The object that a map of these members stands for. */
export type MapOf<Of extends Members> = {
  readonly [Name in Exclude<keyof Of, OptionalNames<Of>>]: ValueOf<Of[Name]>;
} & { readonly [Name in OptionalNames<Of>]?: ValueOf<Of[Name]> };

export function malformed(place: string, expected: string): never {
  throw new SessionError("message_malformed", `${place} is not ${expected}`);
}

/**
 * A map with these members. Others are refused; with `later`, those whose key is an integer from that one on are left
 * to later versions.
 */
export function mapOf<const Of extends Members>(
  members: Of,
  { reserved = [], later = Number.POSITIVE_INFINITY }: { reserved?: readonly number[]; later?: number } = {},
): Field<MapOf<Of>> {
  const known = new Set<CborValue>([...reserved, ...Object.values(members).map(({ key }) => key)]);
  return {
    read: (value, place) => {
      if (!(value instanceof Map)) return malformed(place, "a map");
      for (const key of (value as CborMap).keys()) {
        if (known.has(key) || (typeof key === "number" && key >= later)) continue;
        malformed(typeof key === "number" ? `${place}.${key}` : `a name in ${place}`, "a known member");
      }
      const result: Record<string, unknown> = {};
      for (const [name, { key, field, optional }] of Object.entries(members)) {
        const member: CborValue | undefined = value.get(key);
        if (member !== undefined) result[name] = field.read(member, `${place}.${name}`);
        else if (optional === undefined) malformed(`${place}.${name}`, "there");
      }
      return result as MapOf<Of>;
    },
    write: (object) => {
      const entries = new Map<number, CborInput>();
      for (const [name, { key, field }] of Object.entries(members)) {
        const member = (object as Readonly<Record<string, unknown>>)[name];
        if (member !== undefined) entries.set(key, (field as Field<unknown>).write(member));
      }
      return entries;
    },
  };
}

export function listOf<Value>(field: Field<Value>, min: number, max: number): Field<readonly Value[]> {
  return {
    read: (value, place) =>
      Array.isArray(value) && value.length >= min && value.length <= max
        ? (value as CborValue[]).map((item, at) => field.read(item, `${place}[${at}]`))
        : malformed(place, `a list of ${min} to ${max}`),
    write: (values) => values.map((value) => field.write(value)),
  };
}

/** A list that ascends by an order, without doubles: a set in its one form. */
export function ascending<Value>(
  list: Field<readonly Value[]>,
  keyOf: (value: Value) => string | number,
): Field<readonly Value[]> {
  return {
    read: (value, place) => {
      const items = list.read(value, place);
      const keys = items.map(keyOf);
      return keys.every((key, at) => at === 0 || (keys[at - 1] as typeof key) < key)
        ? items
        : malformed(place, "in ascending order without doubles");
    },
    write: (values) => list.write(values),
  };
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
    `an integer from ${min} to ${max}`,
  );
}

/** Text of at most so many bytes in UTF-8; it may be empty. */
export function textUpTo(maxBytes: number): Field<string> {
  return plain(
    (value): value is string => typeof value === "string" && Buffer.byteLength(value) <= maxBytes,
    `text of at most ${maxBytes} bytes`,
  );
}

/** A name of an organisation or a node. */
export const name: Field<string> = plain(isName, "a name");

const tokenPattern = /^[a-z0-9](?:[a-z0-9./-]{0,62}[a-z0-9])?$/;

/** A word of 1 to 64 of `a`-`z`, `0`-`9`, `.`, `/` and `-` that begins and ends with a letter or digit. */
export const token: Field<string> = plain(
  (value): value is string => typeof value === "string" && tokenPattern.test(value),
  "a token",
);

function plain<Value extends CborValue>(
  accepts: (value: CborValue) => value is Value,
  expected: string,
): Field<Value> {
  return {
    read: (value, place) => (accepts(value) ? value : malformed(place, expected)),
    write: (value) => value,
  };
}
