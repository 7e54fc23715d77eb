import {
  type FieldNode,
  type GraphQLCompositeType,
  type GraphQLOutputType,
  type GraphQLSchema,
  isAbstractType,
  isCompositeType,
  isInterfaceType,
  isListType,
  isNonNullType,
  isObjectType,
  Kind,
  type SelectionSetNode,
} from "graphql";
import type { Scan } from "./json-scan.ts";
import { type LeafReader, leafReader, leafScan } from "./leaf.ts";
import { type Conditions, isIncluded, type PlannedDocument } from "./planned-document.ts";

/** What a client's operation makes of an object of one type: its fields in the order of the answer. */
export type ObjectSelection = {
  readonly typeName: string;
  readonly fields: readonly SelectedField[];
};

export type SelectedField = {
  /** The key in the client's answer. */
  readonly key: string;
  /** The key in the data of services. */
  readonly source: string;
  /** Name of the field in the schema. */
  readonly name: string;
  readonly output: Output;
};

/** How a value becomes part of the answer. */
export type Output = { readonly nonNull: boolean } & (
  | { readonly kind: "leaf"; readonly read: LeafReader; readonly scan: Scan }
  | { readonly kind: "list"; readonly element: Output }
  /** Always an object of this type. */
  | { readonly kind: "object"; readonly selection: ObjectSelection }
  /** One of several types: the selection by the name that came with the object. */
  | { readonly kind: "abstract"; readonly byType: SelectionsByType }
  /** The name of the type that the object has. */
  | { readonly kind: "typename" }
  /** What the gateway answers itself, about its schema. */
  | { readonly kind: "introspection" }
);

export type SelectionParts = {
  readonly schema: GraphQLSchema;
  readonly planned: PlannedDocument;
  readonly conditions: Conditions;
};

/** Selects from an object (GraphQL, "Field Collection" and "Merging Selection Sets"), all at once and ahead of time. */
export function selectFrom(
  parts: SelectionParts,
  type: GraphQLCompositeType,
  sets: readonly SelectionSetNode[],
): ObjectSelection {
  const collected = new Map<string, FieldNode[]>();
  collect(parts, type, sets, collected, new Set());
  const fields = [...collected].flatMap(([key, nodes]) => selectField(parts, type, key, nodes) ?? []);
  return { typeName: type.name, fields };
}

/** The selections of an interface or union, each made when its type is met for the first time. */
export class SelectionsByType {
  readonly #parts: SelectionParts;
  readonly #type: GraphQLCompositeType;
  readonly #sets: readonly SelectionSetNode[];
  readonly #made = new Map<string, ObjectSelection | null>();

  constructor(parts: SelectionParts, type: GraphQLCompositeType, sets: readonly SelectionSetNode[]) {
    this.#parts = parts;
    this.#type = type;
    this.#sets = sets;
  }

  get typeName(): string {
    return this.#type.name;
  }

  /**
   * The selection from an object whose type has this name; null when it cannot stand here. An object that is known
   * by its interface alone is read as that, where nothing is selected that depends on its type.
   */
  get(typeName: unknown): ObjectSelection | null {
    const name = typeof typeName === "string" ? typeName : this.#type.name;
    const made = this.#made.get(name);
    if (made !== undefined) return made;
    const selection = this.#make(name);
    this.#made.set(name, selection);
    return selection;
  }

