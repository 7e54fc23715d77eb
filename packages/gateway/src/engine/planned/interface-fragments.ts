import { Kind } from "graphql";
import { argumentOf, directivesOf } from "../../schema/join-directives.ts";
import { outlineOf } from "../query-planner/supergraph-outline.ts";

/**
 * Finds operations with fragments on types whose interface some service knows as an object. Of what is wanted of such
 * a type and of others besides, the native planner takes some fields for too few of them, and some for too many.
 */
export function fragmentsOnInterfaceObjects(supergraphSdl: string): (query: string) => boolean {
  if (!supergraphSdl.includes("isInterfaceObject: true")) return () => false;
  const { definitions } = outlineOf(supergraphSdl);
  const interfaces = new Set<string>();
  for (const node of definitions) {
    if (node.kind !== Kind.INTERFACE_TYPE_DEFINITION) continue;
    const parts = directivesOf(node, "join__type");
    if (parts.some((part) => argumentOf(part, "isInterfaceObject") === "true"))
      interfaces.add(node.name.value);
  }
  const types = definitions.flatMap((node) => {
    if (node.kind !== Kind.OBJECT_TYPE_DEFINITION) return [];
    return (node.interfaces ?? []).some(({ name }) => interfaces.has(name.value)) ? [node.name.value] : [];
  });
  const fragments = new RegExp(`\\.\\.\\. on (?:${[...interfaces, ...types].join("|")})\\b`);
  return (query) => fragments.test(query);
}
