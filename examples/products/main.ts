// A federation subgraph: it owns products, and other services add fields to them (examples/reviews does).
import { parseArgs } from "node:util";
import { buildSubgraphSchema } from "@apollo/subgraph";
import { serveService } from "@catalyst/sdk";
import { GraphQLError, parse } from "graphql";
import { createPubSub, createYoga, filter, pipe } from "graphql-yoga";
import { type Category, createCatalog, type Product } from "./catalog.ts";

const typeDefs = parse(`
  extend schema @link(url: "https://specs.apollo.dev/federation/v2.3", import: ["@key"])

  enum Category { KITCHEN OFFICE GARDEN TRAVEL }

  # @key makes it an entity: another service may refer to a product by its id alone.
  type Product @key(fields: "id") {
    id: ID!
    sku: String!
    name: String!
    category: Category!
    "In cents."
    price: Int!
  }

  type Query {
    product(id: ID!): Product
    "In the order of the catalogue. \`after\` is the id of the last product of the page before; at most 100 at a time."
    products(category: Category, first: Int! = 20, after: ID): [Product!]!
  }

  type Mutation {
    setPrice(id: ID!, price: Int!): Product!
  }

  type Subscription {
    "Every change of a price, or those of one product."
    priceChanged(id: ID): Product!
  }
`);

const catalog = createCatalog();
const events = createPubSub<{ priceChanged: [Product] }>();

function listProducts(args: { category?: Category | null; first: number; after?: string | null }): Product[] {
  if (args.first < 0 || args.first > 100) throw inputError("first must be from 0 to 100");
  const all = [...catalog.values()];
  const start = args.after == null ? 0 : all.findIndex(({ id }) => id === args.after) + 1;
  if (args.after != null && start === 0) throw inputError(`there is no product ${args.after} to start after`);
  const rest = all.slice(start);
  const wanted = args.category == null ? rest : rest.filter(({ category }) => category === args.category);
  return wanted.slice(0, args.first);
}

function setPrice({ id, price }: { id: string; price: number }): Product {
  const product = catalog.get(id);
  if (product === undefined)
    throw new GraphQLError(`there is no product ${id}`, { extensions: { code: "NOT_FOUND" } });
  if (price < 1 || price > 10_000_000) throw inputError("price must be from 1 to 10,000,000");
  const changed = { ...product, price };
  catalog.set(id, changed);
  events.publish("priceChanged", changed);
  return changed;
}

// Errors of this class reach the client with their code; any other is masked, so that nothing internal leaks.
function inputError(message: string): GraphQLError {
  return new GraphQLError(message, { extensions: { code: "BAD_USER_INPUT" } });
}

const resolvers = {
  Product: {
    // The gateway asks for many references in one request; each is a look-up, so there is nothing to batch.
    // With a database, collect them in a DataLoader. null: no such product.
    __resolveReference: ({ id }: { id: string }) => catalog.get(id) ?? null,
  },
  Query: {
    product: (_: unknown, { id }: { id: string }) => catalog.get(id) ?? null,
    products: (_: unknown, args: Parameters<typeof listProducts>[0]) => listProducts(args),
  },
  Mutation: {
    setPrice: (_: unknown, args: { id: string; price: number }) => setPrice(args),
  },
  Subscription: {
    priceChanged: {
      subscribe: (_: unknown, { id }: { id?: string | null }) =>
        pipe(
          events.subscribe("priceChanged"),
          filter((product) => id == null || product.id === id),
        ),
      resolve: (product: Product) => product,
    },
  },
};

const { values } = parseArgs({
  options: { port: { type: "string", default: "4001" }, "data-dir": { type: "string" } },
});

// Listens, registers with the node, logs requests, and leaves cleanly on SIGTERM and Ctrl-C. A node that is not
// there yet is waited for; the service answers meanwhile.
await serveService({
  name: "products",
  protocol: "graphql",
  port: Number(values.port),
  dataDir: values["data-dir"],
  listener: createYoga({
    schema: buildSubgraphSchema([{ typeDefs, resolvers }]),
    graphiql: false, // the gateway has one, for all services together
    logging: false, // serveService logs, with the request id that came from Envoy
  }),
});
