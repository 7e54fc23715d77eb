import { type ConstDirectiveNode, type FieldDefinitionNode, Kind, parse } from "graphql";

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
  const { definitions } = parse(supergraphSdl, { noLocation: true });
  const graphs = new Map<string, string>();
  for (const node of definitions) {
    if (node.kind !== Kind.ENUM_TYPE_DEFINITION || node.name.value !== "join__Graph") continue;
    for (const { name, directives } of node.values ?? []) {
      graphs.set(name.value, argumentOf(directives?.[0], "name") ?? name.value);
    }
  }
  const named = (directives: readonly ConstDirectiveNode[]) =>
    directives.flatMap((directive) => graphs.get(argumentOf(directive, "graph") ?? "") ?? []);
  const owners = new Map<string, readonly string[]>();
  for (const node of definitions) {
    if (node.kind !== Kind.OBJECT_TYPE_DEFINITION && node.kind !== Kind.INTERFACE_TYPE_DEFINITION) continue;
    const all = [...new Set(named(directivesNamed(node.directives, "join__type")))];
    for (const field of node.fields ?? []) {
      const own = named(directivesNamed(field.directives, "join__field").filter(isOwned));
      owners.set(`${node.name.value}.${field.name.value}`, own.length > 0 ? own : all);
    }
  }
  return owners;
}

function directivesNamed(
  directives: FieldDefinitionNode["directives"],
  name: string,
): readonly ConstDirectiveNode[] {
  return (directives ?? []).filter((directive) => directive.name.value === name);
}

function isOwned(directive: ConstDirectiveNode): boolean {
  return argumentOf(directive, "external") !== "true" && argumentOf(directive, "usedOverridden") !== "true";
}

function argumentOf(directive: ConstDirectiveNode | undefined, name: string): string | undefined {
  const value = directive?.arguments?.find((argument) => argument.name.value === name)?.value;
  return value !== undefined && "value" in value ? String(value.value) : undefined;
}
