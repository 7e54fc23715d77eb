/** What services hold of one thing. References to other things are functions, so that the whole can be a graph. */
export type Thing = { readonly __typename: string; readonly id: string; readonly [field: string]: unknown };

/** The data behind the market, as one graph: of the one service that has all, or of those that each have a part. */
export type Market = {
  readonly things: readonly Thing[];
  /** Of these types, in their order. */
  of(...types: readonly string[]): Thing[];
  /** Puts everything back to how it was. */
  reset(): void;
};

export function createMarket(): Market {
  let things = [] as readonly Thing[];
  const get = (id: string): Thing => {
    const found = things.find((thing) => thing.id === id);
    if (found === undefined) throw new Error(`There is no ${id}.`);
    return found;
  };
  const market: Market = {
    get things() {
      return things;
    },
    of: (...types) => things.filter(({ __typename }) => types.includes(__typename)),
    reset() {
      const to = (id: string | null) => () => (id === null ? null : get(id));
      const at = (id: Id): unknown => (id === null ? null : typeof id === "string" ? get(id) : id.map(at));
      const many =
        (...ids: readonly Id[]) =>
        () =>
          ids.map(at);
      things = [
        ...products(to, many),
        ...people(many),
        ...reviews(to, many),
        ...places(to, many),
        ...titles(to),
      ];
    },
  };
  market.reset();
  return market;
}

type To = (id: string | null) => () => Thing | null;
type Id = string | null | readonly Id[];
type Many = (...ids: readonly Id[]) => () => unknown[];

/** A field that always fails. */
function broken(): never {
  throw new Error("This one is broken.");
}

function products(to: To, many: Many): Thing[] {
  const product = (id: string, maker: string, fields: Readonly<Record<string, unknown>>): Thing => ({
    __typename: "Product",
    id,
    sku: `sku-${id}`,
    model: `m-${id}`,
    maker: to(maker),
    strict: "here",
    released: "2020-02-29",
    secret: "hush",
    old: 1,
    ...fields,
  });
  const box = { weight: 7, box: [1, 2, 3] };
  const maker = (id: string, name: string, country: string | null, made: readonly string[]): Thing => ({
    __typename: "Maker",
    id,
    taxId: `tax-${id}`,
    name,
    country,
    products: many(...made),
  });
  return [
    product("p1", "m1", {
      title: "Anvil",
      cents: 9000,
      size: "LARGE",
      dimensions: box,
      related: many("p2", null, "p3"),
      matrix: [[1, null], null, []],
      count: 3,
      warehouse: to("w1"),
      stars: 4.5,
    }),
    product("p2", "m1", {
      title: "Rope",
      cents: 750,
      size: "SMALL",
      dimensions: { weight: 2, box: [] },
      related: many(),
      matrix: null,
      flaky: broken,
      count: 0,
      warehouse: to("w2"),
      stars: null,
    }),
    product("p3", "m2", {
      title: "Saw",
      cents: 1250,
      size: "MEDIUM",
      dimensions: box,
      related: many("p1"),
      matrix: [],
      flaky: "sure",
      strict: null,
      count: 12,
      warehouse: null,
      stars: broken,
      released: null,
    }),
    product("p4", "m2", {
      title: "Nail",
      cents: null,
      size: null,
      dimensions: null,
      related: many("p4", "p2", "p1"),
      matrix: [[4]],
      flaky: null,
      count: broken,
      warehouse: to("w1"),
      stars: 1,
    }),
    maker("m1", "Acme", "FR", ["p1", "p2"]),
    maker("m2", "Bolt", null, ["p3", "p4"]),
  ];
}

function people(many: Many): Thing[] {
  const person = (id: string, name: string, fields: Readonly<Record<string, unknown>>): Thing => ({
    __typename: "Person",
    id,
    name,
    badge: `badge-${id}`,
    mean: 2.5,
    ...fields,
  });
  return [
    person("u1", "Ada", {
      email: "ada@example.org",
      mood: "CALM",
      born: "1815-12-10",
      friends: many("u2", "u3"),
      likes: many("p1", "u2"),
      finds: many("p2", "u1", null),
    }),
    person("u2", "Bob", {
      email: broken,
      mood: "CURIOUS",
      born: null,
      friends: many("u1"),
      likes: many(),
      finds: many(),
    }),
    person("u3", "Cyd", {
      email: null,
      badge: null,
      mood: "UNHEARD_OF",
      friends: many(),
      mean: broken,
      likes: many("p4", "p3"),
      finds: many("p4", "u3"),
    }),
    person("u4", "Dee", { mood: null, friends: many("u1", "u2"), likes: many("u1"), finds: many("u2") }),
  ];
}

function reviews(to: To, many: Many): Thing[] {
  const review = (
    id: string,
    [author, product, subject, media]: readonly [string | null, string, string | null, string | null],
    fields: Readonly<Record<string, unknown>>,
  ): Thing => ({
    __typename: "Review",
    id,
    body: `Says ${id}`,
    stars: 3,
    verdict: "CALM",
    replies: [],
    author: to(author),
    product: to(product),
    subject: to(subject),
    media: to(media),
    ...fields,
  });
  return [
    review("r1", ["u1", "p1", "p2", "b1"], { stars: 5, replies: many(["r2", null], []) }),
    review("r2", ["u2", "p1", "u1", "f1"], { stars: null, verdict: "ANGRY", replies: null }),
    review("r3", ["u3", "p1", "p4", null], { stars: 1, verdict: null, replies: many(["r1"], null) }),
    review("r4", ["u1", "p2", null, "b2"], { verdict: "UNHEARD_OF", stars: broken }),
    review("r5", [null, "p3", "p3", "f2"], { body: null, replies: many(["r4", "r2"]) }),
    review("r6", ["u4", "p4", "u4", "b1"], { stars: 2 }),
  ];
}

function places(to: To, many: Many): Thing[] {
  const shelf = (id: string, fields: object): Thing => ({ __typename: "Shelf", id, ...fields });
  return [
    {
      __typename: "Warehouse",
      id: "w1",
      code: "W-1",
      capacity: 100,
      alarms: [1, 2],
      geo: { lat: 1, lon: 2 },
      city: "Lyon",
      keepers: many("u1", "u3"),
    },
    {
      __typename: "Warehouse",
      id: "w2",
      code: "W-2",
      capacity: 20,
      alarms: [3, null],
      geo: { lat: 1, lon: -2 },
      city: "Pau",
      keepers: many("u4"),
    },
    shelf("s1", { label: "top", product: to("p1"), slots: [[1, null], []], grid: many(["p1", "p4"], []) }),
    shelf("s2", { label: "low", product: to("p3"), slots: null, grid: many([null, "p2"], ["p3"]) }),
    shelf("s3", { label: null, product: to("p2"), slots: [null], grid: many(null) }),
  ];
}

function titles(to: To): Thing[] {
  return [
    {
      __typename: "Book",
      id: "b1",
      title: "Sand",
      year: 1999,
      pages: 300,
      author: to("u1"),
      copies: 2,
      ratings: [5, null, 3],
    },
    {
      __typename: "Film",
      id: "f1",
      title: "Sand, the film",
      year: null,
      minutes: 90,
      book: to("b1"),
      ratings: [],
    },
    {
      __typename: "Book",
      id: "b2",
      title: "Salt",
      year: broken,
      pages: null,
      author: to("u2"),
      copies: 0,
      ratings: [1],
    },
    {
      __typename: "Film",
      id: "f2",
      title: "Silt",
      year: 2003,
      minutes: broken,
      book: null,
      ratings: [2, 2],
    },
  ];
}
