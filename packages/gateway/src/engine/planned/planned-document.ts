import {
  type DirectiveNode,
  type DocumentNode,
  type FieldNode,
  type FragmentDefinitionNode,
  type GraphQLCompositeType,
  type GraphQLNamedType,
  type GraphQLSchema,
  getNamedType,
  type InlineFragmentNode,
  isAbstractType,
  isCompositeType,
  isObjectType,
  isUnionType,
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
 * its name, gets a key of its own, one for each alias, name and arguments: keys of clients then never stand where the
 * planner, services or JavaScript expect others (`id`, `__proto__`), and never differ in meaning from type to type.
 */
export class PlannedDocument {
  readonly #schema: GraphQLSchema;
  readonly #fragments: ReadonlyMap<string, FragmentDefinitionNode>;
  /** Keys by alias, field name and arguments: two aliases share nothing, or one would be lost with the other. */
  readonly #keys = new Map<string, string>();
  /** The field name and arguments that each field name stands for as a key. */
  readonly #plain = new Map<string, string>();

  constructor(schema: GraphQLSchema, { definitions }: DocumentNode) {
    this.#schema = schema;
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
    const aliased = `${alias?.value ?? ""}:${written}`;
    const known = this.#keys.get(aliased);
    if (known !== undefined) return known;
    const key = `_q${this.#keys.size}`;
    this.#keys.set(aliased, key);
    return key;
  }

  /**
   * The operation's text for the planner, with what the conditions include: nothing depends on `@skip` and `@include`
   * any more, fragments are written out, and what the gateway answers itself is gone. Null when nothing is left.
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
    const root = this.#schema.getRootType(operation.operation);
    const below = new PlannedSelections(this, this.#schema, conditions);
    const selections = fields.map((node) => below.field(node, root));
    const selectionSet: SelectionSetNode = { kind: Kind.SELECTION_SET, selections };
    return print({ ...operation, selectionSet });
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

/** Interfaces and unions with more types in common are left to the planner. */
const maxWrittenOut = 16;

/**
 * Selections below the root as they are planned: without named fragments, and without fragments that always or never
 * apply, or that an interface or union puts on another. The planner finds no way through some of those.
 */
class PlannedSelections {
  readonly #document: PlannedDocument;
  readonly #schema: GraphQLSchema;
  readonly #conditions: Conditions;

  constructor(document: PlannedDocument, schema: GraphQLSchema, conditions: Conditions) {
    this.#document = document;
    this.#schema = schema;
    this.#conditions = conditions;
  }

  field(node: FieldNode, parent: GraphQLCompositeType | null | undefined): FieldNode {
    const { alias: _, selectionSet, ...plain } = node;
    const key = this.#document.keyOf(node);
    const type =
      parent !== null && parent !== undefined && "getFields" in parent
        ? getNamedType(parent.getFields()[node.name.value]?.type)
        : undefined;
    return {
      ...plain,
      directives: otherDirectives(node.directives),
      ...(key === node.name.value ? {} : { alias: { kind: Kind.NAME, value: key } as const }),
      ...(selectionSet !== undefined && isCompositeType(type)
        ? { selectionSet: this.#set(selectionSet, type) }
        : {}),
    };
  }

  /** An object of which nothing is selected is still one: its type stands for it. */
  #set(set: SelectionSetNode, parent: GraphQLCompositeType): SelectionSetNode {
    const kept = this.#selections(set, parent);
    const alone = kept.some(({ kind }) => kind === Kind.FIELD) ? kept : [...kept, typename];
    return { kind: Kind.SELECTION_SET, selections: alone };
  }

  #selections({ selections }: SelectionSetNode, parent: GraphQLCompositeType): SelectionNode[] {
    return selections.flatMap((node): SelectionNode[] => {
      if (!isIncluded(node.directives, this.#conditions)) return [];
      if (node.kind === Kind.FIELD) return [this.field(node, parent)];
      const fragment =
        node.kind === Kind.INLINE_FRAGMENT ? node : this.#document.fragments.get(node.name.value);
      if (fragment === undefined) return [];
      const condition = fragment.typeCondition?.name.value ?? parent.name;
      return this.#narrow(fragment.selectionSet, parent, this.#schema.getType(condition));
    });
  }

  #narrow(
    set: SelectionSetNode,
    parent: GraphQLCompositeType,
    type: GraphQLNamedType | undefined,
  ): SelectionNode[] {
    if (!isCompositeType(type)) return [];
    const always = isAbstractType(type) && !isUnionType(parent) && this.#schema.isSubType(type, parent);
    if (type === parent || always) return this.#selections(set, parent);
    if (isObjectType(parent)) return [];
    if (isObjectType(type)) return [this.#on(type, set)];
    const members = this.#schema
      .getPossibleTypes(parent)
      .filter((member) => this.#schema.isSubType(type, member));
    return members.length > maxWrittenOut
      ? [this.#on(type, set)]
      : members.map((member) => this.#on(member, set));
  }

  #on(type: GraphQLCompositeType, set: SelectionSetNode): InlineFragmentNode {
    const name = { kind: Kind.NAME, value: type.name } as const;
    return {
      kind: Kind.INLINE_FRAGMENT,
      typeCondition: { kind: Kind.NAMED_TYPE, name },
      selectionSet: this.#set(set, type),
    };
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
