import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { buildSchema, type ExecutionResult, lexicographicSortSchema, parse, printSchema } from "graphql";
import { Composer } from "../schema/composition.ts";
import { createSchemaFetch } from "../schema/schema-source.ts";
import { type RequestScope, type ServiceTarget, serviceSchema } from "../service.ts";
import { scopeOf, silentEvents, targetOf } from "../testing/test-gateway.ts";
import {
  serveEgress,
  serveInventory,
  servePlain,
  serveProducts,
  serveRaw,
  serveReviews,
  serveSubgraph,
  type TestEgress,
  type TestService,
} from "../testing/test-services.ts";
import { until } from "../testing/test-until.ts";
import { createUpstream, type Upstream } from "../upstream/upstream.ts";
import { upstreamOptions } from "../upstream/upstream-options.ts";
import type { EngineSchema, GatewayEngine, ResultStream } from "./engine.ts";
import { writeResult } from "./json-text.ts";

/** The shop that every engine is tried on, over real HTTP. */
type Shop = AsyncDisposable & {
  readonly services: Readonly<Record<"products" | "reviews" | "inventory", TestService>>;
  readonly egress: TestEgress;
  readonly upstream: Upstream;
  readonly compiled: EngineSchema;
  query(query: string, scope?: RequestScope): Promise<ExecutionResult>;
  subscribe(query: string, scope?: RequestScope): Promise<ResultStream>;
};

type ServedTogether = Readonly<Record<string, TestService>>;

async function compileOver(
  createEngine: (upstream: Upstream) => GatewayEngine,
  services: ServedTogether,
  overrides: Partial<ServiceTarget> = {},
) {
  const egress = await serveEgress();
  for (const [name, { port }] of Object.entries(services)) egress.routes.set(name, port);
  const upstream = createUpstream(
    silentEvents,
    upstreamOptions.parse({ connections: 16, maxBytes: 1_000_000 }),
  );
  upstream.useEgress(egress);
  const fetchSchema = createSchemaFetch(upstream, { maxBytes: 1_000_000 });
  const inputs = await Promise.all(
    Object.keys(services).map(async (name) => {
      const target = targetOf(name, overrides);
      return { target, schema: await fetchSchema({ ...target, timeoutMs: 30_000 }, scopeOf()) };
    }),
  );
  const composition = new Composer().compose(inputs);
  assert.ok(composition.ok, JSON.stringify(composition));
  const compiled = await createEngine(upstream).compile(composition.input);
  for (const service of Object.values(services)) service.seen.length = 0;
  return { egress, upstream, compiled };
}

async function openShop(
  createEngine: (upstream: Upstream) => GatewayEngine,
  overrides: Partial<ServiceTarget> = {},
): Promise<Shop> {
  const services = {
    products: await serveProducts(),
    reviews: await serveReviews(),
    inventory: await serveInventory(),
  };
  const { egress, upstream, compiled } = await compileOver(createEngine, services, overrides);
  return {
    services,
    egress,
    upstream,
    compiled,
    async query(query, scope = scopeOf()) {
      const result = await compiled.execute({ document: parse(query), scope });
      return JSON.parse(writeResult(result).toString()) as ExecutionResult;
    },
    async subscribe(query, scope = scopeOf()) {
      const stream = await compiled.subscribe({ document: parse(query), scope });
      assert.ok(Symbol.asyncIterator in stream, JSON.stringify(stream));
      return stream;
    },
    async [Symbol.asyncDispose]() {
      await upstream[Symbol.asyncDispose]();
      await egress[Symbol.asyncDispose]();
      await Promise.all(Object.values(services).map((service) => service.stop()));
    },
  };
}

/** What every {@link GatewayEngine} keeps, tried over real services. */
export function engineContract(name: string, createEngine: (upstream: Upstream) => GatewayEngine): void {
  describe(`the engine ${name}: answers`, () => answerContract(createEngine));
  describe(`the engine ${name}: what clients see`, () => visibilityContract(createEngine));
  describe(`the engine ${name}: failing services`, () => failureContract(createEngine));
  describe(`the engine ${name}: isolation of requests`, () => isolationContract(createEngine));
  describe(`the engine ${name}: subscriptions`, () => subscriptionContract(createEngine));
}