  /** Those of every type that may stand here. */
  all(): ObjectSelection[] {
    const { schema } = this.#parts;
    const types = isAbstractType(this.#type) ? schema.getPossibleTypes(this.#type) : [];
    return types.flatMap(({ name }) => this.get(name) ?? []);
  }

  #make(name: string): ObjectSelection | null {
    const { schema } = this.#parts;
    if (name === this.#type.name) {
      if (!isInterfaceType(this.#type) || dependsOnType(this.#parts, this.#type, this.#sets)) return null;
      return selectFrom(this.#parts, this.#type, this.#sets);
    }
    const type = schema.getType(name);
    const fits = isObjectType(type) && isAbstractType(this.#type) && schema.isSubType(this.#type, type);
    return fits ? selectFrom(this.#parts, type, this.#sets) : null;
  }
}

function collect(
  parts: SelectionParts,
  type: GraphQLCompositeType,
  sets: readonly SelectionSetNode[],
  fields: Map<string, FieldNode[]>,
  spread: Set<string>,
): void {
  for (const { selections } of sets) {
    for (const node of selections) {
      if (!isIncluded(node.directives, parts.conditions)) continue;
      if (node.kind === Kind.FIELD) {
        const key = (node.alias ?? node.name).value;
        const nodes = fields.get(key);
        if (nodes === undefined) fields.set(key, [node]);
        else nodes.push(node);
        continue;
      }
      if (node.kind === Kind.FRAGMENT_SPREAD) {
        if (spread.has(node.name.value)) continue;
        spread.add(node.name.value);
      }
      const fragment =
        node.kind === Kind.INLINE_FRAGMENT ? node : parts.planned.fragments.get(node.name.value);
      if (fragment === undefined) continue;
      const condition = fragment.typeCondition?.name.value;
      if (condition !== undefined && !applies(parts.schema, type, condition)) continue;
      collect(parts, type, [fragment.selectionSet], fields, spread);
    }
  }
}

/** Whether objects of one type get other fields than those of another. */
function dependsOnType(
  parts: SelectionParts,
  type: GraphQLCompositeType,
  sets: readonly SelectionSetNode[],
  spread: Set<string> = new Set(),
): boolean {
  return sets.some(({ selections }) =>
    selections.some((node) => {
      if (!isIncluded(node.directives, parts.conditions)) return false;
      if (node.kind === Kind.FIELD) return node.name.value === "__typename";
      const set = parts.planned.selectionsOf(node, spread);
      if (set === null) return false;
      const fragment =
        node.kind === Kind.INLINE_FRAGMENT ? node : parts.planned.fragments.get(node.name.value);
      const condition = fragment?.typeCondition?.name.value;
      if (condition !== undefined && !applies(parts.schema, type, condition)) return true;
      return dependsOnType(parts, type, [set], spread);
    }),
  );
}

function applies(schema: GraphQLSchema, type: GraphQLCompositeType, condition: string): boolean {
  if (type.name === condition) return true;
  const other = schema.getType(condition);
  return (
    isAbstractType(other) && (isObjectType(type) || isInterfaceType(type)) && schema.isSubType(other, type)
  );
}

function selectField(
  parts: SelectionParts,
  parent: GraphQLCompositeType,
  key: string,
  nodes: readonly FieldNode[],
): SelectedField | null {
  const [first] = nodes;
  if (first === undefined) return null;
  const name = first.name.value;
  const source = parts.planned.keyOf(first);
  if (name === "__typename") return { key, source, name, output: { kind: "typename", nonNull: true } };
  if (name === "__schema" || name === "__type") {
    return { key, source, name, output: { kind: "introspection", nonNull: false } };
  }
  const field = "getFields" in parent ? parent.getFields()[name] : undefined;
  if (field === undefined) return null;
  const sets = nodes.flatMap(({ selectionSet }) => selectionSet ?? []);
  return { key, source, name, output: outputOf(parts, field.type, sets) };
}

function outputOf(
  parts: SelectionParts,
  type: GraphQLOutputType,
  sets: readonly SelectionSetNode[],
  nonNull = false,
): Output {
  if (isNonNullType(type)) return outputOf(parts, type.ofType, sets, true);
  if (isListType(type)) return { kind: "list", nonNull, element: outputOf(parts, type.ofType, sets) };
  if (!isCompositeType(type)) return { kind: "leaf", nonNull, read: leafReader(type), scan: leafScan(type) };
  if (isObjectType(type)) return { kind: "object", nonNull, selection: selectFrom(parts, type, sets) };
  return { kind: "abstract", nonNull, byType: new SelectionsByType(parts, type, sets) };
}
