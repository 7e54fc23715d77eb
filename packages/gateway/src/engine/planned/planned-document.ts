import {
  type DirectiveNode,
  type DocumentNode,
  type FieldNode,
  type FragmentDefinitionNode,
  Kind,
  type OperationDefinitionNode,
  print,
  type SelectionNode,
  type SelectionSetNode,
} from "graphql";

/** Whether a variable that decides over `@skip` and `@include` is true. */
export type Conditions = (variable: string) => boolean;

/**
 * A client's operation as it is planned. Every field that has an alias, or that has other arguments than the first of
 * its name, gets a key of its own, one for each field name and arguments: keys of clients then never stand where the
 * planner, services or JavaScript expect others (`id`, `__proto__`), and never differ in meaning from type to type.
 */
export class PlannedDocument {
  readonly #fragments: ReadonlyMap<string, FragmentDefinitionNode>;
  /** Keys by field name and arguments. */
  readonly #keys = new Map<string, string>();
  /** The field name and arguments that each field name stands for as a key. */
  readonly #plain = new Map<string, string>();

  constructor({ definitions }: DocumentNode) {
    this.#fragments = new Map(
      definitions.flatMap((node) =>
        node.kind === Kind.FRAGMENT_DEFINITION ? [[node.name.value, node] as const] : [],
      ),
    );
  }

  get fragments(): ReadonlyMap<string, FragmentDefinitionNode> {
    return this.#fragments;
  }

  /** The key in the data of services under which a field of the client's operation stands. */
  keyOf({ name, alias, arguments: args = [] }: FieldNode): string {
    if (name.value === "__typename") return name.value;
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

  /**
   * The operation's text for the planner, with what the conditions include: nothing depends on `@skip` and `@include`
   * any more, and what the gateway answers itself is gone. Null when nothing is left.
   */
  print(operation: OperationDefinitionNode, conditions: Conditions): string | null {
    const fields = this.rootFields(operation.selectionSet, conditions);
    return fields.length === 0 ? null : this.printFields(operation, fields, conditions);
  }

  /** The same for some fields of its root. */
  printFields(
    operation: OperationDefinitionNode,
    fields: readonly FieldNode[],
    conditions: Conditions,
  ): string {
    const used = new Map<string, FragmentDefinitionNode>();
    const rest = new PlannedSelections(this, conditions, used);
    const root: OperationDefinitionNode = {
      ...operation,
      selectionSet: { kind: Kind.SELECTION_SET, selections: fields.map((node) => rest.field(node)) },
    };
    // A fragment may use others, which are added behind it.
    const fragments: FragmentDefinitionNode[] = [];
    for (const fragment of used.values()) {
      fragments.push({ ...fragment, selectionSet: rest.set(fragment.selectionSet) });
    }
    return print({ kind: Kind.DOCUMENT, definitions: [root, ...fragments] });
  }

  /** The fields that are fetched for the root, in order, its fragments written out. */
  rootFields({ selections }: SelectionSetNode, conditions: Conditions): FieldNode[] {
    return selections.flatMap((node): FieldNode[] => {
      if (!isIncluded(node.directives, conditions)) return [];
      if (node.kind === Kind.FIELD) return ownFields.has(node.name.value) ? [] : [node];
      const fragment = node.kind === Kind.INLINE_FRAGMENT ? node : this.#fragments.get(node.name.value);
      return fragment === undefined ? [] : this.rootFields(fragment.selectionSet, conditions);
    });
  }
}

/** What the gateway answers itself. */
const ownFields = new Set(["__typename", "__schema", "__type"]);

/** Selections below the root as they are planned. */
class PlannedSelections {
  readonly #document: PlannedDocument;
  readonly #conditions: Conditions;
  readonly #used: Map<string, FragmentDefinitionNode>;

  constructor(document: PlannedDocument, conditions: Conditions, used: Map<string, FragmentDefinitionNode>) {
    this.#document = document;
    this.#conditions = conditions;
    this.#used = used;
  }

  field(node: FieldNode): FieldNode {
    const { alias: _, selectionSet, ...plain } = node;
    const key = this.#document.keyOf(node);
    return {
      ...plain,
      directives: otherDirectives(node.directives),
      ...(key === node.name.value ? {} : { alias: { kind: Kind.NAME, value: key } as const }),
      ...(selectionSet === undefined ? {} : { selectionSet: this.set(selectionSet) }),
    };
  }

  /** An object of which nothing is selected is still one: its type stands for it. */
  set({ selections }: SelectionSetNode): SelectionSetNode {
    const kept = selections.flatMap((node) => this.#selection(node));
    const alone = kept.some(({ kind }) => kind === Kind.FIELD) ? kept : [...kept, typename];
    return { kind: Kind.SELECTION_SET, selections: alone };
  }

  #selection(node: SelectionNode): SelectionNode[] {
    if (!isIncluded(node.directives, this.#conditions)) return [];
    const directives = otherDirectives(node.directives);
    if (node.kind === Kind.FIELD) return [this.field(node)];
    if (node.kind === Kind.INLINE_FRAGMENT) {
      return [{ ...node, directives, selectionSet: this.set(node.selectionSet) }];
    }
    const fragment = this.#document.fragments.get(node.name.value);
    if (fragment === undefined) return [];
    this.#used.set(node.name.value, fragment);
    return [{ ...node, directives }];
  }
}

const typename: FieldNode = { kind: Kind.FIELD, name: { kind: Kind.NAME, value: "__typename" } };

/** Whether `@skip` and `@include` let a selection stand. */
export function isIncluded(directives: SelectionNode["directives"], conditions: Conditions): boolean {
  return (directives ?? []).every(({ name, arguments: args }) => {
    if (name.value !== "skip" && name.value !== "include") return true;
    const value = args?.find((argument) => argument.name.value === "if")?.value;
    const holds =
      value?.kind === Kind.VARIABLE
        ? conditions(value.name.value)
        : value?.kind === Kind.BOOLEAN && value.value;
    return name.value === "include" ? holds : !holds;
  });
}

function otherDirectives(directives: SelectionNode["directives"]): readonly DirectiveNode[] {
  return (directives ?? []).filter(({ name }) => name.value !== "skip" && name.value !== "include");
}
