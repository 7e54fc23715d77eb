import {
  type ConstDirectiveNode,
  type DefinitionNode,
  type DocumentNode,
  type GraphQLSchema,
  Kind,
  type ObjectTypeDefinitionNode,
  type ObjectTypeExtensionNode,
  parse,
} from "graphql";

const federation = parse(
  'extend schema @link(url: "https://specs.apollo.dev/federation/v2.3", import: ["@shareable"])',
  { noLocation: true },
).definitions;
const shareable: ConstDirectiveNode = {
  kind: Kind.DIRECTIVE,
  name: { kind: Kind.NAME, value: "shareable" },
};
/** Directives of the GraphQL specification that clients see; others mean nothing outside of their service. */
const kept = new Set(["deprecated", "specifiedBy", "oneOf"]);

/**
 * A plain service's schema as a federation subgraph without keys. Each of its fields is reached from its root fields
 * alone, so a type that others define alike is shareable; its root fields are its own.
 */
export function asSubgraph(document: DocumentNode, schema: GraphQLSchema): DocumentNode {
  const roots = new Set(
    [schema.getQueryType(), schema.getMutationType(), schema.getSubscriptionType()].map((type) => type?.name),
  );
  const definitions = document.definitions.flatMap((node): DefinitionNode[] => {
    if (node.kind === Kind.DIRECTIVE_DEFINITION) return [];
    const isObject = node.kind === Kind.OBJECT_TYPE_DEFINITION || node.kind === Kind.OBJECT_TYPE_EXTENSION;
    if (!isObject) return [withoutOtherDirectives(node)];
    return [roots.has(node.name.value) ? withoutOtherDirectives(node) : share(withoutOtherDirectives(node))];
  });
  return { kind: Kind.DOCUMENT, definitions: [...federation, ...definitions] };
}

function share<T extends ObjectTypeDefinitionNode | ObjectTypeExtensionNode>(node: T): T {
  return { ...node, directives: [...(node.directives ?? []), shareable] };
}

/** A copy without the directives that only the service itself understands, at any depth. */
function withoutOtherDirectives<T>(node: T): T {
  if (Array.isArray(node)) return node.map(withoutOtherDirectives) as T;
  if (typeof node !== "object" || node === null) return node;
  const entries = Object.entries(node).map(([key, value]) => {
    if (key !== "directives" || !Array.isArray(value)) return [key, withoutOtherDirectives(value)];
    return [key, value.filter((directive: ConstDirectiveNode) => kept.has(directive.name.value))];
  });
  return Object.fromEntries(entries) as T;
}
