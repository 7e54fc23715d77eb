import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import { buildSubgraphSchema } from "@apollo/subgraph";
import { type ExecutionResult, execute, parse, subscribe } from "graphql";
import { Composer } from "../../schema/composition.ts";
import { type RequestScope, serviceSchema } from "../../service.ts";
import type { SubRequest, Upstream } from "../../upstream/upstream.ts";
import type { EngineSchema, ResultStream } from "../engine.ts";
import { PlanFailure } from "../plan-failure.ts";
import { createPlannedEngine } from "./planned-engine.ts";
import { Planner } from "./planner.ts";

const planner = new Planner();
after(() => planner[Symbol.asyncDispose]());

type Resolvers = Record<string, Record<string, unknown>>;
type Services = Readonly<Record<string, { readonly sdl: string; readonly resolvers: Resolvers }>>;
type Asked = { readonly service: string; readonly query: string; readonly variables: unknown };
/** Changes what a service answers. */
type Tamper = (service: string, result: ExecutionResult) => ExecutionResult;

const link = `extend schema @link(url: "https://specs.apollo.dev/federation/v2.3", import: ["@key", "@shareable", "@interfaceObject"])\n`;

/** Services in this process, asked as the real upstream asks them. */
async function serve(
  services: Services,
  tamper: Tamper = (_, result) => result,
  planning: Pick<Planner, "load" | typeof Symbol.asyncDispose> = planner,
) {
  const asked: Asked[] = [];
  const schemas = new Map(
    Object.entries(services).map(([name, { sdl, resolvers }]) => [
      name,
      buildSubgraphSchema([{ typeDefs: parse(link + sdl), resolvers: resolvers as never }]),
    ]),
  );
  const read = (name: string, { operation, variables }: SubRequest) => {
    const schema = schemas.get(name);
    assert.ok(schema);
    const given = typeof variables === "string" ? JSON.parse(variables) : (variables ?? {});
    asked.push({ service: name, query: operation.query, variables: given });
    return { schema, document: parse(operation.query), variableValues: given };
  };
  const copy = <T>(value: T): T => JSON.parse(JSON.stringify(value));
  const upstream = {
    execute: async ({ name }: { name: string }, request: SubRequest) =>
      copy(tamper(name, copy(await execute(read(name, request))))),
    async subscribe({ name }: { name: string }, request: SubRequest, scope: RequestScope) {
      const events = await subscribe(read(name, request));
      assert.ok(Symbol.asyncIterator in events);
      const gone = new Promise<null>((resolve) =>
        scope.signal.addEventListener("abort", () => resolve(null)),
      );
      return (async function* () {
        for (;;) {
          const event = await Promise.race([events.next(), gone]);
          if (event === null || event.done === true) return;
          yield copy(event.value);
        }
      })();
    },
  } as unknown as Upstream;
  const inputs = Object.entries(services).map(([name, { sdl }]) => ({
    target: { name, host: `${name}.test`, path: "/graphql", timeoutMs: 1_000, revision: "1" },
    schema: serviceSchema("federation", link + sdl),
  }));
  const engine = createPlannedEngine(upstream, planning);
  const compile = async () => {
    const composition = new Composer().compose(inputs);
    assert.ok(composition.ok, JSON.stringify(composition));
    return await engine.compile(composition.input);
  };
  const schema = await compile();
  return { schema, asked, compile, query: (query: string, variables = {}) => run(schema, query, variables) };
}

async function run(schema: EngineSchema, query: string, variables: Record<string, unknown> = {}) {
  const result = await schema.execute({ document: parse(query), variables, scope: scope() });
  return JSON.parse(JSON.stringify(result)) as ExecutionResult;
}

function scope(): RequestScope {
  return { requestId: "test", headers: {}, signal: new AbortController().signal };
}

const items = [
  { id: "1", name: "Anvil" },
  { id: "2", name: "Rope" },
];
const shop: Services = {
  products: {
    sdl: `type Product @key(fields: "id") { id: ID! name(upper: Boolean = false): String! }
      type Query { products: [Product!]! product(id: ID!): Product }`,
    resolvers: {
      Query: {
        products: () => items,
        product: (_: unknown, { id }: { id: string }) => items.find((item) => item.id === id),
      },
      Product: {
        name: ({ name }: { name: string }, { upper }: { upper: boolean }) =>
          upper ? name.toUpperCase() : name,
        __resolveReference: ({ id }: { id: string }) => items.find((item) => item.id === id),
      },
    },
  },
  prices: {
    sdl: `type Product @key(fields: "id") { id: ID! price: Price } type Price { amount: Int! currency: String }`,
    resolvers: {
      Product: { price: ({ id }: { id: string }) => ({ amount: Number(id) * 10, currency: "EUR" }) },
    },
  },
};

