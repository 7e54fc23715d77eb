import { buildSubgraphSchema } from "@apollo/subgraph";
import {
  type DocumentNode,
  type GraphQLSchema,
  type InterfaceTypeDefinitionNode,
  type ObjectTypeDefinitionNode,
  parse,
  type SelectionSetNode,
} from "graphql";
import { createSchema, createYoga } from "graphql-yoga";
import { type SeenRequest, serveRaw, type TestService } from "../../testing/test-services.ts";
import type { Market, Thing } from "./test-market.ts";
import { marketResolvers, marketScalars, type Resolve } from "./test-market-resolvers.ts";
import { clockSdl, subgraphSdls } from "./test-market-schema.ts";

type Subgraph = Exclude<Extract<Parameters<typeof buildSubgraphSchema>[0], unknown[]>[number], DocumentNode>;
type SubgraphResolvers = NonNullable<Subgraph["resolvers"]>;
type PlainResolvers = NonNullable<Parameters<typeof createSchema>[0]["resolvers"]>;
type TypeNode = ObjectTypeDefinitionNode | InterfaceTypeDefinitionNode;
/** What a gateway says of an entity to a service: its type and keys, and what the service requires. */
type Representation = Readonly<Record<string, unknown>> & { readonly __typename: string };

/** Serves the market cut into its services, each with its own part of one set of data. */
export async function serveMarket(market: Market): Promise<Readonly<Record<string, TestService>>> {
  const services: Record<string, TestService> = {};
  for (const [name, sdl] of Object.entries(subgraphSdls)) {
    const resolvers = subgraphResolvers(market, sdl);
    if (name === "catalog") resolvers["Product"] = { ...resolvers["Product"], barcode: () => "overridden" };
    services[name] = await serveFederated(sdl, {
      ...resolvers,
      ...scalarsOf(sdl),
      ...subscriptionsOf(market, sdl),
    });
  }
  const { Query, Mutation } = marketResolvers(market);
  const clock = { Query: { now: Query?.["now"] }, Mutation: { setZone: Mutation?.["setZone"] } };
  services["clock"] = await serveSchema(
    createSchema({
      typeDefs: clockSdl,
      resolvers: { ...clock, ...subscriptionsOf(market, clockSdl) } as PlainResolvers,
    }),
  );
  return services;
}

/** Serves a federation subgraph whose SDL says itself which directives it takes. */
export async function serveFederated(sdl: string, resolvers: object): Promise<TestService> {
  const typeDefs = parse(sdl);
  return await serveSchema(buildSubgraphSchema([{ typeDefs, resolvers: resolvers as SubgraphResolvers }]));
}

async function serveSchema(schema: GraphQLSchema): Promise<TestService> {
  const seen: SeenRequest[] = [];
  const recording = {
    onParams({ params }: { params: { query?: string; variables?: unknown } }) {
      seen.push({ headers: {}, query: params.query ?? "", variables: params.variables });
    },
  };
  const yoga = createYoga({ schema, plugins: [recording], logging: false, maskedErrors: false });
  return Object.assign(await serveRaw((request, response) => void yoga(request, response)), { seen });
}

function scalarsOf(sdl: string): object {
  return Object.fromEntries(Object.entries(marketScalars).filter(([name]) => sdl.includes(`scalar ${name}`)));
}

/** The resolvers of the fields that are in the SDL, and of its entities. */
function subgraphResolvers(market: Market, sdl: string): Record<string, Record<string, Resolve>> {
  const all = marketResolvers(market);
  const resolvers: Record<string, Record<string, Resolve>> = {};
  for (const node of parse(sdl).definitions) {
    if (node.kind !== "ObjectTypeDefinition" && node.kind !== "InterfaceTypeDefinition") continue;
    const own: Record<string, Resolve> = {};
    for (const field of node.kind === "ObjectTypeDefinition" ? (node.fields ?? []) : []) {
      const resolve = all[node.name.value]?.[field.name.value];
      if (resolve === undefined) continue;
      const required = fieldSets(field, "requires").flatMap((set) => Object.keys(namesIn(set)));
      own[field.name.value] = required.length === 0 ? resolve : requiring(required, resolve);
    }
    const keys = fieldSets(node, "key").map(namesIn);
    if (keys.length > 0) own["__resolveReference"] = referenceResolver(market, node, keys);
    if (node.kind === "InterfaceTypeDefinition") {
      own["__resolveType"] = ({ __typename }: Thing) => __typename;
    }
    if (Object.keys(own).length > 0) resolvers[node.name.value] = own;
  }
  return resolvers;
}

