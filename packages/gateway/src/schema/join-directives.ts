import { type ConstDirectiveNode, type DocumentNode, Kind } from "graphql";

/** A type or field of a supergraph, as far as its directives go. */
type Directed = { readonly directives?: readonly ConstDirectiveNode[] | undefined };

/** The services of a supergraph by the names that its directives give them (`join__Graph`, join spec v0.3). */
export function servicesOf({ definitions }: Pick<DocumentNode, "definitions">): Map<string, string> {
  const services = new Map<string, string>();
  for (const node of definitions) {
    if (node.kind !== Kind.ENUM_TYPE_DEFINITION || node.name.value !== "join__Graph") continue;
    for (const { name, directives } of node.values ?? []) {
      services.set(name.value, argumentOf(directives?.[0], "name") ?? name.value);
    }
  }
  return services;
}

export function directivesOf({ directives }: Directed, name: string): ConstDirectiveNode[] {
  return (directives ?? []).filter((directive) => directive.name.value === name);
}

/** The value of an argument that is written as a string, an enum value, a number or a Boolean. */
export function argumentOf(directive: ConstDirectiveNode | undefined, name: string): string | undefined {
  const value = directive?.arguments?.find((argument) => argument.name.value === name)?.value;
  return value !== undefined && "value" in value ? String(value.value) : undefined;
}
