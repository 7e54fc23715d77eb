import { JsonText } from "../json-text.ts";
import { FieldFailure } from "./field-failure.ts";

/** An object of a service's answer, or an array seen as one. Read from JSON, and changed while answers are joined. */
export type DataObject = Record<string | number, unknown>;

export function isObject(value: unknown): value is DataObject {
  return (
    typeof value === "object" &&
    value !== null &&
    !Array.isArray(value) &&
    !(value instanceof FieldFailure) &&
    !(value instanceof JsonText)
  );
}

/** Whether an object type belongs to an interface or union. */
export type TypeOrder = { is(typeName: string, of: string): boolean };

/**
 * Joins what another answer says of the same object: values win over what is missing, objects are joined deeply, and
 * a type wins over the interface that the object was known by so far.
 */
export function mergeInto(target: DataObject, source: DataObject, types: TypeOrder): void {
  for (const key in source) mergeKey(target, key, source[key], types);
}

function mergeKey(target: DataObject, key: string | number, value: unknown, types: TypeOrder): void {
  const known = target[key];
  if (key === "__typename" && typeof known === "string" && typeof value === "string") {
    if (known !== value && types.is(value, known)) target[key] = value;
  } else if (known === undefined || known === null) {
    target[key] = value;
  } else if (known instanceof FieldFailure) {
    if (value !== undefined && value !== null) target[key] = value;
  } else if (Array.isArray(known) && Array.isArray(value)) {
    for (const index of known.keys()) mergeKey(known as unknown as DataObject, index, value[index], types);
  } else if (isObject(known) && isObject(value) && known !== value) {
    mergeInto(known, value, types);
  }
}

/** A copy that shares nothing but what never changes. */
export function copyOf<T>(value: T): T {
  if (Array.isArray(value)) return value.map(copyOf) as T;
  if (!isObject(value)) return value;
  const copy: DataObject = {};
  for (const key in value) copy[key] = copyOf(value[key]);
  return copy as T;
}

/** Puts a failure of an object where its fields have no value: with each field what was lost below it. */
export function failFields(target: DataObject, keys: readonly string[], failure: FieldFailure): void {
  for (const key of keys) {
    if (target[key] === undefined || target[key] === null) target[key] = failure.at(key);
  }
}
