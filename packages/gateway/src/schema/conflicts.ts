import {
  type GraphQLArgument,
  type GraphQLNamedType,
  type GraphQLSchema,
  isEnumType,
  isInputObjectType,
  isInterfaceType,
  isIntrospectionType,
  isObjectType,
  isSpecifiedScalarType,
  isUnionType,
} from "graphql";
import type { Fault } from "./culprits.ts";

/** A schema that takes part in the whole, and the services that a type or field of it comes from. */
export type OwnedSchema = {
  readonly schema: GraphQLSchema;
  readonly ownersOf: (typeName: string, fieldName?: string) => readonly string[];
};

type Root = "Query" | "Mutation" | "Subscription";

/**
 * What keeps schemas from being served side by side when no federation joins them: a root field of the same name,
 * or a type of the same name that is not defined alike. Types defined alike (descriptions and order aside) are one.
 */
export function findConflicts(schemas: readonly OwnedSchema[]): Fault[] {
  const faults: Fault[] = [];
  const rootFields = new Map<string, OwnedSchema>();
  const types = new Map<string, { owner: OwnedSchema; type: GraphQLNamedType }>();
  for (const owned of schemas) {
    const roots = rootTypes(owned.schema);
    for (const [root, type] of roots) {
      for (const field of Object.keys(type.getFields())) {
        const name = `${root}.${field}`;
        const other = rootFields.get(name);
        if (other === undefined) rootFields.set(name, owned);
        else faults.push(rootClash(root, field, other, owned));
      }
    }
    const rootNames = new Set([...roots.values()].map((type) => type.name));
    for (const type of Object.values(owned.schema.getTypeMap())) {
      if (rootNames.has(type.name) || isSpecifiedScalarType(type) || isIntrospectionType(type)) continue;
      const other = types.get(type.name);
      if (other === undefined) types.set(type.name, { owner: owned, type });
      else faults.push(...typeClash(other.owner, other.type, owned, type));
    }
  }
  return faults;
}

function rootTypes(schema: GraphQLSchema) {
  const entries = [
    ["Query" as Root, schema.getQueryType()],
    ["Mutation" as Root, schema.getMutationType()],
    ["Subscription" as Root, schema.getSubscriptionType()],
  ] as const;
  return new Map(entries.flatMap(([root, type]) => (type ? [[root, type] as const] : [])));
}

function rootClash(root: Root, field: string, first: OwnedSchema, second: OwnedSchema): Fault {
  const services = [...first.ownersOf(root, field), ...second.ownersOf(root, field)];
  return { services, message: `${root}.${field} is defined by ${services.join(" and ")}` };
}

function typeClash(
  first: OwnedSchema,
  firstType: GraphQLNamedType,
  second: OwnedSchema,
  secondType: GraphQLNamedType,
): Fault[] {
  const [a, b] = [partsOf(firstType), partsOf(secondType)];
  const [part] = [...new Set([...a.keys(), ...b.keys()])].filter((key) => a.get(key) !== b.get(key)).sort();
  if (part === undefined) return [];
  const [here, there] = [first.ownersOf(firstType.name), second.ownersOf(secondType.name)];
  const name = part === "" ? firstType.name : `${firstType.name}.${part}`;
  const describe = (parts: Map<string, string>) => parts.get(part) ?? "absent";
  const message = `${name} is ${describe(a)} in ${here.join(", ")} and ${describe(b)} in ${there.join(", ")}`;
  return [{ services: [...here, ...there], message }];
}

/** The definition of a type as comparable parts: "" for the type itself, then one per field or value. */
function partsOf(type: GraphQLNamedType): Map<string, string> {
  if (isObjectType(type) || isInterfaceType(type)) {
    const kind = isObjectType(type) ? "an object" : "an interface";
    const interfaces = type.getInterfaces().map(({ name }) => name);
    const suffix = interfaces.length > 0 ? ` that implements ${interfaces.sort().join(" & ")}` : "";
    const fields = Object.values(type.getFields());
    return new Map([["", kind + suffix], ...fields.map((f) => [f.name, fieldText(f.args, f.type)] as const)]);
  }
  if (isInputObjectType(type)) {
    const fields = Object.values(type.getFields());
    const texts = fields.map((f) => [f.name, withDefault(String(f.type), f.defaultValue)] as const);
    return new Map([["", type.isOneOf ? "a oneOf input" : "an input"], ...texts]);
  }
  if (isEnumType(type)) {
    return new Map([["", "an enum"], ...type.getValues().map(({ name }) => [name, "a value"] as const)]);
  }
  if (isUnionType(type)) {
    const names = type.getTypes().map(({ name }) => name);
    return new Map([["", `the union ${names.sort().join(" | ")}`]]);
  }
  return new Map([["", "a scalar"]]);
}

function fieldText(args: readonly GraphQLArgument[], type: unknown): string {
  const texts = args.map((arg) => `${arg.name}: ${withDefault(String(arg.type), arg.defaultValue)}`);
  return texts.length === 0 ? String(type) : `(${texts.sort().join(", ")}): ${type}`;
}

function withDefault(type: string, value: unknown): string {
  return value === undefined ? type : `${type} = ${JSON.stringify(value)}`;
}
