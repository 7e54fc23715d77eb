import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Composer } from "../../schema/composition.ts";
import { serviceSchema } from "../../service.ts";
import { subgraphSdl } from "../../testing/test-services.ts";
import { PlanFailure } from "../plan-failure.ts";
import { Planner } from "./planner.ts";

function supergraph(schemas: Readonly<Record<string, string>>): string {
  const composition = new Composer().compose(
    Object.entries(schemas).map(([name, sdl]) => ({
      target: { name, host: `${name}.test`, path: "/graphql", timeoutMs: 1_000, revision: "1" },
      schema: serviceSchema("federation", sdl),
    })),
  );
  assert.ok(composition.ok, JSON.stringify(composition));
  return composition.input.supergraphSdl;
}

const simple = () => supergraph({ a: subgraphSdl("type Query { one: Int two: Int }") });
/** A schema, and a valid operation on it, that end the planner's process. */
const fatal = () => {
  const link = `extend schema @link(url: "https://specs.apollo.dev/federation/v2.3", import: ["@key", "@interfaceObject"])`;
  const kinds = ["Book", "Song"].map(
    (name) => `type ${name} implements Media @key(fields: "id") { id: ID! title: String }`,
  );
  return supergraph({
    a: `${link} interface Media @key(fields: "id") { id: ID! title: String } ${kinds.join(" ")} type Query { media: [Media!]! }`,
    b: `${link} type Media @interfaceObject @key(fields: "id") { id: ID! rating(y: Int): Int } type Query { b: Int }`,
  });
};
const fatalOperation =
  "{ media { rating id ... on Song { x: rating(y: 2) } ... on Book { x: rating(y: 3) } } }";

describe("a planner", () => {
  it("plans on several schemas at a time", async () => {
    await using planner = new Planner();
    using one = await planner.load(simple());
    using other = await planner.load(supergraph({ b: subgraphSdl("type Query { three: Int }") }));
    assert.equal((await one.plan("{ one two }", undefined))?.kind, "root");
    assert.equal((await other.plan("{ three }", undefined))?.kind, "root");
    await assert.rejects(one.plan("{ three }", undefined), PlanFailure);
    assert.equal(planner.starts, 1);
  });

  it("refuses what is no supergraph", async () => {
    await using planner = new Planner();
    await assert.rejects(planner.load("type Nothing {"), PlanFailure);
  });

  it("outlives an operation that ends its process: that one fails, the others are planned by the next", async () => {
    await using planner = new Planner();
    using schema = await planner.load(fatal());
    const plans = ["{ media { id } }", fatalOperation, "{ b }", "{ media { title } }"].map((query) =>
      schema.plan(query, undefined).then(
        (plan) => plan?.kind,
        (error) => error.constructor.name,
      ),
    );
    const [first, second, third, fourth] = await Promise.all(plans);
    assert.deepEqual([first, third, fourth], ["root", "root", "root"]);
    // When a later planner plans it, this test has nothing to show: find another operation that ends it.
    assert.equal(second, "PlanFailure");
    assert.equal(planner.starts, 2);
  });

  it("ends a process that takes too long", async () => {
    await using planner = new Planner({ planTimeoutMs: 5_000, loadTimeoutMs: 1 });
    await assert.rejects(planner.load(simple()), PlanFailure);
  });

  it("plans nothing more on a schema that was given back, and nothing when it was closed", async () => {
    await using planner = new Planner();
    const schema = await planner.load(simple());
    schema[Symbol.dispose]();
    await assert.rejects(schema.plan("{ one }", undefined), PlanFailure);
    using other = await planner.load(simple());
    const pending = other.plan("{ one }", undefined);
    await Promise.all([assert.rejects(pending, PlanFailure), planner[Symbol.asyncDispose]()]);
    await assert.rejects(other.plan("{ one }", undefined), PlanFailure);
  });

  it("says that it runs here, or why not", async () => {
    await using planner = new Planner();
    assert.equal(await planner.unavailable(), null);
  });
});
