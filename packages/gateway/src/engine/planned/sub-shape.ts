import { type FragmentDefinitionNode, Kind, parse, type SelectionSetNode } from "graphql";
import { type DataObject, isObject } from "./data.ts";

/** What a service was asked for: the keys of an object, each with those below it; null for a leaf. */
export type SubShape = ReadonlyMap<string, SubShape | null>;

/** The keys at the top of what was asked for: those of objects of any type, and those of some types alone. */
export type KeysByType = readonly { readonly type: string | null; readonly keys: readonly string[] }[];

/** What an operation of a plan asks for. */
export class AskedFor {
  readonly shape: SubShape;
  readonly #fragments = new Map<string, FragmentDefinitionNode>();
  readonly #top: SelectionSetNode | undefined;

  constructor(operation: string) {
    const { definitions } = parse(operation, { noLocation: true });
    for (const node of definitions) {
      if (node.kind === Kind.FRAGMENT_DEFINITION) this.#fragments.set(node.name.value, node);
    }
    this.#top = definitions.find((node) => node.kind === Kind.OPERATION_DEFINITION)?.selectionSet;
    this.shape = this.#top === undefined ? new Map() : this.#shapeOf([this.#top]);
  }

  /** The keys at the top, or below the field with this response key: what is missing when the request fails. */
  keys(field: string | null): KeysByType {
    const byType = new Map<string | null, Set<string>>();
    for (const set of field === null ? [this.#top] : this.#below(field)) {
      if (set !== undefined) this.#collectKeys(set, null, byType);
    }
    return [...byType].map(([type, keys]) => ({ type, keys: [...keys] }));
  }

  #below(field: string): SelectionSetNode[] {
    return (this.#top?.selections ?? []).flatMap((node) =>
      node.kind === Kind.FIELD && responseKey(node) === field && node.selectionSet !== undefined
        ? [node.selectionSet]
        : [],
    );
  }

  #shapeOf(sets: readonly SelectionSetNode[]): SubShape {
    const below = new Map<string, SelectionSetNode[]>();
    const open = [...sets];
    for (let set = open.pop(); set !== undefined; set = open.pop()) {
      for (const node of set.selections) {
        if (node.kind !== Kind.FIELD) {
          const fragment = node.kind === Kind.INLINE_FRAGMENT ? node : this.#fragments.get(node.name.value);
          if (fragment !== undefined) open.push(fragment.selectionSet);
          continue;
        }
        const known = below.get(responseKey(node)) ?? [];
        if (node.selectionSet !== undefined) known.push(node.selectionSet);
        below.set(responseKey(node), known);
      }
    }
    return new Map([...below].map(([key, inner]) => [key, inner.length === 0 ? null : this.#shapeOf(inner)]));
  }

  #collectKeys(set: SelectionSetNode, type: string | null, byType: Map<string | null, Set<string>>): void {
    for (const node of set.selections) {
      if (node.kind === Kind.FIELD) {
        byType.set(type, (byType.get(type) ?? new Set()).add(responseKey(node)));
        continue;
      }
      const fragment = node.kind === Kind.INLINE_FRAGMENT ? node : this.#fragments.get(node.name.value);
      if (fragment === undefined) continue;
      this.#collectKeys(fragment.selectionSet, fragment.typeCondition?.name.value ?? type, byType);
    }
  }
}

/** Takes out of an answer what was not asked for: a service must not speak for the fields of others. */
export function prune(value: unknown, shape: SubShape): void {
  if (Array.isArray(value)) {
    for (const element of value) prune(element, shape);
  } else if (isObject(value)) {
    for (const key in value) pruneKey(value, key, shape.get(key));
  }
}

function pruneKey(holder: DataObject, key: string, shape: SubShape | null | undefined): void {
  if (shape === undefined) delete holder[key];
  else if (shape !== null) prune(holder[key], shape);
}

function responseKey(node: {
  readonly name: { readonly value: string };
  readonly alias?: { readonly value: string } | undefined;
}): string {
  return (node.alias ?? node.name).value;
}
