import type { RequiresSelection } from "@graphql-hive/router-query-planner";
import { type DataObject, isObject } from "./data.ts";
import { FieldFailure } from "./field-failure.ts";
import type { Rewrite } from "./plan.ts";
import { applyRewrites } from "./rewrites.ts";
import type { TypeMembership } from "./type-membership.ts";

/** Fields of one type without anything below them: what nearly every key is. */
type FlatKey = {
  readonly type: string;
  readonly fields: readonly { readonly name: string; readonly written: string }[];
  /** By type name, how a representation begins. */
  readonly heads: Map<string, string>;
};

/** Writes what a service needs to know of an entity. */
export class RepresentationWriter {
  /** The fields that it writes. */
  readonly requires: readonly RequiresSelection[];
  readonly #rewrites: readonly Rewrite[];
  readonly #flat: FlatKey | null;

  constructor(requires: readonly RequiresSelection[], rewrites: readonly Rewrite[]) {
    this.requires = requires;
    this.#rewrites = rewrites;
    this.#flat = rewrites.length === 0 ? flatKeyOf(requires) : null;
  }

  /**
   * JSON, equal for equal entities; null when there is nothing to know the entity by; the failure when what is
   * needed could not be had.
   */
  write(entity: DataObject, types: TypeMembership): string | FieldFailure | null {
    const name = entity["__typename"];
    if (this.#flat !== null && typeof name === "string") return writeFlat(this.#flat, entity, name, types);
    const representation: DataObject = {};
    const failure = project(entity, this.requires, types, representation);
    if (failure !== null) return failure;
    if (Object.keys(representation).every((key) => key === "__typename" || representation[key] === null)) {
      return null;
    }
    representation["__typename"] ??= name;
    applyRewrites(representation, this.#rewrites, types);
    return JSON.stringify(representation);
  }
}

function flatKeyOf(requires: readonly RequiresSelection[]): FlatKey | null {
  const [fragment, ...others] = requires;
  if (fragment?.kind !== "InlineFragment" || others.length > 0) return null;
  const fields: { name: string; written: string }[] = [];
  for (const selection of fragment.selections) {
    if (selection.kind !== "Field" || (selection.selections ?? []).length > 0) return null;
    const { name, alias = name } = selection;
    if (name !== "__typename") fields.push({ name, written: `,${JSON.stringify(alias)}:` });
  }
  return { type: fragment.typeCondition, fields, heads: new Map() };
}

function writeFlat(
  { type, fields, heads }: FlatKey,
  entity: DataObject,
  typeName: string,
  types: TypeMembership,
): string | FieldFailure | null {
  if (!types.is(typeName, type)) return null;
  let head = heads.get(typeName);
  if (head === undefined) {
    head = `{"__typename":${JSON.stringify(typeName)}`;
    heads.set(typeName, head);
  }
  let json = head;
  let known = false;
  for (const { name, written } of fields) {
    const value = entity[name];
    if (value === undefined) continue;
    if (value instanceof FieldFailure) return value;
    json += written + JSON.stringify(value);
    known ||= value !== null;
  }
  return known ? `${json}}` : null;
}

function project(
  source: DataObject,
  requires: readonly RequiresSelection[],
  types: TypeMembership,
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

function partOf(value: unknown, requires: readonly RequiresSelection[], types: TypeMembership): unknown {
  if (value instanceof FieldFailure) return value;
  if (Array.isArray(value)) {
    const parts = value.map((element) => partOf(element, requires, types));
    return parts.find((part) => part instanceof FieldFailure) ?? parts;
  }
  if (!isObject(value)) return value;
  const part: DataObject = {};
  return project(value, requires, types, part) ?? part;
}
