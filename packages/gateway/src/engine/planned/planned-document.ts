import {
  type DirectiveNode,
  type DocumentNode,
  type FieldNode,
  type FragmentDefinitionNode,
  type FragmentSpreadNode,
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
import { OperationTooLarge } from "../plan-failure.ts";

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
  /** Field names that are no keys of clients in any case. */
  readonly #neverPlain: ReadonlySet<string>;

  constructor(schema: GraphQLSchema, { definitions }: DocumentNode, neverPlain: ReadonlySet<string>) {
    this.#schema = schema;
    this.#neverPlain = neverPlain;
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
    if ((alias === undefined || alias.value === name.value) && !this.#neverPlain.has(name.value)) {
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
   * Throws {@link OperationTooLarge}.
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
    const write = (mostMembers: number) => {
      const below = new PlannedSelections(this, this.#schema, conditions, mostMembers);
      return print({ ...operation, selectionSet: below.root(fields, root) });
    };
    try {
      return write(maxMembers);
    } catch (error) {
      if (error instanceof OperationTooLarge) return write(0);
      throw error;
    }
  }

  /** The fields that are fetched for the root, in order, its fragments written out. */
  rootFields(
    { selections }: SelectionSetNode,
    conditions: Conditions,
    spread: Set<string> = new Set(),
  ): FieldNode[] {
    return selections.flatMap((node): FieldNode[] => {
      if (!isIncluded(node.directives, conditions)) return [];
      if (node.kind === Kind.FIELD) return ownFields.has(node.name.value) ? [] : [node];
      const set = this.selectionsOf(node, spread);
      return set === null ? [] : this.rootFields(set, conditions, spread);
    });
  }

  /** What a fragment selects; null when it was spread before, where that says nothing new. */
  selectionsOf(node: InlineFragmentNode | FragmentSpreadNode, spread: Set<string>): SelectionSetNode | null {
    if (node.kind === Kind.INLINE_FRAGMENT) return node.selectionSet;
    if (spread.has(node.name.value)) return null;
    spread.add(node.name.value);
    return this.#fragments.get(node.name.value)?.selectionSet ?? null;
  }
}

/** What the gateway answers itself. */
const ownFields = new Set(["__typename", "__schema", "__type"]);

/** Interfaces and unions with more types in common are left to the planner. */
const maxMembers = 16;
/** Fields of one operation as it is planned: fragments multiply with the types that they are written out for. */
const maxFields = 10_000;

/** What stands at one place of an answer: fields by their keys, and what fragments add for some types. */
type Level = {
  readonly fields: Map<string, FieldNode[]>;
  readonly types: Map<GraphQLCompositeType, SelectionSetNode[]>;
  readonly spread: Set<string>;
};

/**
 * Selections below the root as they are planned: merged, without named fragments, and without fragments that always
 * or never apply, or that an interface or union puts on another. The planner finds no way through some of those.
 */
class PlannedSelections {
  readonly #document: PlannedDocument;
  readonly #schema: GraphQLSchema;
  readonly #conditions: Conditions;
  readonly #mostMembers: number;
  #left = maxFields;

  constructor(document: PlannedDocument, schema: GraphQLSchema, conditions: Conditions, mostMembers: number) {
    this.#document = document;
    this.#schema = schema;
    this.#conditions = conditions;
    this.#mostMembers = mostMembers;
  }

  root(fields: readonly FieldNode[], type: GraphQLCompositeType | null | undefined): SelectionSetNode {
    const set: SelectionSetNode = { kind: Kind.SELECTION_SET, selections: fields };
    return type === null || type === undefined ? set : this.#set([set], type);
  }

  /** An object of which nothing is selected is still one: its type stands for it. */
  #set(sets: readonly SelectionSetNode[], parent: GraphQLCompositeType): SelectionSetNode {
    const level: Level = { fields: new Map(), types: new Map(), spread: new Set() };
    for (const set of sets) this.#collect(set, parent, level);
    const fields = [...level.fields.values()].flatMap((nodes) => this.#field(nodes, parent));
    if (fields.length === 0) fields.push(typename);
    const fragments = [...level.types].map(([type, inner]) => this.#on(type, inner));
    return { kind: Kind.SELECTION_SET, selections: [...fields, ...fragments] };
  }

  #field(nodes: readonly FieldNode[], parent: GraphQLCompositeType): FieldNode[] {
    const [node] = nodes;
    if (node === undefined) return [];
    this.#left -= 1;
    if (this.#left < 0) throw new OperationTooLarge();
    const { alias: _, selectionSet: __, ...plain } = node;
    const key = this.#document.keyOf(node);
    const field = "getFields" in parent ? parent.getFields()[node.name.value] : undefined;
    const type = getNamedType(field?.type);
    const sets = nodes.flatMap(({ selectionSet }) => selectionSet ?? []);
    return [
      {
        ...plain,
        directives: otherDirectives(node.directives),
        ...(key === node.name.value ? {} : { alias: { kind: Kind.NAME, value: key } as const }),
        ...(sets.length > 0 && isCompositeType(type) ? { selectionSet: this.#set(sets, type) } : {}),
      },
    ];
  }

  #collect({ selections }: SelectionSetNode, parent: GraphQLCompositeType, level: Level): void {
    for (const node of selections) {
      if (!isIncluded(node.directives, this.#conditions)) continue;
      if (node.kind === Kind.FIELD) {
        const key = this.#document.keyOf(node);
        const nodes = level.fields.get(key);
        if (nodes === undefined) level.fields.set(key, [node]);
        else nodes.push(node);
        continue;
      }
      const set = this.#document.selectionsOf(node, level.spread);
      if (set === null) continue;
      const fragment =
        node.kind === Kind.INLINE_FRAGMENT ? node : this.#document.fragments.get(node.name.value);
      const condition = fragment?.typeCondition?.name.value ?? parent.name;
      this.#narrow(set, parent, this.#schema.getType(condition), level);
    }
  }

  #narrow(
    set: SelectionSetNode,
    parent: GraphQLCompositeType,
    type: GraphQLNamedType | undefined,
    level: Level,
  ): void {
    if (!isCompositeType(type)) return;
    const always = isAbstractType(type) && !isUnionType(parent) && this.#schema.isSubType(type, parent);
    if (type === parent || always) this.#collect(set, parent, level);
    else if (isObjectType(type)) {
      if (!isObjectType(parent)) addTo(level.types, type, set);
    } else if (!isObjectType(parent)) {
      const members = this.#schema
        .getPossibleTypes(parent)
        .filter((member) => this.#schema.isSubType(type, member));
      if (members.length > this.#mostMembers) addTo(level.types, type, set);
      else for (const member of members) addTo(level.types, member, set);
    }
  }

  #on(type: GraphQLCompositeType, sets: readonly SelectionSetNode[]): InlineFragmentNode {
    const name = { kind: Kind.NAME, value: type.name } as const;
    return {
      kind: Kind.INLINE_FRAGMENT,
      typeCondition: { kind: Kind.NAMED_TYPE, name },
      selectionSet: this.#set(sets, type),
    };
  }
}

function addTo(
  types: Map<GraphQLCompositeType, SelectionSetNode[]>,
  type: GraphQLCompositeType,
  set: SelectionSetNode,
): void {
  const sets = types.get(type);
  if (sets === undefined) types.set(type, [set]);
  else sets.push(set);
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
