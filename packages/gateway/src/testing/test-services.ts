import {
  createServer,
  request as httpRequest,
  type IncomingMessage,
  type RequestListener,
  type Server,
  type ServerResponse,
} from "node:http";
import type { AddressInfo } from "node:net";
import { buildSubgraphSchema } from "@apollo/subgraph";
import { type DocumentNode, parse } from "graphql";
import { createPubSub, createSchema, createYoga, type YogaServerInstance } from "graphql-yoga";

/** What a service saw of one request. */
export type SeenRequest = {
  readonly headers: IncomingMessage["headers"];
  readonly query: string;
  readonly variables: unknown;
};

/** A server on a port of its own that remembers the GraphQL requests it got. */
export type TestService = AsyncDisposable & {
  readonly port: number;
  readonly seen: SeenRequest[];
  /** Requests whose answers have not been sent yet, and open event streams. */
  open: number;
  /** Closes the port and every connection. */
  stop(): Promise<void>;
};

export const domain = "acme.catalyst.internal";

type SubgraphModule = Exclude<
  Extract<Parameters<typeof buildSubgraphSchema>[0], unknown[]>[number],
  DocumentNode
>;
type SubgraphResolvers = NonNullable<SubgraphModule["resolvers"]>;
type Resolvers = NonNullable<Parameters<typeof createSchema>[0]["resolvers"]>;

export async function listen(listener: RequestListener, port = 0): Promise<{ server: Server; port: number }> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  return { server, port: (server.address() as AddressInfo).port };
}

export async function stop(server: Server): Promise<void> {
  const closed = new Promise((resolve) => server.close(resolve));
  server.closeAllConnections();
  await closed;
}

/** Serves any listener as a service. */
export async function serveRaw(listener: RequestListener, port = 0): Promise<TestService> {
  const seen: SeenRequest[] = [];
  const { server, port: actual } = await listen((request, response) => {
    service.open += 1;
    response.on("close", () => {
      service.open -= 1;
    });
    listener(request, response);
  }, port);
  const end = () => (server.listening ? stop(server) : Promise.resolve());
  const service: TestService = { port: actual, seen, open: 0, stop: end, [Symbol.asyncDispose]: end };
  return service;
}

async function serveYoga(
  yoga: YogaServerInstance<object, object>,
  seen: SeenRequest[],
  port = 0,
): Promise<TestService> {
  const service = await serveRaw((request, response) => void yoga(request, response), port);
  return Object.assign(service, { seen });
}

function recording(seen: SeenRequest[]) {
  return {
    onParams({ request, params }: { request: Request; params: { query?: string; variables?: unknown } }) {
      const headers = Object.fromEntries(request.headers);
      seen.push({ headers, query: params.query ?? "", variables: params.variables });
    },
  };
}

/** SDL as a federation 2 subgraph has it. */
export function subgraphSdl(sdl: string): string {
  const url = "https://specs.apollo.dev/federation/v2.3";
  return `extend schema @link(url: "${url}", import: ["@key", "@shareable", "@external", "@requires"])\n${sdl}`;
}

/** A federation 2 subgraph. */
export async function serveSubgraph(sdl: string, resolvers: Resolvers, port = 0): Promise<TestService> {
  const seen: SeenRequest[] = [];
  const schema = buildSubgraphSchema([
    { typeDefs: parse(subgraphSdl(sdl)), resolvers: resolvers as SubgraphResolvers },
  ]);
  const yoga = createYoga({ schema, plugins: [recording(seen)], logging: false, maskedErrors: false });
  return await serveYoga(yoga, seen, port);
}

/** A GraphQL service that knows nothing of federation. */
export async function servePlain(sdl: string, resolvers: Resolvers, port = 0): Promise<TestService> {
  const seen: SeenRequest[] = [];
  const schema = createSchema({ typeDefs: sdl, resolvers });
  const yoga = createYoga({ schema, plugins: [recording(seen)], logging: false, maskedErrors: false });
  return await serveYoga(yoga, seen, port);
}

export const productsSdl = `
  type Product @key(fields: "id") { id: ID! name: String! price: Float! }
  type Query { products: [Product!]! product(id: ID!): Product }
  type Mutation { rename(id: ID!, name: String!): Product! }
`;

