import { type ConstDirectiveNode, Kind, parse } from "graphql";
import { argumentOf, directivesOf, servicesOf } from "../schema/join-directives.ts";

/** Which services answer for a field, read from a supergraph when that is asked for the first time. */
export class FieldOwners {
  readonly #supergraphSdl: string;
  #owners: ReadonlyMap<string, readonly string[]> | null = null;

  constructor(supergraphSdl: string) {
    this.#supergraphSdl = supergraphSdl;
  }

  of(typeName: string, fieldName: string): readonly string[] {
    this.#owners ??= ownersIn(this.#supergraphSdl);
    return this.#owners.get(`${typeName}.${fieldName}`) ?? [];
  }
}

function ownersIn(supergraphSdl: string): Map<string, readonly string[]> {
  const document = parse(supergraphSdl, { noLocation: true });
  const services = servicesOf(document);
  const named = (directives: readonly ConstDirectiveNode[]) =>
    directives.flatMap((directive) => services.get(argumentOf(directive, "graph") ?? "") ?? []);
  const owners = new Map<string, readonly string[]>();
  for (const node of document.definitions) {
    if (node.kind !== Kind.OBJECT_TYPE_DEFINITION && node.kind !== Kind.INTERFACE_TYPE_DEFINITION) continue;
    const all = [...new Set(named(directivesOf(node, "join__type")))];
    for (const field of node.fields ?? []) {
      const own = named(directivesOf(field, "join__field").filter(isOwned));
      owners.set(`${node.name.value}.${field.name.value}`, own.length > 0 ? own : all);
    }
  }
  return owners;
}

function isOwned(directive: ConstDirectiveNode): boolean {
  return argumentOf(directive, "external") !== "true" && argumentOf(directive, "usedOverridden") !== "true";
}
