import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { serviceSchema } from "../service.ts";
import { targetOf } from "../testing/test-gateway.ts";
import { Composer } from "./composition.ts";
import { originOf } from "./field-origin.ts";

const imports = ["key", "shareable", "external", "requires", "provides", "override", "inaccessible"];
const link = `extend schema @link(url: "https://specs.apollo.dev/federation/v2.3", import: [${imports.map((name) => `"@${name}"`).join(", ")}])`;

function supergraph(schemas: Readonly<Record<string, string>>): string {
  const composition = new Composer().compose(
    Object.entries(schemas).map(([name, sdl]) => ({
      target: targetOf(name),
      schema: serviceSchema("federation", `${link} ${sdl}`),
    })),
  );
  assert.ok(composition.ok, JSON.stringify(composition));
  return composition.input.supergraphSdl;
}

const shop = supergraph({
  products: `type Query { products: [Product] }
    type Product @key(fields: "id") @key(fields: "sku") { id: ID! sku: ID! weight: Int price: Int note: Int @inaccessible size: Int @shareable }`,
  shipping: `type Product @key(fields: "id") { id: ID! weight: Int @external size: Int @shareable
      cost: Int @requires(fields: "weight") }`,
  prices: `type Product @key(fields: "id") { id: ID! price: Int @override(from: "products") }`,
});

function told(coordinate: string): string[] {
  const origin = originOf(shop, coordinate);
  assert.ok(origin, coordinate);
  return [...origin.steps.map(({ rule, outcome }) => `${rule} ${outcome}`), origin.result];
}

describe("who serves a field", () => {
  it("is the one that has it; the others that know its type do not", () => {
    assert.deepEqual(told("Query.products"), [
      "prices knows the type, and not this field",
      "products serves it",
      "shipping knows the type, and not this field",
      "products",
    ]);
  });

  it("is everyone that shares it", () => {
    assert.deepEqual(told("Product.size"), [
      "prices knows the type, and not this field",
      "products serves it",
      "shipping serves it",
      "products, shipping",
    ]);
    assert.equal(told("Product.id").at(-1), "prices, products, shipping");
  });

  it("is who took it over, and not who gave it up", () => {
    assert.deepEqual(told("Product.price"), [
      "prices serves it, in place of products (@override)",
      "products gave it up to prices (@override)",
      "shipping knows the type, and not this field",
      "prices",
    ]);
  });

  it("is who computes it, from what it is given; and who refers to it alone is not", () => {
    assert.equal(told("Product.cost")[2], "shipping serves it, once it is given weight (@requires)");
    assert.equal(told("Product.weight")[2], "shipping refers to it alone (@external)");
  });

  it("is told of fields that clients do not see, and says so", () => {
    assert.equal(told("Product.note").at(-1), "products; clients do not see it (@inaccessible)");
  });

  it("is told of a type by the keys that its objects are found by", () => {
    assert.deepEqual(told("Product"), [
      "prices defines it, and finds its objects by id",
      "products defines it, and finds its objects by id, or by sku",
      "shipping defines it, and finds its objects by id",
      "prices, products, shipping",
    ]);
  });

  it("is nobody for what there is not, and what belongs to the composition", () => {
    for (const coordinate of ["Nope", "Nope.a", "Product.nope", "Product.id.x", "join__Graph", "@key", ""]) {
      assert.equal(originOf(shop, coordinate), null, coordinate);
    }
  });
});
