import {
  type FieldNode,
  type FragmentDefinitionNode,
  Kind,
  type OperationDefinitionNode,
  parse,
  type SelectionSetNode,
  valueFromASTUntyped,
} from "graphql";
import type { FieldOf, Subgraph, Types } from "./shop.ts";

/** Variables of an operation. */
export type Variables = Readonly<Record<string, unknown>>;
/** Writes the JSON text of an object, by its id. */
type Write = (id: string, variables: Variables) => string;
type Fragments = ReadonlyMap<string, FragmentDefinitionNode>;
type Source = { readonly types: Types; readonly sdl: string | null; readonly fragments: Fragments };

/**
 * Turns an operation into a function that writes its answer as JSON text: much less work for the machine than
 * GraphQL's executor, because it is not what is measured. `root` is the number of a subscription's event. Throws for
 * what the types do not have.
 */
export function compile(
  query: string,
  { types, sdl }: Pick<Subgraph, "types"> & { sdl: string | null },
): (variables: Variables, root?: string) => string {
  const { definitions } = parse(query, { noLocation: true });
  const fragments = new Map<string, FragmentDefinitionNode>();
  let operation: OperationDefinitionNode | undefined;
  for (const each of definitions) {
    if (each.kind === Kind.FRAGMENT_DEFINITION) fragments.set(each.name.value, each);
    else if (each.kind === Kind.OPERATION_DEFINITION) operation = each;
  }
  if (operation === undefined) throw new Error("there is no operation");
  const type = operation.operation === "subscription" ? "Subscription" : "Query";
  const write = compileObject({ types, sdl, fragments }, type, [operation.selectionSet]);
  return (variables, root = "") => `{"data":${write(root, variables)}}`;
}

function compileObject(source: Source, type: string, selections: readonly SelectionSetNode[]): Write {
  const fields = new Map<string, FieldNode[]>();
  for (const selection of selections) collect(source, type, selection, fields);
  const writes = [...fields].map(([name, nodes], at) => {
    const prefix = `${at === 0 ? "" : ","}${JSON.stringify(name)}:`;
    return { prefix, write: compileField(source, type, nodes) };
  });
  return (id, variables) => {
    let text = "{";
    for (const { prefix, write } of writes) text += prefix + write(id, variables);
    return `${text}}`;
  };
}

/** The fields of a selection by what they are called in the answer; every type is concrete here. */
function collect(
  source: Source,
  type: string,
  { selections }: SelectionSetNode,
  fields: Map<string, FieldNode[]>,
): void {
  for (const node of selections) {
    if ((node.directives ?? []).length > 0) throw new Error("directives are not answered");
    if (node.kind === Kind.FIELD) {
      const name = (node.alias ?? node.name).value;
      fields.set(name, [...(fields.get(name) ?? []), node]);
      continue;
    }
    const fragment = node.kind === Kind.INLINE_FRAGMENT ? node : source.fragments.get(node.name.value);
    if (fragment === undefined) throw new Error("a fragment is not there");
    if ((fragment.typeCondition?.name.value ?? type) !== type) continue;
    collect(source, type, fragment.selectionSet, fields);
  }
}

function compileField(source: Source, type: string, nodes: readonly FieldNode[]): Write {
  const [node] = nodes;
  const name = node?.name.value ?? "";
  const selections = nodes.flatMap(({ selectionSet }) => selectionSet ?? []);
  const given = argumentsOf(node);
  if (name === "__typename") return () => JSON.stringify(type);
  if (type === "Query" && name === "_service") return () => JSON.stringify({ sdl: source.sdl });
  if (type === "Query" && name === "_entities") return compileEntities(source, selections, given);
  const field = source.types[type]?.[name];
  if (field === undefined) throw new Error(`there is no field ${type}.${name}`);
  return compileValue(source, field, selections, given);
}

function compileValue(
  source: Source,
  field: FieldOf,
  selections: readonly SelectionSetNode[],
  given: (variables: Variables) => Variables,
): Write {
  if (field.kind === "scalar") return field.json;
  const write = compileObject(source, field.type, selections);
  if (field.kind === "object") return (id, variables) => write(field.id(id, given(variables)), variables);
  return (id, variables) => {
    const ids = field.ids(id, given(variables));
    return `[${ids.map((each) => write(each, variables)).join()}]`;
  };
}

function compileEntities(
  source: Source,
  selections: readonly SelectionSetNode[],
  given: (variables: Variables) => Variables,
): Write {
  const writes = new Map<string, Write>();
  const writeOf = (type: string): Write => {
    if (source.types[type] === undefined) throw new Error(`there is no entity ${type}`);
    const write = writes.get(type) ?? compileObject(source, type, selections);
    writes.set(type, write);
    return write;
  };
  return (_, variables) => {
    const { representations } = given(variables) as { representations: { __typename: string; id: string }[] };
    return `[${representations.map(({ __typename, id }) => writeOf(__typename)(id, variables)).join()}]`;
  };
}

function argumentsOf(node: FieldNode | undefined): (variables: Variables) => Variables {
  const given = node?.arguments ?? [];
  return (variables) =>
    Object.fromEntries(given.map(({ name, value }) => [name.value, valueFromASTUntyped(value, variables)]));
}
