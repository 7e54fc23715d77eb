import type { GraphQLSchema } from "graphql";
import { isAbstractType, Kind, parse } from "graphql";

/**
 * Which object types belong to an interface or union. Clients' types are known from their schema; of hidden ones
 * the supergraph is read when one is met for the first time.
 */
export class TypeMembership {
  readonly #schema: GraphQLSchema;
  readonly #supergraphSdl: string;
  readonly #known = new Map<string, ReadonlySet<string>>();
  #hidden: ReadonlyMap<string, ReadonlySet<string>> | null = null;

  constructor(schema: GraphQLSchema, supergraphSdl: string) {
    this.#schema = schema;
    this.#supergraphSdl = supergraphSdl;
  }

  /** Whether an object of this type is also one of the other, itself or an interface or union that it belongs to. */
  is(typeName: string, of: string): boolean {
    return typeName === of || this.#members(of, typeName).has(typeName);
  }

  isOneOf(typeName: string, names: readonly string[]): boolean {
    return names.includes(typeName) || names.some((name) => this.is(typeName, name));
  }

  #members(name: string, typeName: string): ReadonlySet<string> {
    const visible = this.#schema.getType(typeName) !== undefined && this.#schema.getType(name) !== undefined;
    if (!visible) {
      this.#hidden ??= membersIn(this.#supergraphSdl);
      return this.#hidden.get(name) ?? none;
    }
    const known = this.#known.get(name);
    if (known !== undefined) return known;
    const type = this.#schema.getType(name);
    const members = isAbstractType(type) ? this.#schema.getPossibleTypes(type) : [];
    const names = new Set(members.map((member) => member.name));
    this.#known.set(name, names);
    return names;
  }
}

const none: ReadonlySet<string> = new Set();

function membersIn(supergraphSdl: string): Map<string, ReadonlySet<string>> {
  const members = new Map<string, Set<string>>();
  const add = (abstract: string, member: string) =>
    members.set(abstract, (members.get(abstract) ?? new Set()).add(member));
  for (const node of parse(supergraphSdl, { noLocation: true }).definitions) {
    if (node.kind === Kind.OBJECT_TYPE_DEFINITION) {
      for (const { name } of node.interfaces ?? []) add(name.value, node.name.value);
    } else if (node.kind === Kind.UNION_TYPE_DEFINITION) {
      for (const { name } of node.types ?? []) add(node.name.value, name.value);
    }
  }
  return members;
}