function answerContract(createEngine: (upstream: Upstream) => GatewayEngine): void {
  it("joins an entity's fields from another service, in both directions", async () => {
    await using shop = await openShop(createEngine);
    assert.deepEqual(
      plain(await shop.query("{ product(id: 1) { name reviews { body product { price } } } }")),
      {
        data: {
          product: {
            name: "Anvil",
            reviews: [
              { body: "Heavy", product: { price: 90 } },
              { body: "Loud", product: { price: 90 } },
            ],
          },
        },
      },
    );
    assert.deepEqual(plain(await shop.query("{ reviews { product { name } } }")), {
      data: {
        reviews: ["Anvil", "Anvil", "Rope"].map((product) => ({ product: { name: product } })),
      },
    });
  });

  it("asks once for all entities of a list", async () => {
    await using shop = await openShop(createEngine);
    await shop.query("{ reviews { product { name } } }");
    assert.equal(shop.services.reviews.seen.length, 1);
    assert.equal(shop.services.products.seen.length, 1);
  });

  it("serves a plain service in the same operation, with aliases, fragments and variables", async () => {
    await using shop = await openShop(createEngine);
    const document = parse(`
      query Both($sku: ID!) { left: stock(sku: $sku) { ...S } right: stock(sku: "2") { ...S } products { __typename n: name } }
      fragment S on Stock { sku count }
    `);
    const operation = { document, variables: { sku: "1" }, operationName: "Both", scope: scopeOf() };
    assert.deepEqual(plain(await shop.compiled.execute(operation)), {
      data: {
        left: { sku: "1", count: 5 },
        right: { sku: "2", count: 0 },
        products: [
          { __typename: "Product", n: "Anvil" },
          { __typename: "Product", n: "Rope" },
        ],
      },
    });
  });

  it("runs the mutations of one operation in order, each once", async () => {
    await using shop = await openShop(createEngine);
    const result = await shop.query(`mutation {
      first: setStock(sku: "1", count: 1) { count }
      review: addReview(productId: "2", body: "Strong") { id product { name } }
      last: setStock(sku: "1", count: 2) { count }
    }`);
    assert.deepEqual(plain(result), {
      data: { first: { count: 1 }, review: { id: "r4", product: { name: "Rope" } }, last: { count: 2 } },
    });
    assert.deepEqual(plain(await shop.query(`{ stock(sku: "1") { count } }`)), {
      data: { stock: { count: 2 } },
    });
    const mutations = shop.services.reviews.seen.filter(({ query }) => query.startsWith("mutation"));
    assert.equal(mutations.length, 1);
  });

  it("shows clients nothing that federation adds", async () => {
    await using shop = await openShop(createEngine);
    const sdl = printSchema(shop.compiled.schema);
    assert.doesNotMatch(sdl, /_service|_entities|_Any|join__|link__|@key/);
  });

  it("takes a type that a plain service and a subgraph define alike for one", async () => {
    const stamp = "type Stamp @shareable { at: Int! by: String! }";
    const value = (at: number) => ({ at, by: "me" });
    await using sub = await serveSubgraph(`${stamp} type Query { one: Stamp! }`, {
      Query: { one: () => value(1) },
    });
    await using plainly = await servePlain("type Stamp { by: String! at: Int! } type Query { two: Stamp! }", {
      Query: { two: () => value(2) },
    });
    const { egress, upstream, compiled } = await compileOver(createEngine, { sub, plainly });
    await using _egress = egress;
    await using _upstream = upstream;
    const document = parse("{ one { at by } two { at by } }");
    assert.deepEqual(plain(await compiled.execute({ document, scope: scopeOf() })), {
      data: { one: value(1), two: value(2) },
    });
    assert.equal(sub.seen.length, 1);
    assert.equal(plainly.seen.length, 1);
  });

  it("resolves interfaces whose implementations come from several services", async () => {
    const media = 'interface Media @key(fields: "id") { id: ID! title: String! }';
    await using books = await serveSubgraph(
      `${media} type Book implements Media @key(fields: "id") { id: ID! title: String! pages: Int! } type Query { media: [Media!]! }`,
      {
        Query: { media: () => [{ __typename: "Book", id: "b1", title: "Sand", pages: 3 }] },
        Media: { __resolveType: () => "Book" },
        Book: { __resolveReference: ({ id }: { id: string }) => ({ id, title: "Sand", pages: 3 }) },
      },
    );
    await using loans = await serveSubgraph(
      `type Book @key(fields: "id") { id: ID! lent: Boolean! } type Query { loans: Int! }`,
      { Query: { loans: () => 1 }, Book: { lent: () => true } },
    );
    const { egress, upstream, compiled } = await compileOver(createEngine, { books, loans });
    await using _egress = egress;
    await using _upstream = upstream;
    const document = parse("{ media { __typename title ... on Book { pages lent } } loans }");
    assert.deepEqual(plain(await compiled.execute({ document, scope: scopeOf() })), {
      data: { media: [{ __typename: "Book", title: "Sand", pages: 3, lent: true }], loans: 1 },
    });
  });
}

