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

/**
 * Reads a supergraph without the bodies of its types, which are nearly all of it: an operation needs few of them, and
 * requests wait meanwhile.
 */
export function outlineOf(supergraphSdl: string): SupergraphOutline {
  let outline = "";
  const bodies: string[] = [];
  let end = 0;
  for (const { start, stop, isRead } of bodiesIn(supergraphSdl)) {
    outline += supergraphSdl.slice(end, isRead ? stop : start);
    if (!isRead) bodies.push(supergraphSdl.slice(start, stop));
    end = stop;
  }
  outline += supergraphSdl.slice(end);
  const { definitions } = parse(outline, { noLocation: true });
  const named = definitions.filter(hasBody).filter(({ name }) => name.value !== "join__Graph");
  const texts = new Map(named.map(({ name }, index) => [name.value, bodies[index] ?? ""]));
  return { definitions, fieldsOf: (typeName) => readFields(texts.get(typeName) ?? "") };
}

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
const tokens =
  /"""(?:\\"""|[\s\S])*?"""|"(?:\\.|[^"\\\n])*"|#[^\n]*|[{}()]|\b(?:schema|type|interface|enum|input|join__Graph)\b/g;

/** Where bodies are, and whether they are read with the heads: those of the schema and of its services. */
type Body = { readonly start: number; readonly stop: number; readonly isRead: boolean };

function* bodiesIn(sdl: string): Iterable<Body> {
  let depth = 0;
  let nested = 0;
  let start = 0;
  let head = "";
  let isServices = false;
  for (const { 0: token, index } of sdl.matchAll(tokens)) {
    if (token === "(") nested += 1;
    else if (token === ")") nested -= 1;
    else if (nested > 0) continue;
    else if (token === "{") {
      if (depth === 0) start = index;
      depth += 1;
    } else if (token === "}") {
      depth -= 1;
      if (depth > 0) continue;
      yield { start, stop: index + 1, isRead: head === "schema" || isServices };
      head = "";
      isServices = false;
    } else if (depth === 0 && token === "join__Graph") isServices = true;
    else if (depth === 0 && head === "" && !/^["#]/.test(token)) head = token;
  }
}
