import { GraphQLScalarType } from "graphql";
import type { Market, Thing } from "./test-market.ts";

/** One field of one type. The market's own values serve where there is none. */
export type Resolve = (source: never, args: never) => unknown;

type WindowInput = { readonly first?: number | null; readonly offset?: number | null };
type Source = Readonly<Record<string, unknown>>;

/** What the market answers, by type and field. A service takes those of the fields that it has. */
export function marketResolvers(market: Market): Readonly<Record<string, Readonly<Record<string, Resolve>>>> {
  return {
    Query: queries(market),
    Mutation: mutations(market),
    Product: {
      ...productOfCatalog,
      shippingCost,
      stockEcho: (product: Thing, args: object) => echo({ sku: product["sku"], ...args }),
      barcode: ({ sku }: { sku: string }) => `|${sku}|`,
      duty: (product: Source) => (countryOf(product) === "FR" ? 0.5 : 1.25),
      origin: (product: Source) => countryOf(product),
      headline: (product: Source) => `Duty ${dutyOf(product)}`,
      reviews: (product: Thing, args: { window?: WindowInput | null; minStars?: number | null }) =>
        windowOf(
          market
            .of("Review")
            .filter((review) => idOf(review, "product") === product.id && enough(review, args)),
          args.window,
        ),
    },
    Person: {
      reviews: (person: Thing, args: { window?: WindowInput }) => written(market, person, args.window),
    },
    Media: { reviews: (media: Thing) => market.of("Review").filter((r) => idOf(r, "media") === media.id) },
    Dimensions: { unit: (_: unknown, { metric }: { metric: boolean }) => (metric ? "kg" : "lb") },
  };
}

const productOfCatalog: Readonly<Record<string, Resolve>> = {
  name: ({ title }: { title: string }, { upper }: { upper?: boolean }) =>
    upper === true ? title.toUpperCase() : title,
  price: ({ cents }: { cents: number | null }, { currency }: { currency?: string | null }) =>
    cents === null ? null : (cents * (currency === "USD" ? 2 : 1)) / 100,
  related: ({ related }: { related: () => unknown[] }, { first }: { first?: number | null }) =>
    related().slice(0, first ?? undefined),
  echo: (product: Thing, args: object) => echo({ id: product.id, ...args }),
};

/** Of the price in dollars and the weight, which belong to another service. */
function shippingCost(product: Source, { express }: { express?: boolean | null }): number | null {
  const cents = product["cents"];
  const price = "price" in product ? product["price"] : typeof cents === "number" ? (cents * 2) / 100 : null;
  const dimensions = product["dimensions"] as { weight: number } | null;
  if (price === null || dimensions === null) return null;
  return Math.round(Number(price) + dimensions.weight * (express === true ? 10 : 1));
}

function countryOf({ maker }: Source): unknown {
  return (typeof maker === "function" ? maker() : maker).country;
}

function dutyOf(product: Source): unknown {
  return product["duty"] ?? (countryOf(product) === "FR" ? 0.5 : 1.25);
}

function queries(market: Market): Readonly<Record<string, Resolve>> {
  const ofType =
    (...types: string[]) =>
    (_: unknown, { id }: { id: string }) =>
      numbered(market.of(...types), id);
  return {
    version: () => "1",
    products: (_: unknown, { ids }: { ids?: readonly string[] | null }) =>
      ids?.flatMap((id) => numbered(market.of("Product"), id) ?? []) ?? market.of("Product"),
    product: ofType("Product"),
    search: (_: unknown, { text }: { text?: string | null }) =>
      market.of("Maker", "Product").filter((thing) => nameOf(thing).includes(text ?? "")),
    echo: (_: unknown, args: object) => echo(args),
    warehouses: () => market.of("Warehouse"),
    shelves: () => [market.of("Shelf").slice(0, 2), [], market.of("Shelf").slice(2, 3)].slice(0, 2),
    reviews: (_: unknown, { window }: { window?: WindowInput | null }) =>
      windowOf(market.of("Review"), window),
    topMedia: () => market.of("Book", "Film"),
    me: () => market.of("Person")[0],
    person: ofType("Person"),
    people: () => [...market.of("Person"), null],
    node: ofType("Person", "Product"),
    cities: () => market.of("Warehouse").map(({ city }) => city),
    media: (_: unknown, { year }: { year?: number | null }) => [
      ...market.of("Film", "Book").filter((title) => year === undefined || title["year"] === year),
      null,
    ],
    book: ofType("Book"),
    now: (_: unknown, { zone }: { zone?: string | null }) => ({ at: 12, zone: zone ?? "nowhere" }),
  };
}

function mutations(market: Market): Readonly<Record<string, Resolve>> {
  const get = (type: string, id: string) => {
    const found = numbered(market.of(type), id);
    if (found === undefined) throw new Error(`There is no ${id}.`);
    return found;
  };
  return {
    rename: (_: unknown, { id, name }: { id: string; name: string }) =>
      Object.assign(get("Product", id), { title: name }),
    restock(_: unknown, { sku, by }: { sku: string; by?: number | null }) {
      const product = get("Product", sku);
      return Object.assign(product, { count: Number(product["count"]) + (by ?? 0) });
    },
    rate: (_: unknown, { review, stars }: { review: string; stars?: number | null }) =>
      Object.assign(get("Review", review), { stars }),
    setZone: (_: unknown, { zone }: { zone: string }) => ({ at: 12, zone }),
  };
}

/** The one whose number a key ends with, whatever is before it: most keys that chance makes then find something. */
function numbered(things: readonly Thing[], key: string): Thing | undefined {
  return things.find(({ id }) => id.at(-1) === key.at(-1));
}

function nameOf(thing: Thing): string {
  return String(thing["title"] ?? thing["name"]);
}

function idOf(thing: Thing, field: string): string | undefined {
  return (thing[field] as () => Thing | null)()?.id;
}

function enough(review: Thing, { minStars }: { minStars?: number | null }): boolean {
  const stars = review["stars"];
  return minStars === undefined || minStars === null || (typeof stars === "number" && stars >= minStars);
}

function written(market: Market, person: Thing, window: WindowInput | undefined): Thing[] {
  return windowOf(
    market.of("Review").filter((review) => idOf(review, "author") === person.id),
    window,
  );
}

function windowOf(things: readonly Thing[], window: WindowInput | null | undefined): Thing[] {
  const offset = window?.offset ?? 0;
  return things.slice(offset, offset + (window?.first ?? things.length));
}

/** Arguments as they arrived: in the order of their names, since nothing else says their order. */
function echo(args: object): string {
  return JSON.stringify(args, (_, value) =>
    typeof value === "object" && value !== null && !Array.isArray(value)
      ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
      : value,
  );
}

/** Scalars that only their own service can read. */
export const marketScalars = {
  Day: new GraphQLScalarType({
    name: "Day",
    serialize: (value) => value,
    parseValue(value) {
      if (typeof value !== "string" || !/^\d{4}-\d\d-\d\d$/.test(value))
        throw new Error(`${value} is no day.`);
      return `day ${value}`;
    },
  }),
  Json: new GraphQLScalarType({ name: "Json" }),
};
