import {
  type FieldNode,
  type FragmentDefinitionNode,
  type GraphQLField,
  type GraphQLOutputType,
  type GraphQLSchema,
  getIntrospectionQuery,
  getNamedType,
  isAbstractType,
  isCompositeType,
  isInterfaceType,
  isIntrospectionType,
  isListType,
  isNonNullType,
  isObjectType,
  Kind,
  type OperationDefinitionNode,
  parse,
  SchemaMetaFieldDef,
  type SelectionSetNode,
  TypeMetaFieldDef,
  TypeNameMetaFieldDef,
  typeFromAST,
  type ValueNode,
} from "graphql";
import { introspected, introspectionSizes, type Reach } from "./introspection-sizes.ts";

export type Variables = Readonly<Record<string, unknown>>;

/** How many fields the answer to an operation may have: a number, or one that depends on its variables. */
export type OperationCost = number | ((variables: Variables) => number);

/** Arguments that say how many items a list has, or the list in the connection that a field gives. */
const sizeArguments: ReadonlySet<string> = new Set(["first", "last", "limit"]);

type Estimate = {
  readonly schema: GraphQLSchema;
  readonly fragments: ReadonlyMap<string, FragmentDefinitionNode>;
  readonly defaults: ReadonlyMap<string, ValueNode | undefined>;
  readonly assumedListSize: number;
  /** Introspected fields so far. */
  introspected: number;
};

/** What the field above says: of lists, how many items they have, or where an introspection stands. */
type Above = { readonly page: OperationCost | null; readonly reach: Reach | null };

/** Introspected fields that count as one: no service is asked for them, but they hold the thread. */
const introspectedPerCost = 4;
/** So many times the fields of an introspection of the whole schema, which tools ask for, are that cheap. */
const wholeWithMargin = 1.5;

/**
 * Estimates a valid operation: each field counts as often as the lists above it have items. A list has as many as its
 * argument says, or `assumedListSize`; lists of an introspection as many as the schema has of what they list. What an
 * introspection asks for beyond the whole of the schema counts like any other field: it is no tool that asks.
 */
export function estimateCost(
  schema: GraphQLSchema,
  operation: OperationDefinitionNode,
  fragments: ReadonlyMap<string, FragmentDefinitionNode>,
  assumedListSize: number,
): OperationCost {
  const defaults = new Map(
    operation.variableDefinitions?.map(({ variable, defaultValue }) => [variable.name.value, defaultValue]),
  );
  const root = schema.getRootType(operation.operation);
  if (root === undefined || root === null) return 0;
  const estimate: Estimate = { schema, fragments, defaults, assumedListSize, introspected: 0 };
  const cost = costOfSelections(estimate, root, [operation.selectionSet], { page: null, reach: null });
  return estimate.introspected === 0 ? cost : plus(cost, costOfIntrospection(schema, estimate.introspected));
}

function costOfIntrospection(schema: GraphQLSchema, fields: number): number {
  const cheap = Math.min(fields, wholeWithMargin * fieldsOfWhole(schema));
  return Math.ceil(cheap / introspectedPerCost + fields - cheap);
}

const wholes = new WeakMap<GraphQLSchema, number>();

/** How many fields an introspection of all that there is has, reckoned once for a schema. */
function fieldsOfWhole(schema: GraphQLSchema): number {
  const known = wholes.get(schema);
  if (known !== undefined) return known;
  const fragments = new Map<string, FragmentDefinitionNode>();
  const estimate: Estimate = { schema, fragments, defaults: new Map(), assumedListSize: 0, introspected: 0 };
  for (const node of wholeIntrospection.definitions) {
    if (node.kind === Kind.FRAGMENT_DEFINITION) fragments.set(node.name.value, node);
  }
  const root = schema.getQueryType();
  for (const node of wholeIntrospection.definitions) {
    if (node.kind !== Kind.OPERATION_DEFINITION || root === null || root === undefined) continue;
    costOfSelections(estimate, root, [node.selectionSet], { page: null, reach: null });
  }
  wholes.set(schema, estimate.introspected);
  return estimate.introspected;
}

const wholeIntrospection = parse(
  getIntrospectionQuery({
    specifiedByUrl: true,
    directiveIsRepeatable: true,
    schemaDescription: true,
    inputValueDeprecation: true,
    oneOf: true,
  }),
);

/** What the selections at one path of the answer cost. */
function costOfSelections(
  estimate: Estimate,
  parent: GraphQLOutputType,
  sets: readonly SelectionSetNode[],
  above: Above,
): OperationCost {
  let cost: OperationCost = 0;
  for (const field of fieldsOf(estimate, parent, sets))
    cost = plus(cost, costOfField(estimate, field, above));
  return cost;
}

function costOfField(estimate: Estimate, field: AskedField, above: Above): OperationCost {
  const { definition, nodes } = field;
  const named = getNamedType(definition.type);
  const sets = nodes.flatMap(({ selectionSet }) => selectionSet ?? []);
  if (!isCompositeType(named) || sets.length === 0) return 1;
  const [items, below] = itemsOf(estimate, field, above);
  const cost = plus(1, times(items, costOfSelections(estimate, named, sets, below)));
  if (definition !== SchemaMetaFieldDef && definition !== TypeMetaFieldDef) return cost;
  estimate.introspected += costWith(cost, {});
  return 0;
}

