import {
  type DocumentNode,
  type FieldNode,
  type FragmentDefinitionNode,
  Kind,
  type OperationDefinitionNode,
  print,
  type SelectionNode,
  type SelectionSetNode,
  visit,
} from "graphql";

/**
 * A client's operation as it is planned. Every field that has an alias, or that has other arguments than the first of
 * its name, gets a key of its own, one for each field name and arguments: keys of clients then never stand where the
 * planner, services or JavaScript expect others (`id`, `__typename`, `__proto__`), and never differ in meaning from
 * type to type.
 */
export class PlannedDocument {
  /** Keys by field name and arguments. */
  readonly #keys = new Map<string, string>();
  /** The field name and arguments that each field name stands for as a key. */
  readonly #plain = new Map<string, string>();

  /** The key in the data of services under which a field of the client's operation stands. */
  keyOf({ name, alias, arguments: args = [] }: FieldNode): string {
    const written = args.length === 0 ? name.value : `${name.value}(${args.map(print).sort().join(", ")})`;
    if (alias === undefined || alias.value === name.value) {
      const plain = this.#plain.get(name.value);
      if (plain === undefined) this.#plain.set(name.value, written);
      if (plain === undefined || plain === written) return name.value;
    }
    const known = this.#keys.get(written);
    if (known !== undefined) return known;
    const key = `_q${this.#keys.size}`;
    this.#keys.set(written, key);
    return key;
  }

  /** The fields of the root, in order: those with one key in the answer together. */
  rootGroups(document: DocumentNode, operation: OperationDefinitionNode): SelectionNode[][] {
    const groups = new Map<string, SelectionNode[]>();
    const fragments = fragmentsOf(document);
    const walk = ({ selections }: SelectionSetNode, wrap: (node: SelectionNode) => SelectionNode) => {
      for (const node of selections) {
        if (node.kind === Kind.FIELD) {
          const key = (node.alias ?? node.name).value;
          groups.set(key, [...(groups.get(key) ?? []), wrap(node)]);
          continue;
        }
        const fragment = node.kind === Kind.INLINE_FRAGMENT ? node : fragments.get(node.name.value);
        if (fragment !== undefined) walk(fragment.selectionSet, (inner) => wrap(within(node, inner)));
      }
    };
    walk(operation.selectionSet, (node) => node);
    return [...groups.values()];
  }

  /** The operation's text for the planner: without what the gateway answers itself; null when nothing is left. */
  print(document: DocumentNode, operation: OperationDefinitionNode): string | null {
    const rootless = withoutOwnFields(document, operation);
    if (rootless === null) return null;
    return print(
      visit(rootless, {
        Field: (node) => {
          const key = this.keyOf(node);
          if (key === node.name.value) {
            const { alias: _, ...plain } = node;
            return plain;
          }
          return { ...node, alias: { kind: Kind.NAME, value: key } };
        },
      }),
    );
  }
}

const ownFields = new Set(["__typename", "__schema", "__type"]);

/** Takes `__typename`, `__schema` and `__type` from the root, with fragments there written out. */
function withoutOwnFields(document: DocumentNode, operation: OperationDefinitionNode): DocumentNode | null {
  const fragments = fragmentsOf(document);
  const strip = ({ selections }: SelectionSetNode): SelectionNode[] =>
    selections.flatMap((node): SelectionNode[] => {
      if (node.kind === Kind.FIELD) return ownFields.has(node.name.value) ? [] : [node];
      const fragment = node.kind === Kind.INLINE_FRAGMENT ? node : fragments.get(node.name.value);
      const rest = fragment === undefined ? [] : strip(fragment.selectionSet);
      if (rest.length === 0) return [];
      return (node.directives ?? []).length === 0 ? rest : [within(node, ...rest)];
    });
  const selections = strip(operation.selectionSet);
  if (selections.length === 0) return null;
  const stripped: OperationDefinitionNode = {
    ...operation,
    selectionSet: { kind: Kind.SELECTION_SET, selections },
  };
  return withReachableFragments(document, stripped);
}

/** Fragments by their names. */
export function fragmentsOf({ definitions }: DocumentNode): Map<string, FragmentDefinitionNode> {
  return new Map(
    definitions.flatMap((node) =>
      node.kind === Kind.FRAGMENT_DEFINITION ? [[node.name.value, node] as const] : [],
    ),
  );
}

/** Selections under the conditions of the fragment that they come from. */
function within(fragment: SelectionNode, ...selections: SelectionNode[]): SelectionNode {
  const selectionSet: SelectionSetNode = { kind: Kind.SELECTION_SET, selections };
  return { kind: Kind.INLINE_FRAGMENT, directives: fragment.directives ?? [], selectionSet };
}

/** The operation and the fragments that it still uses: a planner sees no variable that nobody declares. */
function withReachableFragments(document: DocumentNode, operation: OperationDefinitionNode): DocumentNode {
  const used = new Set<string>();
  const open: (OperationDefinitionNode | DocumentNode["definitions"][number])[] = [operation];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    visit(next, {
      FragmentSpread: ({ name }) => {
        if (used.has(name.value)) return;
        used.add(name.value);
        const found = document.definitions.find(
          (node) => node.kind === Kind.FRAGMENT_DEFINITION && node.name.value === name.value,
        );
        if (found !== undefined) open.push(found);
      },
    });
  }
  const fragments = document.definitions.filter(
    (node) => node.kind === Kind.FRAGMENT_DEFINITION && used.has(node.name.value),
  );
  return { kind: Kind.DOCUMENT, definitions: [operation, ...fragments] };
}
