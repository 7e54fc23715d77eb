import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { OperationTooLarge, PlanFailure } from "../plan-failure.ts";
import { compilePlan, type OperationPlan, type PlanStep } from "../planned/plan.ts";
import { QueryPlanner } from "./query-planner.ts";

/** A supergraph of these definitions, with the services `a`, `b` and `c`. */
function plannerOf(definitions: string): QueryPlanner {
  const graphs = ["A", "B", "C"].map(
    (name) => `${name} @join__graph(name: "${name.toLowerCase()}", url: "")`,
  );
  return new QueryPlanner(
    `schema { query: Query mutation: Mutation } enum join__Graph { ${graphs.join(" ")} } ${definitions}`,
  );
}

/** `a{…}` for a fetch, `a[keys]{…}` for one of entities, `,` beside each other and `>` behind each other. */
function written(plan: OperationPlan | null): string {
  if (plan === null) return "";
  if (plan.kind === "subscription") return `${written(plan.source)} > ${written(plan.joins)}`;
  return writtenStep(plan);
}

function writtenStep(step: PlanStep): string {
  if (step.kind === "root") return `${step.service}: ${step.operation.query}`;
  if (step.kind === "entities") return `${step.service}: ${step.operation.query}`;
  return `(${step.steps.map(writtenStep).join(step.kind === "parallel" ? " , " : " > ")})`;
}

function plan(planner: QueryPlanner, query: string): string {
  const node = planner.plan(query);
  return written(node === null ? null : compilePlan(node));
}

const things = `
  type Query @join__type(graph: A) @join__type(graph: B) {
    thing(n: Int): Thing @join__field(graph: A)
    shared: Int
    other: Int @join__field(graph: B)
  }
  type Mutation @join__type(graph: A) @join__type(graph: B) {
    one: Int @join__field(graph: A) two: Int @join__field(graph: A) three: Int @join__field(graph: B)
  }
  type Thing @join__type(graph: A, key: "id") @join__type(graph: B, key: "id") @join__type(graph: C, key: "id") {
    id: ID!
    a: Int @join__field(graph: A)
    b(n: Int): Int @join__field(graph: B)
    c: Int @join__field(graph: C, requires: "b(n: 1)")
    b2(n: Int): Int @join__field(graph: B) @join__field(graph: C, external: true)
    loop: Int @join__field(graph: C, requires: "loop2")
    loop2: Int @join__field(graph: B, requires: "loop")
  }
  type Lost @join__type(graph: B) { lost: Int }`;

describe("a plan", () => {
  const planner = plannerOf(things);

  it("is one fetch where one service has all", () => {
    assert.equal(plan(planner, "{ thing { id a } }"), "a: { thing { id a } }");
  });

  it("takes what services share from one that is asked anyway", () => {
    assert.equal(plan(planner, "{ shared other }"), "b: { other shared }");
    assert.equal(plan(planner, "{ thing { a } shared }"), "a: { thing { a } shared }");
  });

  it("adds the key, and the type of the entities, to what is asked for before", () => {
    assert.equal(
      plan(planner, "{ thing { b } }"),
      "(a: { thing { id __typename } } > b: query ($representations: [_Any!]!) { _entities(representations: $representations) { ... on Thing { b } } })",
    );
  });

  it("has a field with arguments that is required stand apart from what the client wants", () => {
    const text = plan(planner, "{ thing { b c } }");
    assert.match(text, /b: query .*\{ b _r0: b\(n: 1\) \}.* > c: query .*\{ c \}/);
  });

  it("passes the variables on that a fetch uses, under their names, and keeps its own apart", () => {
    const text = plan(
      planner,
      "query ($n: Int, $representations: Int = 2) { thing(n: $n) { b(n: $representations) } }",
    );
    assert.match(text, /a: query \(\$n: Int\) \{ thing\(n: \$n\)/);
    assert.match(text, /b: query \(\$representations_: \[_Any!\]!, \$representations: Int = 2\) /);
  });

  it("asks one service for several places in one request, and once for what is selected alike", () => {
    const node = planner.plan("{ x: thing { b } y: thing { b } z: thing { b(n: 2) } }");
    const step = node === null ? null : compilePlan(node);
    assert.ok(step?.kind === "sequence" && step.steps.length === 2);
    const [, joins] = step.steps;
    assert.ok(joins?.kind === "entities");
    assert.deepEqual(
      joins.batches.map(({ paths }) => paths.map(([first]) => first?.kind === "field" && first.key)),
      [["x", "y"], ["z"]],
    );
  });

  it("runs mutations in their order, those of one service together that stand together", () => {
    assert.equal(
      plan(planner, "mutation { one two three x: one }"),
      "(a: mutation { one two } > b: mutation { three } > a: mutation { x: one })",
    );
  });

  it("is none for what nobody has, or what requires itself", () => {
    assert.throws(() => planner.plan("{ thing { lost } }"), PlanFailure);
    assert.throws(() => planner.plan("{ thing { loop } }"), PlanFailure);
    assert.throws(() => planner.plan("query A { other }", "B"), PlanFailure);
  });

  it("is none for an operation that grows too large over the types that it may meet", () => {
    const names = Array.from({ length: 40 }, (_, index) => `T${index}`);
    const types = names.map(
      (name) =>
        `type ${name} implements I @join__type(graph: A, key: "id") @join__type(graph: B, key: "id") @join__implements(graph: A, interface: "I") {
          id: ID! @join__field(graph: A) @join__field(graph: B) next: I @join__field(graph: A, requires: "n") n: Int @join__field(graph: B) @join__field(graph: A, external: true) }`,
    );
    const wide = plannerOf(
      `type Query @join__type(graph: A) { i: I } interface I @join__type(graph: A) { next: I n: Int } ${types.join(" ")}`,
    );
    assert.throws(() => wide.plan("{ i { next { next { next { next { n } } } } } }"), OperationTooLarge);
  });
});