/** How many items a field with selections has, lists in its lists included, and what it says to those. */
function itemsOf(
  estimate: Estimate,
  { parent, definition, nodes }: AskedField,
  { page, reach }: Above,
): readonly [items: OperationCost, below: Above] {
  if (isIntrospectionType(getNamedType(definition.type))) {
    if (reach === null) {
      // `__type` takes the name of any type; `__schema` begins with all of them.
      const of = definition === TypeMetaFieldDef ? "any" : "every";
      return [1, { page: null, reach: { of, wraps: Number.POSITIVE_INFINITY } }];
    }
    const sizes = introspectionSizes(estimate.schema);
    const [items, below] = introspected(sizes, `${parent}.${definition.name}`, reach);
    return [items, { page: null, reach: below }];
  }
  const lists = listDepth(definition.type);
  const said = nodes[0] === undefined ? null : saidSize(estimate, definition, nodes[0]);
  let items: OperationCost = 1;
  for (let list = 0; list < lists; list++) {
    items = times(items, list === 0 ? (said ?? page ?? estimate.assumedListSize) : estimate.assumedListSize);
  }
  return [items, { page: lists === 0 ? said : null, reach: null }];
}

type AskedField = {
  readonly parent: GraphQLOutputType;
  readonly definition: GraphQLField<unknown, unknown>;
  readonly nodes: FieldNode[];
};

/** The fields of these selection sets and their fragments, each once for each type that it is asked of. */
function fieldsOf(
  { schema, fragments }: Estimate,
  parent: GraphQLOutputType,
  sets: readonly SelectionSetNode[],
): Iterable<AskedField> {
  const fields = new Map<string, AskedField>();
  const spread = new Set<string>();
  const collect = (type: GraphQLOutputType | undefined, set: SelectionSetNode): void => {
    for (const node of set.selections) {
      if (node.kind === Kind.INLINE_FRAGMENT) {
        const condition = node.typeCondition;
        collect(condition === undefined ? type : outputType(schema, condition), node.selectionSet);
      } else if (node.kind === Kind.FRAGMENT_SPREAD) {
        const fragment = fragments.get(node.name.value);
        if (fragment === undefined || spread.has(node.name.value)) continue;
        spread.add(node.name.value);
        collect(outputType(schema, fragment.typeCondition), fragment.selectionSet);
      } else {
        const definition = type === undefined ? undefined : fieldOf(type, node.name.value);
        if (definition === undefined || type === undefined) continue;
        const key = `${isAbstractType(type) ? "" : String(type)}.${(node.alias ?? node.name).value}`;
        const asked = fields.get(key);
        if (asked === undefined) fields.set(key, { parent: type, definition, nodes: [node] });
        else asked.nodes.push(node);
      }
    }
  };
  for (const set of sets) collect(parent, set);
  return fields.values();
}

function fieldOf(type: GraphQLOutputType, name: string): GraphQLField<unknown, unknown> | undefined {
  const meta = [TypeNameMetaFieldDef, SchemaMetaFieldDef, TypeMetaFieldDef].find(
    (field) => field.name === name,
  );
  if (meta !== undefined) return meta;
  return isObjectType(type) || isInterfaceType(type) ? type.getFields()[name] : undefined;
}

function outputType(
  schema: GraphQLSchema,
  node: Parameters<typeof typeFromAST>[1],
): GraphQLOutputType | undefined {
  return typeFromAST(schema, node) as GraphQLOutputType | undefined;
}

/**
 * How many items the arguments of the field ask for: the most that one of them says, as services differ in which they
 * obey; null when none says any.
 */
function saidSize(
  { defaults, assumedListSize }: Estimate,
  definition: GraphQLField<unknown, unknown>,
  node: FieldNode,
): OperationCost | null {
  let said: number | null = null;
  const variable: ((variables: Variables) => number | null)[] = [];
  for (const { name, defaultValue } of definition.args) {
    if (!sizeArguments.has(name)) continue;
    const value = node.arguments?.find((argument) => argument.name.value === name)?.value;
    if (value?.kind === Kind.VARIABLE) {
      const of = value.name.value;
      const byDefault = defaults.get(of);
      const otherwise = sizeOf(byDefault === undefined ? defaultValue : literal(byDefault), assumedListSize);
      variable.push((variables) =>
        variables[of] === undefined ? otherwise : sizeOf(variables[of], assumedListSize),
      );
    } else {
      said = most(said, sizeOf(value === undefined ? defaultValue : literal(value), assumedListSize));
    }
  }
  if (variable.length === 0) return said;
  return (variables) => variable.reduce((size, read) => most(size, read(variables)), said) ?? assumedListSize;
}

function most(a: number | null, b: number | null): number | null {
  return a === null || b === null ? (a ?? b) : Math.max(a, b);
}

function literal(value: ValueNode): unknown {
  return value.kind === Kind.INT ? Number(value.value) : null;
}

/** Null when the value says nothing. A size below zero is none, and must not make up for others. */
function sizeOf(value: unknown, otherwise: number): number | null {
  if (typeof value !== "number") return null;
  return value >= 0 ? Math.min(value, Number.MAX_SAFE_INTEGER) : otherwise;
}

function listDepth(type: GraphQLOutputType): number {
  let depth = 0;
  for (
    let inner = type;
    isListType(inner) || isNonNullType(inner);
    inner = inner.ofType as GraphQLOutputType
  ) {
    if (isListType(inner)) depth += 1;
  }
  return depth;
}

function plus(a: OperationCost, b: OperationCost): OperationCost {
  if (typeof a === "number" && typeof b === "number") return a + b;
  return (variables) => costWith(a, variables) + costWith(b, variables);
}

function times(a: OperationCost, b: OperationCost): OperationCost {
  if (typeof a === "number" && typeof b === "number") return product(a, b);
  return (variables) => product(costWith(a, variables), costWith(b, variables));
}

/** Nothing of what is beyond all numbers is nothing, not NaN. */
function product(a: number, b: number): number {
  return a === 0 || b === 0 ? 0 : a * b;
}

/** The cost with these variables. */
export function costWith(cost: OperationCost, variables: Variables): number {
  return typeof cost === "number" ? cost : cost(variables);
}
