import { type GraphQLLeafType, isEnumType } from "graphql";

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
