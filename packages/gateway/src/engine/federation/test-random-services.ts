import { buildSubgraphSchema } from "@apollo/subgraph";
import fc from "fast-check";
import { buildSchema, execute, type GraphQLSchema, isObjectType, parse } from "graphql";
import type { SubRequest, Upstream } from "../../upstream/upstream.ts";
import { linkTo } from "./test-market-schema.ts";

export const serviceNames = ["s0", "s1", "s2", "s3"];
const typeNames = ["T0", "T1", "T2", "T3"];
const keySets = ["k0", "k1", "k2", "k0 k1", "n { x }", "n { x y } k2"];

/** What one service has of one type. */
type Part = { readonly keys: readonly string[]; readonly resolvable: boolean };
type Field = {
  readonly name: string;
  readonly type: string;
  readonly owners: readonly string[];
  /** Another field that its service needs from elsewhere. */
  readonly requires: string | null;
};
export type RandomType = {
  readonly name: string;
  readonly parts: ReadonlyMap<string, Part>;
  readonly fields: readonly Field[];
};

const someOf = <T>(values: readonly T[], minLength: number) =>
  fc.subarray([...values], { minLength }).filter((some) => some.length > 0);

/** Each service shares a key with the next, so that there is a way from each to any; the last may be a stub. */
function partsOf(services: readonly string[]): fc.Arbitrary<ReadonlyMap<string, Part>> {
  const links = fc.array(fc.constantFrom(...keySets), {
    minLength: services.length,
    maxLength: services.length,
  });
  return fc.tuple(links, fc.boolean()).map(([links, hasStub]) => {
    const last = services.length - 1;
    const parts = services.map((service, i): [string, Part] => {
      const stub = hasStub && i === last && last > 1;
      const keys = stub ? links.slice(last - 1, last) : links.slice(Math.max(0, i - 1), Math.max(1, i + 1));
      return [service, { keys: [...new Set(keys)], resolvable: !stub }];
    });
    return new Map(parts);
  });
}

function typeOf(name: string): fc.Arbitrary<RandomType> {
  return fc.shuffledSubarray(serviceNames, { minLength: 2 }).chain((services) => {
    const owners = fc.oneof(
      { weight: 4, arbitrary: fc.constantFrom(...services).map((one) => [one]) },
      { weight: 1, arbitrary: someOf(services, 2) },
    );
    const leaves = fc.array(fc.record({ type: fc.constant("String"), owners, requires: fc.constant(null) }), {
      minLength: 2,
      maxLength: 4,
    });
    const references = fc.array(
      fc.record({
        type: fc.constantFrom(...typeNames.flatMap((each) => [each, `[${each}!]`]), "[Any]"),
        owners,
        requires: fc.constant(null),
      }),
      { minLength: 1, maxLength: 3 },
    );
    const requiring = fc.array(fc.record({ service: fc.constantFrom(...services), index: fc.nat(6) }), {
      maxLength: 2,
    });
    return fc
      .tuple(partsOf(services), leaves, references, requiring)
      .map(([parts, leaves, references, requiring]) => {
        const fields: Field[] = [...leaves, ...references].map((field, i) => ({ ...field, name: `f${i}` }));
        for (const [i, { service, index }] of requiring.entries()) {
          const candidates = fields.filter(
            ({ type, owners }) => type === "String" && !owners.includes(service),
          );
          const required = candidates[index % Math.max(1, candidates.length)];
          if (required !== undefined)
            fields.push({ name: `r${i}`, type: "String", owners: [service], requires: required.name });
        }
        return { name, parts, fields };
      });
  });
}

/** Entities that services share out, each with a way by keys from any service that has it to any other. */
export const randomTypes = fc.tuple(...typeNames.map(typeOf));

/** The fields that a service has of a type: those whose own types it knows. */
function fieldsIn(service: string, { parts, fields }: RandomType, types: readonly RandomType[]): Field[] {
  if (parts.get(service)?.resolvable !== true) return [];
  const own = types.filter((type) => type.parts.has(service));
  const isKnown = (text: string) => {
    const name = typeNames.find((each) => text.includes(each));
    if (name === undefined) return text !== "[Any]" || own.length > 1;
    return own.some((type) => type.name === name);
  };
  return fields.filter(({ owners, type }) => owners.includes(service) && isKnown(type));
}

