import type { TestOperation } from "./test-operations.ts";

/** Services of its own, and what an operation over them is answered: where one service with all data says nothing. */
export type ComposedCase = {
  readonly title: string;
  /** By name: SDL without the link to federation, and resolvers. */
  readonly services: Readonly<Record<string, ComposedService>>;
  readonly operation: TestOperation;
  readonly data: unknown;
  /** Paths of errors; none when left out. */
  readonly errors?: readonly (readonly (string | number)[])[];
  /** How often services are asked, where that matters. */
  readonly asked?: Readonly<Record<string, number>>;
};

type ComposedService = { readonly sdl: string; readonly resolvers: object };

const ask = (query: string, variables: TestOperation["variables"] = {}): TestOperation => ({
  query,
  variables,
});

/** A list of things with keys; another service knows some of them by that key. */
const things = {
  sdl: `type Thing @key(fields: "id") { id: ID! name: String } type Query { things: [Thing!]! thing: Thing }`,
  resolvers: {
    Query: {
      things: () => ["a", "b", "c"].map((id) => ({ id, name: `n${id}` })),
      thing: () => ({ id: "b", name: "nb" }),
    },
    Thing: { __resolveReference: ({ id }: { id: string }) => ({ id, name: `n${id}` }) },
  },
};

const known = (sdl: string, found: (id: string) => unknown) => ({
  sdl,
  resolvers: { Thing: { __resolveReference: async ({ id }: { id: string }) => found(id) } },
});

