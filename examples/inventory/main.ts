// Plain GraphQL, no federation: the gateway puts its fields beside those of the other services. Any GraphQL server
// that answers introspection can join a node like this one.
import { parseArgs } from "node:util";
import { serveService } from "@catalyst/sdk";
import { GraphQLError } from "graphql";
import { createSchema, createYoga } from "graphql-yoga";

type Warehouse = { readonly id: string; readonly city: string };
type StockLevel = { readonly productId: string; readonly warehouseId: string; readonly quantity: number };

const warehouses = new Map<string, Warehouse>(
  ["Bergen", "Porto", "Turin"].map((city, index) => [`w${index + 1}`, { id: `w${index + 1}`, city }]),
);

// Levels of 240 products (p1 to p240) in every warehouse, the same at every start; by product, then by warehouse.
const stock = new Map<string, Map<string, StockLevel>>();
for (let number = 1; number <= 240; number++) {
  const productId = `p${number}`;
  const levels = [...warehouses.keys()].map((warehouseId, index): [string, StockLevel] => [
    warehouseId,
    { productId, warehouseId, quantity: (number * 31 + index * 17) % 90 },
  ]);
  stock.set(productId, new Map(levels));
}

const typeDefs = `
  type Warehouse {
    id: ID!
    city: String!
  }

  type StockLevel {
    productId: ID!
    warehouse: Warehouse!
    quantity: Int!
  }

  type Query {
    warehouses: [Warehouse!]!
    "What lies in the warehouses of up to 100 products. A product without stock has no levels."
    stock(productIds: [ID!]!): [StockLevel!]!
  }

  type Mutation {
    "Adds to a level, or takes from it; a level never falls below zero."
    adjustStock(productId: ID!, warehouseId: ID!, by: Int!): StockLevel!
  }
`;

function levelsOf(productIds: readonly string[]): StockLevel[] {
  if (productIds.length > 100) throw inputError("ask for at most 100 products at a time");
  return productIds.flatMap((id) => [...(stock.get(id)?.values() ?? [])]);
}

function adjustStock({ productId, warehouseId, by }: { productId: string; warehouseId: string; by: number }) {
  const levels = stock.get(productId);
  const level = levels?.get(warehouseId);
  if (levels === undefined || level === undefined) {
    const message = `there is no stock of ${productId} in warehouse ${warehouseId}`;
    throw new GraphQLError(message, { extensions: { code: "NOT_FOUND" } });
  }
  const quantity = level.quantity + by;
  if (quantity < 0) throw inputError(`there are only ${level.quantity} of ${productId} in ${warehouseId}`);
  if (quantity > 1_000_000) throw inputError("a warehouse holds at most 1,000,000 of a product");
  const adjusted = { ...level, quantity };
  levels.set(warehouseId, adjusted);
  return adjusted;
}

// Errors of this class reach the client with their code; any other is masked, so that nothing internal leaks.
function inputError(message: string): GraphQLError {
  return new GraphQLError(message, { extensions: { code: "BAD_USER_INPUT" } });
}

const resolvers = {
  StockLevel: {
    warehouse: ({ warehouseId }: StockLevel) => warehouses.get(warehouseId),
  },
  Query: {
    warehouses: () => [...warehouses.values()],
    stock: (_: unknown, { productIds }: { productIds: readonly string[] }) => levelsOf(productIds),
  },
  Mutation: {
    adjustStock: (_: unknown, args: Parameters<typeof adjustStock>[0]) => adjustStock(args),
  },
};

const { values } = parseArgs({
  options: { port: { type: "string", default: "4003" }, "data-dir": { type: "string" } },
});

await serveService({
  name: "inventory",
  protocol: "graphql",
  port: Number(values.port),
  dataDir: values["data-dir"],
  // What the node shows in `catalyst status`; asked at every renewal of the lease, and by /healthz.
  health: () => ({
    healthy: stock.size > 0,
    detail: `${stock.size} products in ${warehouses.size} warehouses`,
  }),
  listener: createYoga({ schema: createSchema({ typeDefs, resolvers }), graphiql: false, logging: false }),
});
