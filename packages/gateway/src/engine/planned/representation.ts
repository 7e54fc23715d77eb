import type { RequiresSelection } from "@graphql-hive/router-query-planner";
import { type DataObject, isObject } from "./data.ts";
import { FieldFailure } from "./field-failure.ts";
import type { PossibleTypes } from "./possible-types.ts";

/**
 * What a service needs to know of an entity, as JSON; null when there is nothing to know it by; the failure when
 * what is needed could not be had.
 */
export function representationOf(
  entity: DataObject,
  requires: readonly RequiresSelection[],
  types: PossibleTypes,
): DataObject | FieldFailure | null {
  const representation: DataObject = {};
  const failure = project(entity, requires, types, representation);
  if (failure !== null) return failure;
  for (const key in representation) {
    if (key === "__typename" || representation[key] === null) continue;
    representation["__typename"] ??= entity["__typename"];
    return representation;
  }
  return null;
}

function project(
  source: DataObject,
  requires: readonly RequiresSelection[],
  types: PossibleTypes,
  into: DataObject,
): FieldFailure | null {
  for (const selection of requires) {
    if (selection.kind === "InlineFragment") {
      const name = source["__typename"];
      if (typeof name === "string" && !types.is(name, selection.typeCondition)) continue;
      const failure = project(source, selection.selections, types, into);
      if (failure !== null) return failure;
    } else if (selection.kind === "Field") {
      const value = source[selection.name];
      if (value === undefined) continue;
      if (value instanceof FieldFailure) return value;
      const part =
        selection.selections === undefined || selection.selections.length === 0
          ? value
          : partOf(value, selection.selections, types);
      if (part instanceof FieldFailure) return part;
      into[selection.alias ?? selection.name] = part;
    }
  }
  return null;
}

function partOf(value: unknown, requires: readonly RequiresSelection[], types: PossibleTypes): unknown {
  if (value instanceof FieldFailure) return value;
  if (Array.isArray(value)) {
    const parts = value.map((element) => partOf(element, requires, types));
    return parts.find((part) => part instanceof FieldFailure) ?? parts;
  }
  if (!isObject(value)) return value;
  const part: DataObject = {};
  return project(value, requires, types, part) ?? part;
}