/** What a service has of the types: its SDL, which holds none of them when it has none. */
export function sdlOf(service: string, types: readonly RandomType[]): string {
  const own = types.filter(({ parts }) => parts.has(service));
  const lines = own.map((type) => {
    const { name, parts, fields } = type;
    const { keys, resolvable } = parts.get(service) as Part;
    const keyFields = ["k0", "k1", "k2"].filter((each) => keys.some((key) => key.includes(each)));
    const nested = keys.some((key) => key.includes("n {"));
    const mine = fieldsIn(service, type, types);
    const external = fields.filter((field) => mine.some(({ requires }) => requires === field.name));
    const named = implementing(service, types).includes(name) ? "implements Named " : "";
    return `type ${name} ${named}${keys.map((key) => `@key(fields: "${key}"${resolvable ? "" : ", resolvable: false"})`).join(" ")} {
      ${keyFields.map((each) => `${each}: ID! @shareable`).join(" ")} ${nested ? "n: N @shareable" : ""}
      ${mine.map((field) => `${field.name}: ${field.type} ${field.owners.length > 1 ? "@shareable" : ""} ${field.requires === null ? "" : `@requires(fields: "${field.requires}")`}`).join("\n")}
      ${external.map((field) => `${field.name}: ${field.type} @external`).join(" ")} }`;
  });
  const roots = own.map(({ name }) => `${service}_${name}: [${name}!]`);
  const abstract = implementing(service, types).length > 0 ? ["interface Named { f0: String }"] : [];
  if (abstract.length > 0) roots.push(`${service}_named: [Named]`);
  const any = own.length > 1 ? [`union Any = ${own.map(({ name }) => name).join(" | ")}`] : [];
  if (any.length > 0) roots.push(`${service}_any: [Any]`);
  const value = lines.join("").includes("n: N") ? ["type N @shareable { x: Int! y: Int! }"] : [];
  return [
    `${linkTo("key shareable external requires")} type Query { ${service}: Int ${roots.join(" ")} }`,
    ...lines,
    ...abstract,
    ...any,
    ...value,
  ].join("\n");
}

/** The types that answer `f0` in a service: those have its interface there. */
function implementing(service: string, types: readonly RandomType[]): string[] {
  return types
    .filter(
      ({ parts, fields }) => parts.get(service)?.resolvable === true && fields[0]?.owners.includes(service),
    )
    .map(({ name }) => name);
}

type Thing = Readonly<Record<string, unknown>> & { readonly __typename: string; readonly id: number };
const thing = (__typename: string, id: number): Thing => ({ __typename, id: id % 6 });

/** Every value follows from the type, the number of the object and the field. */
function valueIn(
  types: readonly RandomType[],
  { __typename, id, ...given }: Thing,
  name: string,
  isService: boolean,
): unknown {
  if (name === "n") return { x: id, y: id + 1 };
  if (name.startsWith("k")) return `${id}/${name}`;
  const field = types.find((type) => type.name === __typename)?.fields.find((each) => each.name === name);
  if (field === undefined) throw new Error(`${__typename}.${name}`);
  if (field.requires !== null) {
    if (isService && !(field.requires in given)) throw new Error(`${field.requires} is missing`);
    return `${name} of ${isService ? given[field.requires] : valueIn(types, thing(__typename, id), field.requires, false)}`;
  }
  const number = id * 3 + Number(name.slice(1));
  if (field.type === "String") return number % 5 === 0 ? null : `${__typename}.${name}.${id}`;
  if (field.type === "[Any]")
    return anyOf(
      types.filter(({ parts }) => field.owners.every((each) => parts.has(each))),
      number,
    );
  const target = typeNames.find((each) => field.type.includes(each)) as string;
  if (field.type.startsWith("[")) return [thing(target, number), thing(target, number + 1)];
  return number % 4 === 0 ? null : thing(target, number);
}