describe("the planned engine", () => {
  it("lets no service speak for the fields of another", async () => {
    const { query } = await serve(shop, (service, result) => {
      if (service !== "products") return result;
      const [first] = (result.data?.["products"] ?? []) as Record<string, unknown>[];
      Object.assign(first ?? {}, { price: { amount: 0 }, ["__proto__"]: { price: { amount: 0 } } });
      return result;
    });
    const { data } = await query("{ products { name price { amount } } }");
    assert.deepEqual(data?.["products"], [
      { name: "Anvil", price: { amount: 10 } },
      { name: "Rope", price: { amount: 20 } },
    ]);
  });

  it("keeps clients' aliases apart from the keys that it needs itself", async () => {
    const { query } = await serve(shop);
    const { data, errors } = await query(
      `{ products { id: name __typename: id __proto__: name(upper: true) constructor: id price { amount } } }`,
    );
    assert.equal(errors, undefined);
    assert.equal(
      JSON.stringify(data),
      `{"products":[{"id":"Anvil","__typename":"1","__proto__":"ANVIL","constructor":"1","price":{"amount":10}},` +
        `{"id":"Rope","__typename":"2","__proto__":"ROPE","constructor":"2","price":{"amount":20}}]}`,
    );
  });

  it("loses no alias of a field with another that failed", async () => {
    const { query } = await serve(shop, (service, { data }) => {
      if (service !== "products") return { data: data ?? null };
      const [first, second] = Object.keys(data ?? {});
      const errors = [{ message: "gone", path: [second, 0, "name"] }];
      return { data: { [String(first)]: data?.[String(first)], [String(second)]: null }, errors } as never;
    });
    const { data, errors } = await query("{ a: product(id: 1) { id } b: product(id: 1) { name } }");
    assert.deepEqual(data, { a: { id: "1" }, b: null });
    assert.equal(errors?.length, 1);
  });

  it("asks for each entity once, and for those of several places in one request", async () => {
    const { query, asked } = await serve(shop);
    const price = "price { amount }";
    const { data } = await query(
      `{ products { ${price} } a: product(id: 1) { ${price} } b: product(id: 2) { price { currency } } }`,
    );
    assert.deepEqual(data, {
      products: [{ price: { amount: 10 } }, { price: { amount: 20 } }],
      a: { price: { amount: 10 } },
      b: { price: { currency: "EUR" } },
    });
    assert.equal(asked.filter(({ service }) => service === "prices").length, 1);
  });

  it("includes and skips by variables, each assignment of them anew", async () => {
    const { query, asked } = await serve(shop);
    const text = `query Q($price: Boolean!, $name: Boolean = true) {
      product(id: 1) { id name @include(if: $name) ... @include(if: $price) { price { amount } } } }`;
    for (const [variables, product] of [
      [{ price: true }, { id: "1", name: "Anvil", price: { amount: 10 } }],
      [{ price: false }, { id: "1", name: "Anvil" }],
      [
        { price: true, name: false },
        { id: "1", price: { amount: 10 } },
      ],
    ] as const) {
      assert.deepEqual((await query(text, variables)).data, { product });
    }
    assert.equal(asked.filter(({ service }) => service === "prices").length, 2);
  });

  it("refuses variables of another type before anything is asked", async () => {
    const { query, asked } = await serve(shop);
    const { data, errors } = await query("query Q($id: ID!) { product(id: $id) { id } }", { id: { a: 1 } });
    assert.equal(data, undefined);
    assert.match(errors?.[0]?.message ?? "", /\$id/);
    assert.deepEqual(asked, []);
  });

  it("finishes each field of a mutation, with what is joined to it, before the next", async () => {
    const log: string[] = [];
    const { query, asked } = await serve({
      products: {
        sdl: `type Product @key(fields: "id") { id: ID! } type Query { a: Int } type Mutation { first: Product second: Product }`,
        resolvers: {
          Mutation: {
            first: () => ({ id: String(log.push("first")) }),
            second: () => ({ id: String(log.push("second")) }),
          },
        },
      },
      prices: {
        sdl: `type Product @key(fields: "id") { id: ID! price: Int }`,
        resolvers: { Product: { price: ({ id }: { id: string }) => log.push(`price ${id}`) } },
      },
    });
    const { data } = await query("mutation { first { price } second { price } }");
    assert.deepEqual(log, ["first", "price 1", "second", "price 3"]);
    assert.deepEqual(data, { first: { price: 2 }, second: { price: 4 } });
    assert.equal(asked.length, 4);
  });

  it("answers about its schema by itself, beside what it fetches", async () => {
    const { query, asked } = await serve(shop);
    const { data } = await query(
      `query Q($name: String!) { kind: __typename ...F product(id: 1) { t: __typename } } fragment F on Query { type: __type(name: $name) { name } }`,
      { name: "Price" },
    );
    assert.equal(JSON.stringify(data), `{"kind":"Query","type":{"name":"Price"},"product":{"t":"Product"}}`);
    assert.equal(asked.length, 1);
    await query("{ __typename __schema { queryType { name } } }");
    assert.equal(asked.length, 1);
  });

  it("tells an error at each place that misses its value, with the path that the client sees", async () => {
    const { query } = await serve(shop, (service, result) =>
      service === "prices"
        ? {
            data: { _entities: [{ price: null }, null] },
            errors: [
              { message: "gone", path: ["_entities", 0, "price", "_q1"] },
              { message: "lost", path: ["_entities", 1] },
              { message: "odd", path: ["_entities", 7, "price"] },
            ] as never,
          }
        : result,
    );
    const { data, errors } = await query("{ all: products { price { sum: amount } } }");
    assert.deepEqual(data, { all: [{ price: null }, { price: null }] });
    const extensions = { service: "prices" };
    assert.deepEqual(errors, [
      { message: "odd", extensions },
      { message: "gone", path: ["all", 0, "price", "sum"], extensions },
      { message: "lost", path: ["all", 1, "price"], extensions },
    ]);
  });

  it("answers a bounded number of errors", async () => {
    const many = Array.from({ length: 1_000 }, (_, index) => ({ id: String(index), name: "x" }));
    const { query } = await serve(
      {
        ...shop,
        products: { sdl: shop["products"]?.sdl ?? "", resolvers: { Query: { products: () => many } } },
      },
      (service, result) => (service === "prices" ? { errors: [{ message: "down" }] as never } : result),
    );
    const { errors } = await query("{ products { price { amount } } }");
    assert.equal(errors?.length, 201);
    assert.match(errors?.at(-1)?.message ?? "", /800 more errors/);
  });

  it("gives fields of one key their own meaning in each type", async () => {
    const kinds = { b: "Book", s: "Song" };
    const media = { __resolveReference: ({ id }: { id: string }) => ({ id }) };
    const implementation = (name: string) =>
      `type ${name} implements Media @key(fields: "id") { id: ID! title: String }`;
    const { query } = await serve({
      a: {
        sdl: `interface Media @key(fields: "id") { id: ID! title: String } ${implementation("Book")} ${implementation("Song")}
          type Query { media: [Media!]! }`,
        resolvers: {
          Query: { media: () => [{ id: "b" }, { id: "s" }] },
          Media: { ...media, __resolveType: ({ id }: { id: keyof typeof kinds }) => kinds[id] },
          Book: media,
          Song: media,
        },
      },
      b: {
        sdl: `type Media @interfaceObject @key(fields: "id") { id: ID! rating(y: Int): Int } type Query { b: Int }`,
        resolvers: { Media: { rating: (_: unknown, { y = 0 }: { y?: number }) => y + 1 } },
      },
    });
    const text =
      "{ media { r: rating(y: 7) ... on Song { x: rating(y: 2) } ... on Book { x: rating(y: 3) } } }";
    assert.deepEqual((await query(text)).data, {
      media: [
        { r: 8, x: 4 },
        { r: 8, x: 3 },
      ],
    });
  });

  it("does not wait for a plan longer than for anything else", async () => {
    const plan = () => new Promise<never>(() => undefined);
    const hanging = {
      load: async () => ({ plan, [Symbol.dispose]: () => undefined }),
      [Symbol.asyncDispose]: async () => undefined,
    };
    const { schema } = await serve(shop, undefined, hanging);
    const signal = AbortSignal.timeout(20);
    const document = parse("{ products { id } }");
    const { errors } = await schema.execute({ document, scope: { ...scope(), signal } });
    assert.equal(errors?.[0]?.extensions?.["code"], "PLANNING_TIMEOUT");
  });

  it("plans by itself what the native planner cannot plan", async () => {
    const plan = () => Promise.reject(new PlanFailure("no"));
    const failing = {
      load: async () => ({ plan, [Symbol.dispose]: () => undefined }),
      [Symbol.asyncDispose]: async () => undefined,
    };
    const unloadable = { ...failing, load: plan };
    for (const planning of [failing, unloadable]) {
      const { query } = await serve(shop, undefined, planning);
      const { data } = await query("{ product(id: 1) { id price { amount } } }");
      assert.deepEqual(data, { product: { id: "1", price: { amount: 10 } } });
    }
  });
});

