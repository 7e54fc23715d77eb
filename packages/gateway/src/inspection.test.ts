import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { PlanStepView } from "@catalyst/rpc";
import { openGateway } from "./testing/test-gateway.ts";
import {
  serveInventory,
  servePlain,
  serveProducts,
  serveRaw,
  serveReviews,
} from "./testing/test-services.ts";

/** A step in a line: services in brackets for steps at the same time, with `>` between those in order. */
function written(step: PlanStepView | null | undefined): string {
  if (step === null || step === undefined) return "-";
  if ("steps" in step) {
    const steps = step.steps.map(written);
    return step.kind === "parallel" ? `[${steps.sort().join(" ")}]` : steps.join(" > ");
  }
  if (step.kind === "subscription") return `${step.service}: ${written(step.joins)}`;
  if (step.kind === "fetch") return step.service;
  const batches = step.batches.map(({ keys, paths }) => `${keys.join("|")} at ${paths.join(" and ")}`);
  return `${step.service}(${batches.join("; ")})`;
}

describe("the schema served now", () => {
  it("is told as clients see it and as the engine reads it; null when nothing is served", async () => {
    await using products = await serveProducts();
    await using shop = await openGateway();
    const { inspection } = shop.gateway;
    assert.deepEqual(inspection.schema(), { generation: 0, sdl: null, supergraphSdl: null });
    await shop.apply({ products });
    const { generation, sdl, supergraphSdl } = inspection.schema();
    assert.equal(generation, 1);
    assert.match(sdl ?? "", /^type Mutation/);
    assert.match(supergraphSdl ?? "", /join__type/);
  });

  it("is told for each service: what it gave, and what is made of that", async () => {
    await using inventory = await serveInventory();
    await using broken = await serveRaw(
      (_, response) => void response.end(`{"data":{"_service":{"sdl":"type Query {"}}}`),
    );
    await using silent = await serveRaw((_, response) => void response.end("<h1>"));
    await using shop = await openGateway({}, { now: () => Date.UTC(2030, 0, 1) });
    await shop.apply({ inventory, broken, silent });
    const { inspection } = shop.gateway;
    const good = inspection.serviceSchema("inventory");
    assert.equal(good.service.state, "serving");
    assert.equal(good.service.schemaDigest, good.given?.schemaDigest);
    assert.equal(good.given?.since, "2030-01-01T00:00:00.000Z");
    assert.match(good.given?.sdl ?? "", /type Stock/);
    const bad = inspection.serviceSchema("broken");
    assert.deepEqual([bad.service.state, bad.given?.sdl], ["excluded", "type Query {"]);
    assert.match(bad.service.reason ?? "", /Syntax Error/);
    assert.equal(inspection.serviceSchema("silent").given, null);
    assert.throws(() => inspection.serviceSchema("nobody"), { code: "service_not_found" });
  });

  it("is told for each field: who serves it", async () => {
    await using products = await serveProducts();
    await using reviews = await serveReviews();
    await using shop = await openGateway({}, { now: () => Date.UTC(2030, 0, 1) });
    const { inspection } = shop.gateway;
    await assert.rejects(inspection.explainField("Product"), { code: "coordinate_unknown" });
    await shop.apply({ products, reviews });
    const { question, asOf, steps, result, inputs } = await inspection.explainField("Product.reviews");
    assert.equal(asOf, "2030-01-01T00:00:00.000Z");
    assert.deepEqual([question, result, inputs["generation"]], ["who serves Product.reviews?", "reviews", 1]);
    assert.deepEqual(
      steps.map(({ rule }) => rule),
      ["products", "reviews"],
    );
    await assert.rejects(inspection.explainField("Product.nope"), { code: "coordinate_unknown" });
  });
});

