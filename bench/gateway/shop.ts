/** A shop in three subgraphs, all of it computed from ids: a product `s.p3` has its reviews `s.p3.r0`, `s.p3.r1`, … */

export type Arguments = Readonly<Record<string, unknown>>;

/** A field of an object that has an id: JSON text, or the ids of the objects that it leads to. */
export type FieldOf =
  | { readonly kind: "scalar"; readonly json: (id: string) => string }
  | { readonly kind: "object"; readonly type: string; readonly id: (id: string, given: Arguments) => string }
  | {
      readonly kind: "list";
      readonly type: string;
      readonly ids: (id: string, given: Arguments) => string[];
    };

/**
 * The fields of a service's types by their names; those of `Query` belong to an object without an id,
 * those of `Subscription` to one whose id is the number of the event.
 */
export type Types = Readonly<Record<string, Readonly<Record<string, FieldOf>>>>;

/** A federation subgraph: what it says of itself, and what it answers. */
export type Subgraph = { readonly name: string; readonly sdl: string; readonly types: Types };

/** Distinct authors of a request's reviews, however many there are. */
const authors = 50;

const link =
  'extend schema @link(url: "https://specs.apollo.dev/federation/v2.3", import: ["@key", "@shareable"])';

const text = (make: (id: string) => string): FieldOf => ({
  kind: "scalar",
  json: (id) => JSON.stringify(make(id)),
});
const number = (make: (id: string) => number): FieldOf => ({
  kind: "scalar",
  json: (id) => String(make(id)),
});
const key = text((id) => id);

const products: Subgraph = {
  name: "products",
  sdl: `${link}
    type Product @key(fields: "id") { id: ID! name: String! price: Float! description: String! }
    type Query { products(salt: String!, first: Int!): [Product!]! product(id: ID!): Product }
    type Subscription { priceChanged: Product! }`,
  types: {
    Query: {
      products: { kind: "list", type: "Product", ids: (_, { salt, first }) => numbered(`${salt}.p`, first) },
      product: { kind: "object", type: "Product", id: (_, { id }) => String(id) },
    },
    Subscription: { priceChanged: { kind: "object", type: "Product", id: (event) => `event.p${event}` } },
    Product: {
      id: key,
      name: text((id) => `Product ${lastNumber(id)}`),
      price: number((id) => lastNumber(id) + 0.5),
      description: text((id) => `What product ${lastNumber(id)} is for, in a sentence of a usual length.`),
    },
  },
};

const reviews: Subgraph = {
  name: "reviews",
  sdl: `${link}
    type Product @key(fields: "id") { id: ID! reviews(first: Int!): [Review!]! }
    type Review { id: ID! body: String! rating: Int! author: User! }
    type User @key(fields: "id", resolvable: false) { id: ID! }`,
  types: {
    Product: {
      id: key,
      reviews: { kind: "list", type: "Review", ids: (id, { first }) => numbered(`${id}.r`, first) },
    },
    Review: {
      id: key,
      body: text((id) => `Review ${lastNumber(id)} says what somebody found good or bad.`),
      rating: number((id) => 1 + (lastNumber(id) % 5)),
      author: { kind: "object", type: "User", id: authorOf },
    },
    User: { id: key },
  },
};

const accounts: Subgraph = {
  name: "accounts",
  sdl: `${link}
    type User @key(fields: "id") { id: ID! name: String! email: String! }
    type Query { user(id: ID!): User }`,
  types: {
    Query: { user: { kind: "object", type: "User", id: (_, { id }) => String(id) } },
    User: {
      id: key,
      name: text((id) => `User ${lastNumber(id)}`),
      email: text((id) => `user-${lastNumber(id)}@example.org`),
    },
  },
};

export const subgraphs: readonly Subgraph[] = [products, reviews, accounts];

/** The three as one service: what a gateway's answer is compared with. */
export const monolith: Types = subgraphs.reduce<Record<string, Record<string, FieldOf>>>((all, { types }) => {
  for (const [name, fields] of Object.entries(types)) all[name] = { ...all[name], ...fields };
  return all;
}, {});

function numbered(prefix: string, count: unknown): string[] {
  return Array.from({ length: Number(count) }, (_, at) => `${prefix}${at}`);
}

/** `s.p3.r7` is by user 17 of the salt `s` when a product has ten: neighbours share authors. */
function authorOf(review: string): string {
  const [salt, product = ""] = review.split(".");
  return `${salt}.u${(Number(product.slice(1)) * 7 + lastNumber(review)) % authors}`;
}

function lastNumber(id: string): number {
  return Number(/\d+$/.exec(id)?.[0] ?? 0);
}