describe("a subscription of the planned engine", () => {
  const ticking = () => {
    const waiting: ((n: number) => void)[] = [];
    let opened = 0;
    const services: Services = {
      ticks: {
        sdl: `type Tick @key(fields: "n") { n: Int! } type Query { t: Int } type Subscription { tick: Tick! }`,
        resolvers: {
          Subscription: {
            tick: {
              async *subscribe() {
                opened += 1;
                for (;;) {
                  const n = await new Promise<number>((resolve) => waiting.push(resolve));
                  yield { tick: { n } };
                }
              },
            },
          },
        },
      },
      names: {
        sdl: `type Tick @key(fields: "n") { n: Int! name: String }`,
        resolvers: { Tick: { name: ({ n }: { n: number }) => `number ${n}` } },
      },
    };
    const tick = async (n: number) => {
      while (waiting.length === 0) await new Promise((resolve) => setImmediate(resolve));
      waiting.shift()?.(n);
    };
    return { services, tick, opened: () => opened };
  };
  const document = parse("subscription { tick { n name } }");
  const open = async (schema: EngineSchema, previous?: ResultStream) => {
    const stream = await schema.subscribe({ document, scope: scope() }, previous);
    assert.ok(Symbol.asyncIterator in stream, JSON.stringify(stream));
    return stream;
  };

  it("goes on from the stream of an earlier schema without a new request, and misses nothing", async () => {
    const { services, tick, opened } = ticking();
    const { schema, compile } = await serve(services);
    const first = await open(schema);
    const one = first.next();
    await tick(1);
    assert.deepEqual((await one).value.data, { tick: { n: 1, name: "number 1" } });
    const pending = first.next();
    const second = await open(await compile(), first);
    assert.equal((await pending).done, true, "the earlier one is done");
    await tick(2);
    assert.deepEqual((await second.next()).value.data, { tick: { n: 2, name: "number 2" } });
    assert.equal(opened(), 1);
    await first.return?.();
    const three = second.next();
    await tick(3);
    assert.deepEqual((await three).value.data, { tick: { n: 3, name: "number 3" } });
    await second.return?.();
    assert.equal((await second.next()).done, true);
  });

  it("delivers what the earlier one was about to, when it was taken over in the middle of that", async () => {
    const { services, tick } = ticking();
    const held = Promise.withResolvers<void>();
    const names = services["names"];
    assert.ok(names);
    const Tick = {
      name: async ({ n }: { n: number }) => {
        await held.promise;
        return `slow ${n}`;
      },
    };
    const { schema, compile, asked } = await serve({ ...services, names: { ...names, resolvers: { Tick } } });
    const first = await open(schema);
    const pending = first.next();
    await tick(1);
    while (!asked.some(({ service }) => service === "names")) await new Promise((r) => setImmediate(r));
    const second = await open(await compile(), first);
    assert.equal((await pending).done, true);
    const next = second.next();
    held.resolve();
    assert.deepEqual((await next).value.data, { tick: { n: 1, name: "slow 1" } });
    await second.return?.();
  });

  it("does not take over a stream with other events", async () => {
    const { services, opened } = ticking();
    const { schema } = await serve(services);
    const first = await open(schema);
    const other = await schema.subscribe(
      { document: parse("subscription { tick { n } }"), scope: scope() },
      first,
    );
    assert.ok(Symbol.asyncIterator in other);
    const [a, b] = [first.next(), other.next()];
    while (opened() < 2) await new Promise((resolve) => setImmediate(resolve));
    await Promise.all([first.return?.(), other.return?.()]);
    assert.deepEqual([(await a).done, (await b).done], [true, true]);
  });
});