/** An entity as the service knows it: found by one of its keys, with what is external only where it was given. */
function referenceResolver(market: Market, node: TypeNode, keys: readonly Names[]): Resolve {
  const external = (node.fields ?? []).flatMap(({ name, directives }) =>
    directives?.some((directive) => directive.name.value === "external") ? [name.value] : [],
  );
  return (representation: Representation) => {
    const key = keys.find((names) => has(representation, names));
    if (key === undefined) throw new Error(`No key of the service is in ${JSON.stringify(representation)}.`);
    const found = market.things.find((thing) => isOfType(thing, node) && matches(thing, representation, key));
    if (found === undefined) return null;
    const known = Object.fromEntries(Object.entries(found).filter(([name]) => !external.includes(name)));
    const { __typename: _, ...given } = representation;
    const __typename = node.kind === "InterfaceTypeDefinition" ? found.__typename : representation.__typename;
    return { ...known, ...given, given, __typename };
  };
}

function requiring(required: readonly string[], resolve: Resolve): Resolve {
  return (source: never, args: never) => {
    const { given = {} } = source as { given?: object };
    const missing = required.filter((name) => !(name in given));
    if (missing.length > 0) throw new Error(`Asked without ${missing.join(", ")}, which it requires.`);
    return resolve(source, args);
  };
}

function isOfType({ __typename }: Thing, node: TypeNode): boolean {
  const { value } = node.name;
  return value === "Media" ? ["Book", "Film"].includes(__typename) : __typename === value;
}

/** Names of fields, and of those inside each. */
type Names = { readonly [name: string]: Names };

function fieldSets(node: Pick<TypeNode, "directives">, directive: string): SelectionSetNode[] {
  return (node.directives ?? []).flatMap(({ name, arguments: given }) => {
    const value = given?.find((argument) => argument.name.value === "fields")?.value;
    if (name.value !== directive || value?.kind !== "StringValue") return [];
    const [definition] = parse(`{ ${value.value} }`).definitions;
    return definition?.kind === "OperationDefinition" ? [definition.selectionSet] : [];
  });
}

function namesIn({ selections }: SelectionSetNode): Names {
  return Object.fromEntries(
    selections.flatMap((node) =>
      node.kind === "Field"
        ? [[node.name.value, node.selectionSet === undefined ? {} : namesIn(node.selectionSet)]]
        : [],
    ),
  );
}

function has(value: unknown, names: Names): boolean {
  if (typeof value !== "object" || value === null) return Object.keys(names).length === 0;
  const record = value as Readonly<Record<string, unknown>>;
  return Object.entries(names).every(([name, inner]) => name in record && has(record[name], inner));
}

function matches(thing: unknown, given: unknown, names: Names): boolean {
  const actual = typeof thing === "function" ? thing() : thing;
  if (Object.keys(names).length === 0) return actual === given;
  return Object.entries(names).every(([name, inner]) =>
    matches(actual?.[name], (given as Source)[name], inner),
  );
}

type Source = Readonly<Record<string, unknown>>;

/** The subscriptions that are in the SDL: each ends by itself. */
export function subscriptionsOf(market: Market, sdl: string): object {
  const all = {
    reviewed: {
      *events({ first }: { first?: number | null }) {
        yield* market.of("Review").slice(0, first ?? 1);
      },
    },
    released: { events: () => market.of("Film", "Book") },
    ticks: { events: () => [1, 2].map((at) => ({ at, zone: "UTC" })) },
  };
  const fields = Object.entries(all).flatMap(([name, { events }]) => {
    if (!new RegExp(`type Subscription [^}]*\\b${name}\\b`).test(sdl)) return [];
    const subscribe = async function* (_: unknown, args: { first?: number | null }) {
      for (const event of events(args)) yield { [name]: event };
    };
    return [[name, { subscribe }]];
  });
  return fields.length === 0 ? {} : { Subscription: Object.fromEntries(fields) };
}
