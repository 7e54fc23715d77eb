import {
  astFromValue,
  type GraphQLArgument,
  type GraphQLInputField,
  type GraphQLType,
  isListType,
  isNonNullType,
  print,
} from "graphql";

/** Whether answers of one type are also answers of another, as who was written for that expects them. */
export function fitsAnswers(expected: GraphQLType, given: GraphQLType): boolean {
  if (isNonNullType(expected)) return isNonNullType(given) && fitsAnswers(expected.ofType, given.ofType);
  if (isNonNullType(given)) return fitsAnswers(expected, given.ofType);
  if (isListType(expected)) return isListType(given) && fitsAnswers(expected.ofType, given.ofType);
  return !isListType(given) && expected.name === given.name;
}

/** Whether what was a value of one type is also one of another. */
export function fitsArguments(before: GraphQLType, after: GraphQLType): boolean {
  return fitsAnswers(after, before);
}

/** The default of an argument or input field, as GraphQL with fields in order; null when there is none. */
export function valueText({ defaultValue, type }: GraphQLArgument | GraphQLInputField): string | null {
  if (defaultValue === undefined) return null;
  const node = astFromValue(sorted(defaultValue), type);
  return node === null || node === undefined ? null : print(node);
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([key, field]) => [key, sorted(field)]));
}
