import { type GraphQLLeafType, isEnumType } from "graphql";
import { type Scan, scanBoolean, scanDecimal, scanInt, scanString, scanWord, wordOf } from "./json-scan.ts";

/** Reads a scalar or enum value of a service; undefined when the type does not allow it. */
export type LeafReader = (value: unknown) => unknown;

const maxInt = 2 ** 31;

/** Values that JSON holds as the type wants them pass at once; others are read as the specification coerces results. */
export function leafReader(type: GraphQLLeafType): LeafReader {
  if (isEnumType(type)) {
    const names = new Set(type.getValues().map(({ name }) => name));
    return (value) => (typeof value === "string" && names.has(value) ? value : undefined);
  }
  const coerce = (value: unknown) => {
    try {
      return type.serialize(value);
    } catch {
      return undefined;
    }
  };
  switch (type.name) {
    case "String":
    case "ID":
      return (value) => (typeof value === "string" ? value : coerce(value));
    case "Boolean":
      return (value) => (typeof value === "boolean" ? value : coerce(value));
    case "Float":
      return (value) => (typeof value === "number" ? value : coerce(value));
    case "Int":
      return (value) =>
        typeof value === "number" && Number.isInteger(value) && value < maxInt && value >= -maxInt
          ? value
          : coerce(value);
    default:
      return (value) => value;
  }
}

/** Finds what is read as it stands: what would have to be coerced, or is hard to tell, it does not find. */
export function leafScan(type: GraphQLLeafType): Scan {
  if (isEnumType(type)) return enumScan(type.getValues().map(({ name }) => name));
  switch (type.name) {
    case "String":
    case "ID":
      return scanString;
    case "Boolean":
      return scanBoolean;
    case "Float":
      return scanDecimal;
    case "Int":
      return scanInt;
    default:
      return scanScalar;
  }
}

function enumScan(names: readonly string[]): Scan {
  const words = names.map((name) => wordOf(JSON.stringify(name)));
  return (json, at) => {
    for (const word of words) {
      const end = scanWord(json, at, word);
      if (end >= 0) return end;
    }
    return -1;
  };
}

/** A scalar of the schema's own, where it is neither a list nor an object. */
const scanScalar: Scan = (json, at) => {
  for (const scan of [scanString, scanDecimal, scanBoolean]) {
    const end = scan(json, at);
    if (end >= 0) return end;
  }
  return -1;
};