/** What services do that one service never meets: entities that are not found, and keys that say nothing. */
export const composedCases: readonly ComposedCase[] = [
  {
    title: "an entity that another service does not find has null for its fields there, without an error",
    services: {
      things,
      sizes: known('type Thing @key(fields: "id") { id: ID! size: Int }', (id) =>
        id === "b" ? null : { id, size: 1 },
      ),
    },
    operation: ask("{ things { name size } }"),
    data: {
      things: [
        { name: "na", size: 1 },
        { name: "nb", size: null },
        { name: "nc", size: 1 },
      ],
    },
  },
  {
    title:
      "an entity that is not found has an error where its fields there may not be null, and is null itself",
    services: {
      things,
      sizes: known('type Thing @key(fields: "id") { id: ID! size: Int! }', (id) =>
        id === "b" ? null : { id, size: 1 },
      ),
    },
    operation: ask("{ thing { name size } }"),
    data: { thing: null },
    errors: [["thing", "size"]],
  },
  {
    title: "an entity whose lookup fails has that error at its fields, and the others their values",
    services: {
      things,
      sizes: known('type Thing @key(fields: "id") { id: ID! size: Int }', (id) => {
        if (id === "b") throw new Error("lost");
        return { id, size: 1 };
      }),
    },
    operation: ask("{ things { size } }"),
    data: { things: [{ size: 1 }, { size: null }, { size: 1 }] },
    errors: [["things", 1, "size"]],
  },
  {
    title: "equal entities of a list are asked for once, and stand at every place",
    services: {
      pairs: {
        sdl: 'type Thing @key(fields: "id", resolvable: false) { id: ID! } type Query { pairs: [[Thing!]!]! }',
        resolvers: { Query: { pairs: () => [[{ id: "a" }, { id: "b" }], [{ id: "a" }]] } },
      },
      things,
    },
    operation: ask("{ pairs { name } }"),
    data: { pairs: [[{ name: "na" }, { name: "nb" }], [{ name: "na" }]] },
    asked: { pairs: 1, things: 1 },
  },
  {
    title: "nobody is asked for the entities of an empty list",
    services: {
      none: {
        sdl: 'type Thing @key(fields: "id", resolvable: false) { id: ID! } type Query { none: [Thing!]! }',
        resolvers: { Query: { none: () => [] } },
      },
      things,
    },
    operation: ask("{ none { name } }"),
    data: { none: [] },
    asked: { none: 1, things: 0 },
  },
  {
    title: "root types may have other names in a service",
    services: {
      things,
      other: {
        sdl: 'schema { query: Asked } type Asked { other: Thing! } type Thing @key(fields: "id", resolvable: false) { id: ID! }',
        resolvers: { Asked: { other: () => ({ id: "c" }) } },
      },
    },
    operation: ask("{ __typename other { name } }"),
    data: { __typename: "Query", other: { name: "nc" } },
  },
  {
    title: "an enum that is input and output has the values that every service has",
    services: {
      one: {
        sdl: "enum Size { S L } type Query { one(size: Size = S): Size }",
        resolvers: { Query: { one: (_: unknown, { size }: { size: string }) => size } },
      },
      two: {
        sdl: "enum Size { S L } type Query { two(size: Size): Size }",
        resolvers: { Query: { two: (_: unknown, { size }: { size: string }) => size } },
      },
    },
    operation: ask("query ($s: Size) { one two(size: $s) three: one(size: L) }", { s: "L" }),
    data: { one: "S", two: "L", three: "L" },
  },
  {
    title: "a service may answer with fewer members of a union than another",
    services: {
      one: {
        sdl: 'union Any = A | B type A @key(fields: "id") { id: ID! } type B { b: Int } type Query { one: [Any!]! }',
        resolvers: {
          Query: {
            one: () => [
              { __typename: "A", id: 1 },
              { __typename: "B", b: 2 },
            ],
          },
        },
      },
      two: {
        sdl: 'union Any = A | C type A @key(fields: "id") { id: ID! a: Int } type C { c: Int } type Query { two: [Any!]! }',
        resolvers: {
          Query: {
            two: () => [
              { __typename: "C", c: 3 },
              { __typename: "A", id: 1 },
            ],
          },
          A: { __resolveReference: ({ id }: { id: string }) => ({ id }), a: () => 7 },
        },
      },
    },
    operation: ask(
      "{ one { ...F } two { ...F } } fragment F on Any { __typename ... on A { a } ... on B { b } ... on C { c } }",
    ),
    data: {
      one: [
        { __typename: "A", a: 7 },
        { __typename: "B", b: 2 },
      ],
      two: [
        { __typename: "C", c: 3 },
        { __typename: "A", a: 7 },
      ],
    },
  },
  {
    title: "an interface's field comes from different services for different implementations",
    services: {
      one: {
        sdl: `interface Shape { area: Int } type Square implements Shape @key(fields: "id") { id: ID! area: Int @external side: Int }
          type Circle implements Shape { area: Int } type Query { shapes: [Shape!]! }`,
        resolvers: {
          Query: {
            shapes: () => [
              { __typename: "Square", id: "s" },
              { __typename: "Circle", area: 3 },
            ],
          },
          Square: { __resolveReference: ({ id }: { id: string }) => ({ id }), side: () => 2 },
        },
      },
      two: {
        sdl: 'type Square @key(fields: "id") { id: ID! area: Int }',
        resolvers: { Square: { __resolveReference: () => ({ area: 4 }) } },
      },
    },
    operation: ask("{ shapes { area ... on Square { side } } }"),
    data: { shapes: [{ area: 4, side: 2 }, { area: 3 }] },
  },
  {
    title:
      "two types of one service may differ in what is null where all services together have one type for both",
    services: {
      one: {
        sdl: `union Any = A | B
          type A @key(fields: "id") { id: ID! n: Int! @shareable in: In! @shareable }
          type B @key(fields: "id") { id: Int n: Int in: In }
          type In @shareable { m: Int! } type Query { any: [Any!]! }`,
        resolvers: {
          Query: {
            any: () => [
              { __typename: "A", id: "a", n: 1, in: { m: 2 } },
              { __typename: "B", id: 7, n: null, in: null },
            ],
          },
        },
      },
      two: {
        sdl: `type A @key(fields: "id") { id: ID! n: Int @shareable in: In @shareable size: Int }
          type B @key(fields: "id") { id: Int size: Int } type In @shareable { m: Int! }`,
        resolvers: {
          A: { __resolveReference: ({ id }: { id: string }) => ({ id, size: id.length }) },
          B: { __resolveReference: ({ id }: { id: number }) => ({ id, size: id }) },
        },
      },
    },
    operation: ask("{ any { ... on A { n in { m } size } ... on B { n in { m } size } } }"),
    data: {
      any: [
        { n: 1, in: { m: 2 }, size: 1 },
        { n: null, in: null, size: 7 },
      ],
    },
  },
];