function anyOf(types: readonly RandomType[], number: number): (Thing | null)[] {
  return [...types.map(({ name }, i) => thing(name, number + i)), null];
}

function rootOf(types: readonly RandomType[], name: string): unknown {
  const [service = "", type] = name.split("_");
  if (type === undefined) return 1;
  const own = types.filter(({ parts }) => parts.has(service));
  if (type === "named") return implementing(service, types).map((name, i) => thing(name, i));
  return type === "any" ? anyOf(own, 1) : [thing(type, 1), thing(type, 2)];
}

function resolveBy(schema: GraphQLSchema, types: readonly RandomType[], isService: boolean): GraphQLSchema {
  for (const type of Object.values(schema.getTypeMap())) {
    if (!isObjectType(type) || type.name.startsWith("_")) continue;
    for (const field of Object.values(type.getFields())) {
      if (type.name === "Query" && !field.name.startsWith("_"))
        field.resolve = () => rootOf(types, field.name);
      else if (typeNames.includes(type.name)) {
        field.resolve = (source: Thing) => valueIn(types, source, field.name, isService);
      }
    }
  }
  return schema;
}

function idIn(given: Readonly<Record<string, unknown>>): number {
  const key = given["k0"] ?? given["k1"] ?? given["k2"];
  return typeof key === "string" ? Number.parseInt(key, 10) : (given["n"] as { x: number }).x;
}

/** The service over this SDL. */
export function serviceOf(sdl: string, types: readonly RandomType[]): GraphQLSchema {
  const __resolveReference = (given: Thing) => ({ ...given, id: idIn(given) });
  const resolvers = Object.fromEntries(
    typeNames.filter((name) => sdl.includes(`type ${name} `)).map((name) => [name, { __resolveReference }]),
  );
  return resolveBy(
    buildSubgraphSchema([{ typeDefs: parse(sdl), resolvers: resolvers as never }]),
    types,
    true,
  );
}

/** Asks services in this process. */
export function upstreamOf(schemas: ReadonlyMap<string, GraphQLSchema>): Upstream {
  return {
    execute: async ({ name }: { name: string }, { operation, variables }: SubRequest) => {
      const variableValues = typeof variables === "string" ? JSON.parse(variables) : (variables ?? {});
      const schema = schemas.get(name) as GraphQLSchema;
      return JSON.parse(
        JSON.stringify(await execute({ schema, document: parse(operation.query), variableValues })),
      );
    },
  } as unknown as Upstream;
}

/** One service that has all that they have. */
export function monolithOf(
  types: readonly RandomType[],
  sdls: readonly (readonly [string, string])[],
): GraphQLSchema {
  const has = (text: string) => sdls.some(([, sdl]) => sdl.includes(text));
  const lines = types.map((type) => {
    const { name, parts, fields } = type;
    const keys = [...parts.values()].flatMap((each) => each.keys).join(" ");
    const own = fields.filter((field) =>
      serviceNames.some((each) => fieldsIn(each, type, types).includes(field)),
    );
    const named = serviceNames.some((service) => implementing(service, types).includes(name))
      ? "implements Named "
      : "";
    return `type ${name} ${named}{ ${["k0", "k1", "k2"]
      .filter((each) => keys.includes(each))
      .map((each) => `${each}: ID!`)
      .join(
        " ",
      )} ${keys.includes("n {") ? "n: N" : ""} ${own.map((field) => `${field.name}: ${field.type}`).join(" ")} }`;
  });
  const roots = sdls.map(([, sdl]) => /type Query \{([^}]*)\}/.exec(sdl)?.[1] ?? "");
  const union = has("union Any") ? [`union Any = ${types.map(({ name }) => name).join(" | ")}`] : [];
  const value = has("type N ") ? ["type N { x: Int! y: Int! }"] : [];
  if (has("interface Named")) value.push("interface Named { f0: String }");
  return resolveBy(
    buildSchema([`type Query { ${roots.join(" ")} }`, ...lines, ...union, ...value].join("\n")),
    types,
    false,
  );
}
