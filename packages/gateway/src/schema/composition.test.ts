import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type ServiceKind, serviceSchema } from "../service.ts";
import { targetOf } from "../testing/test-gateway.ts";
import { productsSdl, reviewsSdl, subgraphSdl } from "../testing/test-services.ts";
import { Composer } from "./composition.ts";

function compose(schemas: Readonly<Record<string, readonly [ServiceKind, string]>>) {
  const inputs = Object.entries(schemas).map(([name, [kind, sdl]]) => ({
    target: targetOf(name),
    schema: serviceSchema(kind, sdl),
  }));
  return new Composer().compose(inputs);
}

function faults(schemas: Parameters<typeof compose>[0]) {
  const composition = compose(schemas);
  assert.ok(!composition.ok, "it composed");
  return composition.faults;
}

const products = ["federation", subgraphSdl(productsSdl)] as const;
const reviews = ["federation", subgraphSdl(reviewsSdl)] as const;

describe("a composition", () => {
  it("has a supergraph of all services, plain ones as subgraphs without keys, and shows clients nothing of that", () => {
    const stock = "type Query { stock: Stock } type Stock { sku: ID! }";
    const composition = compose({ products, reviews, stock: ["plain", stock] });
    assert.ok(composition.ok);
    const { supergraphSdl, publicSdl, services } = composition.input;
    assert.match(supergraphSdl, /stock: Stock @join__field\(graph: STOCK\)/);
    assert.match(publicSdl, /stock: Stock\n/);
    assert.doesNotMatch(publicSdl, /join__|@key|shareable/);
    assert.equal(services.length, 3);
  });

  it("shows clients types, fields and arguments in order of their names, whatever order services have", () => {
    const sdl = `type Query { b: Pair a(y: Int, x: Kind): Int } type Pair { z: Int y: Int } enum Kind { B A }`;
    const turned = `enum Kind { A B } type Pair { y: Int z: Int } type Query { a(x: Kind, y: Int): Int b: Pair }`;
    const [one, other] = [sdl, turned].map((each) => compose({ stock: ["plain", each] }));
    assert.ok(one?.ok && other?.ok);
    assert.equal(one.input.publicSdl, other.input.publicSdl);
    assert.match(
      one.input.publicSdl,
      /^enum Kind \{\n {2}A\n {2}B\n\}[\s\S]*a\(x: Kind, y: Int\): Int\n {2}b: Pair/,
    );
  });

  it("leaves out directives that only their service understands", () => {
    const sdl = `directive @auth(role: String) on FIELD_DEFINITION | OBJECT
      type Stock @auth { sku: ID! @auth(role: "x") old: Int @deprecated(reason: "new") }
      input Pick @oneOf { sku: ID name: String } scalar Day @specifiedBy(url: "https://example.org/day")
      type Query { stock(pick: Pick, day: Day): Stock @auth }`;
    const composition = compose({ stock: ["plain", sdl] });
    assert.ok(composition.ok);
    const { publicSdl } = composition.input;
    assert.doesNotMatch(publicSdl, /@auth/);
    assert.match(publicSdl, /@deprecated\(reason: "new"\)/);
    assert.match(publicSdl, /input Pick @oneOf/);
    assert.match(publicSdl, /@specifiedBy/);
  });

  for (const [what, kind, sdl, message] of [
    ["does not parse", "federation", "type Query {", /^schema is invalid: Syntax Error/],
    [
      "names a type that is not there",
      "federation",
      subgraphSdl("type Query { a: Nope }"),
      /Unknown type Nope/,
    ],
    ["names a type that is not there", "plain", "type Query { a: Nope }", /Unknown type "Nope"/],
    ["has no query", "plain", "type Other { a: Int }", /Query root type must be provided/],
    ["holds an operation", "federation", "{ a }", /holds an operation/],
  ] as const) {
    it(`blames a ${kind} service alone whose schema ${what}`, () => {
      const [fault, ...more] = faults({ products, bad: [kind, sdl] });
      assert.deepEqual(fault?.services, ["bad"]);
      assert.match(fault?.message ?? "", message);
      assert.deepEqual(more, []);
    });
  }

  it("names the subgraphs that disagree on a field, and the field", () => {
    const other = subgraphSdl(
      `type Product @key(fields: "id") { id: ID! price: String @shareable } type Query { b: Int }`,
    );
    const [fault] = faults({ products, reviews, other: ["federation", other] });
    assert.deepEqual(fault?.services, ["products", "other"]);
    assert.match(
      fault?.message ?? "",
      /"Product.price".*"Float!" in subgraph "products"|"String" in subgraph "other"/,
    );
  });

  it("names the subgraph that extends what nobody defines", () => {
    const sdl = `extend type Ghost @key(fields: "id") { id: ID! @external a: Int } type Query { b: Int }`;
    assert.deepEqual(faults({ products, lone: ["federation", sdl] })[0]?.services, ["lone"]);
  });
});

describe("plain services", () => {
  const stock = ["plain", "type Stock { sku: ID! } type Query { stock: Stock }"] as const;

  it("share types that are defined alike, descriptions and order aside", () => {
    const same = `"About" type Stock { "what" sku: ID! } type Query { other: Stock }`;
    assert.ok(compose({ stock, same: ["plain", same] }).ok);
  });

  it("conflict on a root field of the same name", () => {
    const same = "type Stock { sku: ID! } type Query { stock: Stock }";
    assert.deepEqual(faults({ stock, same: ["plain", same] }), [
      { services: ["stock", "same"], message: "Query.stock is defined by stock and same" },
    ]);
  });

  it("conflict on a root field also when their root types are called otherwise", () => {
    const named = "schema { query: Root } type Root { stock: Int }";
    assert.equal(
      faults({ stock, named: ["plain", named] })[0]?.message,
      "Query.stock is defined by stock and named",
    );
  });

  for (const [what, definition, message] of [
    ["a field's type", "type Stock { sku: Int }", "Stock.sku is ID! in stock and Int in other"],
    [
      "a field that one lacks",
      "type Stock { sku: ID! n: Int }",
      "Stock.n is absent in stock and Int in other",
    ],
    [
      "the arguments",
      "type Stock { sku(a: Int = 1): ID! }",
      "Stock.sku is ID! in stock and (a: Int = 1): ID! in other",
    ],
    ["the kind", "enum Stock { sku }", "Stock is an object in stock and an enum in other"],
  ] as const) {
    it(`conflict on a type of the same name when they disagree on ${what}`, () => {
      const other = ["plain", `${definition} type Query { other: Stock }`] as const;
      assert.deepEqual(faults({ stock, other })[0], { services: ["stock", "other"], message });
    });
  }

  it("conflict with subgraphs on root fields and types, naming the subgraphs that define them", () => {
    const other = "type Product { id: ID! } type Query { reviews: [Product] }";
    assert.deepEqual(faults({ products, reviews, other: ["plain", other] }), [
      { services: ["reviews", "other"], message: "Query.reviews is defined by reviews and other" },
      {
        services: ["products", "reviews", "other"],
        message: "Product.name is String! in products, reviews and absent in other",
      },
    ]);
  });

  it("do not conflict on scalars of the same name", () => {
    const scalar = (field: string) => ["plain", `scalar Date type Query { ${field}: Date }`] as const;
    assert.ok(compose({ one: scalar("one"), two: scalar("two") }).ok);
  });
});
