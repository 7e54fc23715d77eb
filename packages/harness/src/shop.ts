import { plainService, subgraph, type TestService } from "./test-service.ts";

/** Products that reviews extend: the smallest federation that joins both ways. */
export async function shop(): Promise<{ products: TestService; reviews: TestService } & AsyncDisposable> {
  const names = new Map([
    ["1", "Lamp"],
    ["2", "Desk"],
  ]);
  const product = (id: string) => ({ id, name: names.get(id) ?? `Product ${id}` });
  const products = await subgraph(
    "products",
    `type Product @key(fields: "id") { id: ID! name: String! }
     type Query { products: [Product!]! product(id: ID!): Product }
     type Mutation { rename(id: ID!, name: String!): Product! }`,
    {
      Query: {
        products: () => [...names.keys()].map(product),
        product: (_: unknown, { id }: { id: string }) => (names.has(id) ? product(id) : null),
      },
      Mutation: {
        rename: (_: unknown, { id, name }: { id: string; name: string }) => {
          names.set(id, name);
          return product(id);
        },
      },
      Product: { __resolveReference: ({ id }: { id: string }) => product(id) },
    },
  );
  const reviews = await subgraph(
    "reviews",
    `type Review { id: ID! rating: Int! product: Product! }
     type Product @key(fields: "id") { id: ID! reviews: [Review!]! }
     type Query { reviews: [Review!]! }`,
    {
      Query: { reviews: () => [{ id: "r1", rating: 5, productId: "1" }] },
      Review: { product: ({ productId }: { productId: string }) => ({ id: productId }) },
      Product: {
        reviews: ({ id }: { id: string }) => (id === "1" ? [{ id: "r1", rating: 5, productId: "1" }] : []),
      },
    },
  );
  return {
    products,
    reviews,
    [Symbol.asyncDispose]: async () => {
      await products[Symbol.asyncDispose]();
      await reviews[Symbol.asyncDispose]();
    },
  };
}

/** A plain GraphQL service with one root field of its own. */
export function clock(name = "clock"): Promise<TestService> {
  return plainService(name, `type Query { ${name}: String! }`, { Query: { [name]: () => "12:00" } });
}