function visibilityContract(createEngine: (upstream: Upstream) => GatewayEngine): void {
  it("hides from clients what subgraphs call inaccessible, also of a type that others have too", async () => {
    const link = `extend schema @link(url: "https://specs.apollo.dev/federation/v2.3", import: ["@key", "@inaccessible"])`;
    const part = (field: string) =>
      `${link} type Book @key(fields: "id") { id: ID! ${field}: Int secret${field}: Int @inaccessible }
       enum Size { SMALL LARGE @inaccessible } type Query { ${field}s: [Book] ${field}Size: Size hidden${field}: Int @inaccessible }`;
    const inputs = ["a", "b"].map((name) => ({
      target: targetOf(name),
      schema: serviceSchema("federation", part(name)),
    }));
    const composition = new Composer().compose(inputs);
    assert.ok(composition.ok, JSON.stringify(composition));
    await using upstream = createUpstream(
      silentEvents,
      upstreamOptions.parse({ connections: 1, maxBytes: 1_024 }),
    );
    const { schema } = await createEngine(upstream).compile(composition.input);
    assert.equal(
      printSchema(lexicographicSortSchema(schema)),
      printSchema(
        buildSchema(`type Book { a: Int b: Int id: ID! }
          type Query { aSize: Size as: [Book] bSize: Size bs: [Book] }
          enum Size { SMALL }`),
      ),
    );
  });
}

