import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type ServiceKind, serviceSchema } from "../service.ts";
import { targetOf } from "../testing/test-gateway.ts";
import { productsSdl, reviewsSdl, subgraphSdl } from "../testing/test-services.ts";
import { compareSchemas, type Side } from "./comparison.ts";
import { Composer } from "./composition.ts";

type Services = Readonly<Record<string, readonly [ServiceKind, string]>>;

function side(schemas: Services): Side {
  const services = Object.entries(schemas).map(([name, [kind, sdl]]) => ({
    name,
    schema: serviceSchema(kind, sdl),
  }));
  const composition = new Composer().compose(
    services.map(({ name, schema }) => ({ target: targetOf(name), schema })),
  );
  assert.ok(composition.ok, JSON.stringify(composition));
  return { sdl: composition.input.publicSdl, services };
}

const products = ["federation", subgraphSdl(productsSdl)] as const;
const reviews = ["federation", subgraphSdl(reviewsSdl)] as const;
const told = ({ changes }: ReturnType<typeof compareSchemas>) =>
  changes.map(({ impact, coordinate, services }) => `${impact} ${coordinate} by ${services.join("+")}`);

describe("a comparison", () => {
  it("names the services that changed, and of each change those that caused it, the gravest first", () => {
    const from = side({ products, reviews });
    const to = side({
      products: ["federation", subgraphSdl(productsSdl.replace("price: Float!", "price: Float weight: Int"))],
      reviews: ["federation", subgraphSdl(reviewsSdl.replace("body: String!", "body: String! stars: Int"))],
      stock: ["plain", "schema { query: Root } type Root { stock: Int }"],
    });
    const comparison = compareSchemas(from, to);
    assert.deepEqual(told(comparison), [
      "breaking Product.price by products",
      "safe Product.weight by products",
      "safe Query.stock by stock",
      "safe Review.stars by reviews",
    ]);
    assert.deepEqual(comparison.counts, { breaking: 1, dangerous: 0, safe: 3 });
    assert.deepEqual(
      comparison.services.map(({ name, before, after }) => [name, before?.length ?? null, after?.length]),
      [
        ["products", 64, 64],
        ["reviews", 64, 64],
        ["stock", null, 64],
      ],
    );
  });

  it("blames of those that share an element the ones alone that changed it", () => {
    const sharing = (type: string, more = "") =>
      ["federation", subgraphSdl(`type Size { w: ${type} @shareable } ${more}`)] as const;
    const root = sharing("Int!", "type Query { size: Size }");
    const from = side({ root, a: sharing("Int!"), b: sharing("Int!") });
    const to = side({ root, a: sharing("Int"), b: sharing("Int!") });
    assert.deepEqual(told(compareSchemas(from, to)), ["breaking Size.w by a"]);
    const alone = compareSchemas(from, side({ root }));
    assert.deepEqual(told(alone), []);
    assert.deepEqual(
      alone.services.map(({ name, after }) => [name, after]),
      [
        ["a", null],
        ["b", null],
      ],
    );
  });

  it("is with nothing when nothing was served", () => {
    const nothing: Side = { sdl: null, services: [] };
    const stock = side({ stock: ["plain", "type Query { stock: Int }"] });
    assert.deepEqual(told(compareSchemas(nothing, stock)), ["safe Query by stock"]);
    assert.deepEqual(told(compareSchemas(stock, nothing)), ["breaking Query by stock"]);
  });

  it("is with a schema that is given, of which no service is known", () => {
    const given = (sdl: string): Side => ({ sdl, services: null });
    const stock = side({ stock: ["plain", "type Query { stock: Int }"] });
    const comparison = compareSchemas(stock, given("type Query { stock: Int } extend type Query { b: Int }"));
    assert.deepEqual([told(comparison), comparison.services], [["safe Query.b by "], []]);
    assert.throws(() => compareSchemas(stock, given("type Query { a: Nope }")), /Unknown type "Nope"/);
    assert.throws(() => compareSchemas(stock, given("type {")), /Syntax Error/);
  });
});
