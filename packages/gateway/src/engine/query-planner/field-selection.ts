import { type ArgumentNode, Kind, print, type SelectionSetNode, type ValueNode } from "graphql";

/** A field that is wanted: its key in the data, and all that a service needs to know of it. */
export type FieldSelection = {
  readonly key: string;
  readonly name: string;
  /** As they are written, with their parentheses; empty when there are none. */
  readonly args: string;
  /** Variables in the arguments. */
  readonly variables: readonly string[];
  /** Null for a leaf. */
  readonly below: Selection | null;
};

/** What is wanted of an object: fields in any case, and more where its type is another one. */
export type Selection = {
  readonly fields: readonly FieldSelection[];
  readonly fragments: readonly TypeSelection[];
};
export type TypeSelection = { readonly type: string; readonly selection: Selection };

/** The selection of some fields without fragments. */
export function fieldsOnly(...fields: readonly FieldSelection[]): Selection {
  return { fields, fragments: [] };
}

/** Both; null when both are. */
export function together(one: Selection | null, other: Selection | null): Selection | null {
  if (one === null || other === null) return one ?? other;
  return { fields: [...one.fields, ...other.fields], fragments: [...one.fragments, ...other.fragments] };
}

/**
 * The same, apart: what is wanted in any case, what is wanted of some types alone, and fields of which some types want
 * more than others. Those have to be taken for each type by itself, or they would be taken twice of some.
 */
export function apart({ fields, fragments }: Selection): {
  readonly alike: readonly FieldSelection[];
  readonly byType: readonly FieldSelection[];
  readonly fragments: readonly TypeSelection[];
} {
  if (fragments.length === 0) return { alike: fields, byType: [], fragments };
  const more = new Set<string>();
  for (const { selection } of fragments) addKeys(selection, more);
  const twice = fields.filter(({ key }) => more.has(key));
  if (twice.length === 0) return { alike: fields, byType: [], fragments };
  const leaves = new Set(twice.flatMap(({ key, below }) => (below === null ? [key] : [])));
  return {
    alike: fields.filter((field) => field.below === null || !twice.includes(field)),
    byType: twice.filter(({ below }) => below !== null),
    fragments: fragments.map((each) => ({ ...each, selection: without(each.selection, leaves) })),
  };
}

function addKeys({ fields, fragments }: Selection, keys: Set<string>): void {
  for (const { key } of fields) keys.add(key);
  for (const { selection } of fragments) addKeys(selection, keys);
}

function without({ fields, fragments }: Selection, keys: ReadonlySet<string>): Selection {
  return {
    fields: fields.filter(({ key }) => !keys.has(key)),
    fragments: fragments.map((each) => ({ ...each, selection: without(each.selection, keys) })),
  };
}

/** Reads a selection set. Named fragments are written out in all that is planned. */
export function readSelection({ selections }: SelectionSetNode): Selection {
  const fields: FieldSelection[] = [];
  const fragments: TypeSelection[] = [];
  for (const node of selections) {
    if (node.kind === Kind.FIELD) {
      const { arguments: given = [], selectionSet } = node;
      fields.push({
        key: (node.alias ?? node.name).value,
        name: node.name.value,
        args: writeArguments(given),
        variables: given.length === 0 ? none : variablesIn(given),
        below: selectionSet === undefined ? null : readSelection(selectionSet),
      });
    } else if (node.kind === Kind.INLINE_FRAGMENT && node.typeCondition !== undefined) {
      fragments.push({ type: node.typeCondition.name.value, selection: readSelection(node.selectionSet) });
    }
  }
  return { fields, fragments };
}

const none: readonly string[] = [];

function writeArguments(given: readonly ArgumentNode[]): string {
  return given.length === 0 ? "" : `(${given.map(print).join(", ")})`;
}

function variablesIn(given: readonly ArgumentNode[]): string[] {
  const names = new Set<string>();
  for (const { value } of given) addVariables(value, names);
  return [...names];
}

function addVariables(value: ValueNode, names: Set<string>): void {
  if (value.kind === Kind.VARIABLE) names.add(value.name.value);
  else if (value.kind === Kind.LIST) for (const item of value.values) addVariables(item, names);
  else if (value.kind === Kind.OBJECT) for (const field of value.fields) addVariables(field.value, names);
}