function failureContract(createEngine: (upstream: Upstream) => GatewayEngine): void {
  const query = "{ product(id: 1) { name } reviews { body } stock(sku: 1) { count } }";
  const rest = { reviews: ["Heavy", "Loud", "Long"].map((body) => ({ body })), stock: { count: 5 } };

  async function replaced(shop: Shop, listener: Parameters<typeof serveRaw>[0]): Promise<TestService> {
    const service = await serveRaw(listener);
    shop.egress.routes.set("products", service.port);
    return service;
  }

  it("gives null and SERVICE_UNAVAILABLE for what a service that is down owns, and the rest", async () => {
    await using shop = await openShop(createEngine);
    await shop.services.products.stop();
    const { data, errors } = plain(await shop.query(query));
    assert.deepEqual(data, { product: null, ...rest });
    assert.deepEqual(errors, [
      {
        message: 'Service "products" answered 503 to the request.',
        path: ["product"],
        extensions: { code: "SERVICE_UNAVAILABLE", service: "products" },
      },
    ]);
  });

  it("gives SERVICE_TIMEOUT for a service that takes longer than its timeoutMs", async () => {
    await using shop = await openShop(createEngine, { timeoutMs: 800 });
    await using _slow = await replaced(shop, () => undefined);
    const { data, errors } = plain(await shop.query(query));
    assert.deepEqual(data, { product: null, ...rest });
    assert.deepEqual(errors?.[0]?.extensions, { code: "SERVICE_TIMEOUT", service: "products" });
    assert.match(errors?.[0]?.message ?? "", /did not answer the request within 800 ms/);
  });

  for (const [what, body] of [
    ["HTML", "<html>"],
    ["JSON that is no GraphQL result", `{"hello": 1}`],
    ["a result whose data is no object", `{"data": 7}`],
  ] as const) {
    it(`gives SERVICE_BAD_RESPONSE for ${what}`, async () => {
      await using shop = await openShop(createEngine);
      await using _garbage = await replaced(shop, (_, response) => void response.end(body));
      const { data, errors } = plain(await shop.query(query));
      assert.deepEqual(data, { product: null, ...rest });
      assert.deepEqual(errors?.[0]?.extensions, { code: "SERVICE_BAD_RESPONSE", service: "products" });
    });
  }

  for (const [what, query, data, rest] of [
    [
      "null where its schema has none",
      "{ product(id: 1) { name } }",
      { product: { name: null } },
      { product: null },
    ],
    ["text for a number", "{ product(id: 1) { price } }", { product: { price: "much" } }, { product: null }],
    ["an object for a list", "{ products { name } }", { products: {} }, null],
  ] as const) {
    it(`gives SERVICE_BAD_RESPONSE for ${what}`, async () => {
      await using shop = await openShop(createEngine);
      await using _odd = await replaced(shop, (_, response) => void response.end(JSON.stringify({ data })));
      const answer = plain(await shop.query(query));
      assert.deepEqual(answer.data, rest);
      const [error] = answer.errors ?? [];
      assert.deepEqual(error?.extensions, { code: "SERVICE_BAD_RESPONSE", service: "products" });
      assert.match(
        error?.message ?? "",
        /^Service "products" answered with what its schema does not allow: /,
      );
    });
  }

  it("fails the joined fields alone when the service of a join is down", async () => {
    await using shop = await openShop(createEngine);
    await shop.services.reviews.stop();
    const { data, errors } = plain(await shop.query("{ product(id: 1) { name } products { name } }"));
    assert.equal(errors, undefined);
    assert.deepEqual(data?.["product"], { name: "Anvil" });
    const joined = plain(await shop.query("{ stock(sku: 1) { count } product(id: 1) { reviews { body } } }"));
    assert.deepEqual(joined.data, { stock: { count: 5 }, product: null });
    assert.deepEqual(joined.errors?.[0]?.extensions, { code: "SERVICE_UNAVAILABLE", service: "reviews" });
  });

  it("passes a service's own errors on with its name and their path, but not what would steer HTTP", async () => {
    await using shop = await openShop(createEngine);
    const errors = [
      {
        message: "Not for you",
        path: ["product"],
        extensions: { code: "FORBIDDEN", http: { status: 403, headers: { "set-cookie": "a=b" } } },
      },
    ];
    const body = JSON.stringify({ data: { product: null }, errors });
    await using _own = await replaced(shop, (_, response) => void response.end(body));
    assert.deepEqual(plain(await shop.query("{ product(id: 1) { name } }")).errors, [
      { message: "Not for you", path: ["product"], extensions: { code: "FORBIDDEN", service: "products" } },
    ]);
  });
}