describe("what changed", () => {
  it("is told between generations, and to a schema that is given", async () => {
    await using products = await serveProducts();
    await using inventory = await serveInventory();
    await using shop = await openGateway();
    const { inspection } = shop.gateway;
    await assert.rejects(inspection.diff({}), { code: "generation_unknown" });
    await shop.apply({ products });
    const first = await inspection.diff({});
    assert.deepEqual([first.from, first.to, first.counts.breaking], [null, 1, 0]);
    await shop.apply({ inventory });
    await shop.apply({ products, inventory });
    assert.deepEqual(
      inspection.history().map(({ generation, services }) => [generation, services.map(({ name }) => name)]),
      [
        [3, ["inventory", "products"]],
        [2, ["inventory"]],
        [1, ["products"]],
      ],
    );
    const last = await inspection.diff({});
    assert.deepEqual([last.from, last.to, last.services.map(({ name }) => name)], [2, 3, ["products"]]);
    assert.ok(last.changes.every(({ services }) => services.join() === "products"));
    assert.equal((await inspection.diff({ from: 1, to: 3 })).services[0]?.name, "inventory");
    const back = await inspection.diff({ from: 3, to: 1 });
    assert.ok(back.counts.breaking > 0);
    const given = await inspection.diff({ with: inspection.schema().sdl ?? "" });
    assert.deepEqual([given.from, given.to, given.changes], [3, null, []]);
    await assert.rejects(inspection.diff({ with: "type Query {\n  a Int\n}" }), {
      code: "schema_invalid",
      message: /^2:5: Syntax Error/,
    });
    await assert.rejects(inspection.diff({ to: 9 }), { code: "generation_unknown" });
  });
});

describe("how an operation would be done", () => {
  it("is told of the plan that clients' requests run by", async () => {
    await using products = await serveProducts();
    await using reviews = await serveReviews();
    await using inventory = await serveInventory();
    await using shop = await openGateway({ engine: "planned" });
    await shop.apply({ products, reviews, inventory });
    const plan = async (document: string, variables?: Record<string, unknown>) => {
      const { errors, plan, cost } = await shop.gateway.inspection.plan({ document, variables });
      assert.deepEqual(errors, []);
      assert.ok((cost ?? -1) >= 0);
      assert.equal(plan?.engine, "planned");
      return written(plan?.step);
    };
    assert.equal(await plan("{ products { name } }"), "products");
    assert.equal(await plan('{ products { id } stock(sku: "1") { count } }'), "[inventory products]");
    assert.equal(
      await plan("{ products { name reviews { body } } }"),
      "products > reviews(Product { id } at products.@)",
    );
    assert.equal(
      await plan("subscription { reviewAdded { product { name } } }"),
      "reviews: products(Product { id } at reviewAdded.product)",
    );
    assert.equal(await plan("{ __typename }"), "-");
    const conditional = "query ($yes: Boolean!) { products { name reviews @include(if: $yes) { body } } }";
    assert.equal(await plan(conditional), "products");
    assert.match(await plan(conditional, { yes: true }), /> reviews/);
  });

  it("is told with the faults of a document that would be refused", async () => {
    await using products = await serveProducts();
    await using shop = await openGateway({ engine: "planned" });
    const { inspection } = shop.gateway;
    await assert.rejects(inspection.plan({ document: "{ products { name } }" }), {
      code: "generation_unknown",
    });
    await shop.apply({ products });
    const faults = async (question: Parameters<typeof inspection.plan>[0]) => {
      const { errors, plan, cost } = await inspection.plan(question);
      assert.deepEqual([plan, cost], [null, null]);
      return errors.map(({ code, places }) => [
        code,
        ...places.map(({ line, column }) => `${line}:${column}`),
      ]);
    };
    assert.deepEqual(await faults({ document: "{ products {\n  nme } product }" }), [
      ["GRAPHQL_VALIDATION_FAILED", "2:3"],
      ["GRAPHQL_VALIDATION_FAILED", "2:9"],
      ["GRAPHQL_VALIDATION_FAILED", "2:9"],
    ]);
    assert.deepEqual(await faults({ document: "{" }), [["GRAPHQL_PARSE_FAILED", "1:2"]]);
    const two = "query A { products { id } } query B { products { name } }";
    assert.deepEqual(await faults({ document: two }), [["BAD_REQUEST"]]);
    assert.deepEqual(await faults({ document: two, operationName: "C" }), [["BAD_REQUEST"]]);
    assert.equal((await inspection.plan({ document: two, operationName: "B" })).errors.length, 0);
    const byId = "query ($id: ID!) { product(id: $id) { name } }";
    assert.deepEqual(await faults({ document: byId, variables: { id: [] } }), [[null, "1:8"]]);
  });

  it("is told by each engine alike", async () => {
    await using plain = await servePlain("type Query { a: Int }", {});
    for (const engine of ["planned", "typescript"] as const) {
      await using shop = await openGateway({ engine });
      await shop.apply({ plain });
      const { plan } = await shop.gateway.inspection.plan({ document: "{ a }" });
      const step = { kind: "fetch", service: "plain", operation: "{\n  a\n}", variables: [] };
      assert.deepEqual([plan?.engine, plan?.step], [engine, step]);
    }
  });
});