export async function serveProducts(port = 0, delayMs = 0): Promise<TestService> {
  const products = [
    { id: "1", name: "Anvil", price: 90 },
    { id: "2", name: "Rope", price: 7.5 },
  ];
  const find = (id: string) => products.find((product) => product.id === id);
  const resolvers = {
    Query: { products: () => products, product: (_: unknown, { id }: { id: string }) => find(id) },
    Mutation: {
      async rename(_: unknown, { id, name }: { id: string; name: string }) {
        await new Promise((resolve) => setTimeout(resolve, delayMs).unref());
        return Object.assign(find(id) ?? {}, { name });
      },
    },
    Product: { __resolveReference: ({ id }: { id: string }) => find(id) },
  };
  return await serveSubgraph(productsSdl, resolvers, port);
}

export const reviewsSdl = `
  type Review @key(fields: "id") { id: ID! body: String! product: Product! }
  type Product @key(fields: "id") { id: ID! reviews: [Review!]! }
  type Query { reviews: [Review!]! }
  type Mutation { addReview(productId: ID!, body: String!): Review! }
  type Subscription { reviewAdded: Review! }
`;

type Review = { readonly id: string; readonly productId: string; readonly body: string };

export async function serveReviews(port = 0): Promise<TestService> {
  const reviews: Review[] = [
    { id: "r1", productId: "1", body: "Heavy" },
    { id: "r2", productId: "1", body: "Loud" },
    { id: "r3", productId: "2", body: "Long" },
  ];
  const added = createPubSub<{ added: [Review] }>();
  const resolvers = {
    Query: { reviews: () => reviews },
    Mutation: {
      addReview(_: unknown, { productId, body }: { productId: string; body: string }) {
        const review = { id: `r${reviews.length + 1}`, productId, body };
        reviews.push(review);
        added.publish("added", review);
        return review;
      },
    },
    Subscription: {
      reviewAdded: { subscribe: () => added.subscribe("added"), resolve: (review: Review) => review },
    },
    Review: {
      __resolveReference: ({ id }: { id: string }) => reviews.find((review) => review.id === id),
      product: ({ productId }: Review) => ({ id: productId }),
    },
    Product: {
      reviews: ({ id }: { id: string }) => reviews.filter(({ productId }) => productId === id),
    },
  };
  return await serveSubgraph(reviewsSdl, resolvers, port);
}

export async function serveInventory(port = 0): Promise<TestService> {
  const sdl = `
    type Stock { sku: ID! count: Int! }
    type Query { stock(sku: ID!): Stock }
    type Mutation { setStock(sku: ID!, count: Int!): Stock! }
    type Subscription { stockTicks: Stock! }
  `;
  const counts = new Map([["1", 5]]);
  const resolvers = {
    Query: { stock: (_: unknown, { sku }: { sku: string }) => ({ sku, count: counts.get(sku) ?? 0 }) },
    Mutation: {
      setStock(_: unknown, { sku, count }: { sku: string; count: number }) {
        counts.set(sku, count);
        return { sku, count };
      },
    },
    Subscription: {
      stockTicks: {
        async *subscribe() {
          for (const count of [1, 2]) yield { stockTicks: { sku: "1", count } };
        },
      },
    },
  };
  return await servePlain(sdl, resolvers, port);
}

/** Stands for Envoy's egress listener: forwards by Host, answers 503 when the service does not. */
export type TestEgress = AsyncDisposable & {
  readonly host: string;
  readonly port: number;
  readonly routes: Map<string, number>;
};

export async function serveEgress(): Promise<TestEgress> {
  const routes = new Map<string, number>();
  const { server, port } = await listen((request, response) => {
    const name = request.headers.host?.split(".")[0] ?? "";
    const target = routes.get(name);
    if (target === undefined) return void response.writeHead(404).end();
    forward(request, response, target);
  });
  const host = "127.0.0.1";
  return { host, port, routes, [Symbol.asyncDispose]: () => stop(server) };
}

function forward(request: IncomingMessage, response: ServerResponse, port: number): void {
  const { method, url, headers } = request;
  const upstream = httpRequest({ host: "127.0.0.1", port, method, path: url, headers, agent: false });
  upstream.on("response", (answer) => {
    response.writeHead(answer.statusCode ?? 502, answer.headers);
    answer.on("error", () => response.destroy());
    answer.pipe(response);
  });
  upstream.on("error", () => {
    if (response.headersSent) response.destroy();
    else response.writeHead(503).end("upstream connect error");
  });
  response.on("close", () => upstream.destroy());
  request.pipe(upstream);
}