function isolationContract(createEngine: (upstream: Upstream) => GatewayEngine): void {
  it("never joins sub-requests of different callers, however equal and simultaneous", async () => {
    await using shop = await openShop(createEngine);
    const callers = Array.from({ length: 20 }, (_, i) =>
      scopeOf({ headers: { authorization: `Bearer ${i}` } }),
    );
    const document = parse("{ reviews { product { name } } }");
    await Promise.all(callers.map((scope) => shop.compiled.execute({ document, scope })));
    for (const service of [shop.services.reviews, shop.services.products]) {
      const seen = service.seen.map(({ headers }) => `${headers.authorization} ${headers["x-request-id"]}`);
      const expected = callers.map(({ headers, requestId }) => `${headers["authorization"]} ${requestId}`);
      assert.deepEqual(seen.sort(), expected.sort());
    }
  });

  it("sends the Host of the service, and joins what one caller asks of one service at a time", async () => {
    await using shop = await openShop(createEngine);
    await shop.query("{ a: product(id: 1) { name } b: product(id: 2) { name } }");
    assert.equal(shop.services.products.seen.length, 1);
    assert.equal(shop.services.products.seen[0]?.headers.host, targetOf("products").host);
  });

  it("ends sub-requests when the scope is aborted", async () => {
    await using shop = await openShop(createEngine);
    await using slow = await serveRaw(() => undefined);
    shop.egress.routes.set("products", slow.port);
    const abort = new AbortController();
    const result = shop.query("{ products { name } }", scopeOf({ signal: abort.signal }));
    await until(() => slow.open === 1);
    abort.abort();
    assert.equal((await result).errors?.length, 1);
    await until(() => slow.open === 0);
  });
}

function subscriptionContract(createEngine: (upstream: Upstream) => GatewayEngine): void {
  const added = "subscription { reviewAdded { body product { name } } }";
  const add = (body: string) => `mutation { addReview(productId: "1", body: "${body}") { id } }`;

  it("joins other services into every event", async () => {
    await using shop = await openShop(createEngine);
    const stream = await shop.subscribe(added);
    for (const body of ["one", "two"]) {
      const next = stream.next();
      await until(() => shop.services.reviews.open === 1);
      await shop.query(add(body));
      const event = await next;
      assert.deepEqual(plain(event.value), { data: { reviewAdded: { body, product: { name: "Anvil" } } } });
    }
    await stream.return?.();
  });

  it("ends when the service completes it", async () => {
    await using shop = await openShop(createEngine);
    const counts: unknown[] = [];
    for await (const { data } of await shop.subscribe("subscription { stockTicks { count } }"))
      counts.push(plain(data));
    assert.deepEqual(counts, [{ stockTicks: { count: 1 } }, { stockTicks: { count: 2 } }]);
  });

  it("closes the service's stream at once when its reader leaves, also between events", async () => {
    await using shop = await openShop(createEngine);
    const stream = await shop.subscribe(added);
    const pending = stream.next();
    await until(() => shop.services.reviews.open === 1);
    await stream.return?.();
    assert.equal((await pending).done, true);
    await until(() => shop.services.reviews.open === 0);
  });

  it("closes the service's stream when the scope is aborted", async () => {
    await using shop = await openShop(createEngine);
    const abort = new AbortController();
    const stream = await shop.subscribe(added, scopeOf({ signal: abort.signal }));
    const pending = stream.next();
    await until(() => shop.services.reviews.open === 1);
    abort.abort();
    assert.equal((await pending).done, true);
    await until(() => shop.services.reviews.open === 0);
  });

  it("answers with an error that names the service when it cannot begin", async () => {
    await using shop = await openShop(createEngine);
    await shop.services.reviews.stop();
    const result = await shop.compiled.subscribe({ document: parse(added), scope: scopeOf() });
    assert.ok(!(Symbol.asyncIterator in result));
    assert.deepEqual(result.errors?.[0]?.extensions, { code: "SERVICE_UNAVAILABLE", service: "reviews" });
  });

  it("ends with an error that names the service when the service breaks off", async () => {
    await using shop = await openShop(createEngine);
    const stream = await shop.subscribe(added);
    const pending = stream.next();
    await until(() => shop.services.reviews.open === 1);
    await shop.services.reviews.stop();
    const { value } = await pending;
    assert.deepEqual(value.errors?.[0]?.extensions, { code: "SERVICE_UNAVAILABLE", service: "reviews" });
    assert.equal((await stream.next()).done, true);
  });
}

/** The value as a client would read it. */
function plain<T>(value: T): T {
  return JSON.parse(JSON.stringify(value), (key, inner) => (key === "locations" ? undefined : inner));
}
