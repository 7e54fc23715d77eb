import type { ComposedCase } from "./test-composed-cases.ts";

const ask = (query: string, variables: Readonly<Record<string, unknown>> = {}) => ({ query, variables });
const byId = { __resolveReference: ({ id }: { id: string }) => ({ id }) };
type Given = Readonly<Record<string, never>>;

/** Ways through services that take some finding. */
export const planningCases: readonly ComposedCase[] = [
  {
    title: "a value type may be spread over services that share the field to it",
    services: {
      one: {
        sdl: `type Thing @key(fields: "id") { id: ID! place: Place @shareable } type Place { lat: Int @shareable lon: Int }
          type Query { thing: Thing }`,
        resolvers: { Query: { thing: () => ({ id: "a", place: { lat: 1, lon: 2 } }) } },
      },
      two: {
        sdl: `type Thing @key(fields: "id") { id: ID! place: Place @shareable } type Place { lat: Int @shareable name: String }`,
        resolvers: { Thing: { __resolveReference: () => ({ place: { lat: 1, name: "here" } }) } },
      },
    },
    operation: ask("{ thing { place { name lat lon } } }"),
    data: { thing: { place: { name: "here", lat: 1, lon: 2 } } },
    asked: { one: 1, two: 1 },
  },
  {
    title: "a key may lead to a service through two others",
    services: {
      one: {
        sdl: 'type Thing @key(fields: "a") { a: ID! } type Query { things: [Thing!]! }',
        resolvers: { Query: { things: () => [{ a: "1" }, { a: "2" }] } },
      },
      two: {
        sdl: 'type Thing @key(fields: "a") @key(fields: "b { x y }") { a: ID! b: Both! } type Both { x: Int! y: Int! }',
        resolvers: { Thing: { __resolveReference: ({ a }: Given) => ({ a, b: { x: Number(a), y: 0 } }) } },
      },
      three: {
        sdl: `type Thing @key(fields: "b { x }") @key(fields: "c") { b: Both! @shareable c: ID! } type Both @shareable { x: Int! }`,
        resolvers: { Thing: { __resolveReference: ({ b }: { b: { x: number } }) => ({ b, c: `c${b.x}` }) } },
      },
      four: {
        sdl: 'type Thing @key(fields: "c") { c: ID! last: String }',
        resolvers: { Thing: { last: ({ c }: { c: string }) => `last of ${c}` } },
      },
    },
    operation: ask("{ things { last } }"),
    data: { things: [{ last: "last of c1" }, { last: "last of c2" }] },
    asked: { one: 1, two: 1, three: 1, four: 1 },
  },
  {
    title: "what is required may stand in fragments, below lists, and with arguments of its own",
    services: {
      one: {
        sdl: `type Thing @key(fields: "id") { id: ID! parts: [Part!]! size(unit: String = "cm"): Int } union Part = Nut | Bolt
          type Nut { n: Int } type Bolt { b: Int } type Query { thing: Thing }`,
        resolvers: {
          Query: { thing: () => ({ id: "a" }) },
          Thing: {
            ...byId,
            size: (_: unknown, { unit }: { unit: string }) => (unit === "mm" ? 30 : 3),
            parts: () => [
              { __typename: "Nut", n: 1 },
              { __typename: "Bolt", b: 2 },
            ],
          },
        },
      },
      two: {
        sdl: `type Thing @key(fields: "id") { id: ID! parts: [Part!]! @external size(unit: String = "cm"): Int @external
            sum: Int @requires(fields: "size(unit: \\"mm\\") parts { ... on Nut { n } ... on Bolt { b } }") }
          union Part = Nut | Bolt type Nut { n: Int @external } type Bolt { b: Int @external }`,
        resolvers: {
          Thing: {
            sum: ({ parts, size }: { parts: { n?: number; b?: number }[]; size: number }) =>
              parts.reduce((sum, { n = 0, b = 0 }) => sum + n + b, size),
          },
        },
      },
    },
    operation: ask(`{ thing { size sum inch: size(unit: "in") } }`),
    data: { thing: { size: 3, sum: 33, inch: 3 } },
    asked: { one: 1, two: 1 },
  },
  {
    title: "an interface object may require what the implementations have",
    services: {
      one: {
        sdl: `interface Media @key(fields: "id") { id: ID! title: String } type Book implements Media @key(fields: "id") { id: ID! title: String }
          type Song implements Media @key(fields: "id") { id: ID! title: String } type Query { media: [Media!]! }`,
        resolvers: {
          Query: {
            media: () => [
              { __typename: "Book", id: "b", title: "Sand" },
              { __typename: "Song", id: "s", title: "Salt" },
            ],
          },
          Media: { __resolveType: ({ __typename }: Given) => __typename },
        },
      },
      two: {
        sdl: `type Media @interfaceObject @key(fields: "id") { id: ID! title: String @external shout: String @requires(fields: "title") }`,
        resolvers: { Media: { shout: ({ title }: { title: string }) => title.toUpperCase() } },
      },
    },
    operation: ask("{ media { shout ... on Book { title } } }"),
    data: { media: [{ shout: "SAND", title: "Sand" }, { shout: "SALT" }] },
  },
  {
    title: "what is provided may be below a list, and of one type alone",
    services: {
      one: {
        sdl: `type Shelf { things: [Thing!]! @provides(fields: "... on Cup { maker { name } }") } union Thing = Cup | Pot
          type Cup @key(fields: "id") { id: ID! maker: Maker @external } type Pot @key(fields: "id") { id: ID! }
          type Maker @key(fields: "id") { id: ID! name: String @external } type Query { shelf: Shelf }`,
        resolvers: {
          Query: {
            shelf: () => ({
              things: [
                { __typename: "Cup", id: "c", maker: { id: "m", name: "given" } },
                { __typename: "Pot", id: "p" },
              ],
            }),
          },
        },
      },
      two: {
        sdl: `type Cup @key(fields: "id") { id: ID! maker: Maker } type Pot @key(fields: "id") { id: ID! maker: Maker }
          type Maker @key(fields: "id") { id: ID! name: String }`,
        resolvers: {
          Cup: byId,
          Pot: { ...byId, maker: () => ({ id: "m", name: "owned" }) },
        },
      },
    },
    operation: ask("{ shelf { things { ... on Cup { maker { name } } ... on Pot { maker { name } } } } }"),
    data: { shelf: { things: [{ maker: { name: "given" } }, { maker: { name: "owned" } }] } },
    asked: { one: 1, two: 1 },
  },
  {
    title: "a field that was overridden stays a key and something to require where it was",
    services: {
      one: {
        sdl: `type Thing @key(fields: "id") { id: ID! name: String } type Query { thing: Thing }`,
        resolvers: { Query: { thing: () => ({ id: "a", name: "old" }) }, Thing: byId },
      },
      two: {
        sdl: `type Thing @key(fields: "id") { id: ID! name: String @override(from: "one") }`,
        resolvers: { Thing: { name: () => "new" } },
      },
      three: {
        sdl: `type Thing @key(fields: "id") { id: ID! name: String @external hello: String @requires(fields: "name") }`,
        resolvers: { Thing: { hello: ({ name }: Given) => `Hello ${name}` } },
      },
    },
    operation: ask("{ thing { name hello } }"),
    data: { thing: { name: "new", hello: "Hello new" } },
  },
  {
    title: "joins that do not need each other do not wait for each other",
    services: {
      one: {
        sdl: 'type Thing @key(fields: "id") { id: ID! } type Query { thing: Thing }',
        resolvers: { Query: { thing: () => ({ id: "a" }) } },
      },
      two: {
        sdl: 'type Thing @key(fields: "id") { id: ID! two: Int }',
        resolvers: { Thing: { two: () => 2 } },
      },
      three: {
        sdl: 'type Thing @key(fields: "id") { id: ID! three: Int }',
        resolvers: { Thing: { three: () => 3 } },
      },
    },
    operation: ask("{ a: thing { two three } b: thing { three } }"),
    data: { a: { two: 2, three: 3 }, b: { three: 3 } },
    asked: { one: 1, two: 1, three: 1 },
  },
];
