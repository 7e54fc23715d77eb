import {
  type DefinitionNode,
  type FieldDefinitionNode,
  Kind,
  type ObjectTypeDefinitionNode,
  parse,
} from "graphql";

/** The definitions of a supergraph, the fields of its types read one type at a time. */
export type SupergraphOutline = {
  readonly definitions: readonly DefinitionNode[];
  /** Reads the fields of an object type or interface. */
  fieldsOf(typeName: string): readonly FieldDefinitionNode[];
};

/** Definitions whose bodies are read with them: there are few, and all of them are needed at once. */
const readAtOnce = /(?:^|\s)(?:schema|enum\s+join__Graph)\b[^{}]*$/;

/**
 * Reads a supergraph without the bodies of its types, which are nearly all of it: an operation needs few of them, and
 * requests wait meanwhile.
 */
export function outlineOf(supergraphSdl: string): SupergraphOutline {
  let outline = "";
  const bodies: string[] = [];
  let end = 0;
  for (const { start, stop } of bodiesIn(supergraphSdl)) {
    outline += supergraphSdl.slice(end, start);
    const body = supergraphSdl.slice(start, stop);
    if (readAtOnce.test(outline.slice(-maxHead))) outline += body;
    else bodies.push(body);
    end = stop;
  }
  outline += supergraphSdl.slice(end);
  const { definitions } = parse(outline, { noLocation: true });
  const named = definitions.filter(hasBody).filter(({ name }) => name.value !== "join__Graph");
  const texts = new Map(named.map(({ name }, index) => [name.value, bodies[index] ?? ""]));
  return { definitions, fieldsOf: (typeName) => readFields(texts.get(typeName) ?? "") };
}

/** The head of `schema` names a few specifications. */
const maxHead = 4_096;

function hasBody(node: DefinitionNode) {
  const { kind } = node;
  return (
    kind === Kind.OBJECT_TYPE_DEFINITION ||
    kind === Kind.INTERFACE_TYPE_DEFINITION ||
    kind === Kind.ENUM_TYPE_DEFINITION ||
    kind === Kind.INPUT_OBJECT_TYPE_DEFINITION
  );
}

function readFields(body: string): readonly FieldDefinitionNode[] {
  if (body === "") return [];
  const [node] = parse(`type Body ${body}`, { noLocation: true }).definitions;
  return (node as ObjectTypeDefinitionNode).fields ?? [];
}

/** Strings and comments may hold anything; braces inside parentheses are values. */
const tokens = /"""(?:\\"""|[\s\S])*?"""|"(?:\\.|[^"\\\n])*"|#[^\n]*|[{}()]/g;

function* bodiesIn(sdl: string): Iterable<{ readonly start: number; readonly stop: number }> {
  let depth = 0;
  let nested = 0;
  let start = 0;
  for (const { 0: token, index } of sdl.matchAll(tokens)) {
    if (token === "(") nested += 1;
    else if (token === ")") nested -= 1;
    else if (nested > 0) continue;
    else if (token === "{") {
      if (depth === 0) start = index;
      depth += 1;
    } else if (token === "}") {
      depth -= 1;
      if (depth === 0) yield { start, stop: index + 1 };
    }
  }
}
