import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import type { OperationPlan, SchemaDiff, SchemaRecord } from "@catalyst/rpc";
import { recordingContext } from "../../test/recording-context.ts";
import { showDiff, showHistory, showPlan, showSchema } from "./gateway.ts";

const since = "2030-01-01T00:00:00.000Z";
const digest = (letter: string) => letter.repeat(64);
const service = {
  ...{ name: "reviews", state: "stale", kind: "federation", since },
  ...{ schemaDigest: digest("a"), reason: "conflicts with products: \u001b[31mboom" },
} as const;

test("the schema is printed as it is, with which service serves what, or as JSON with its generation", async () => {
  const schema = { generation: 7, sdl: "type Query {\n  a: Int\n}\n", supergraphSdl: "schema @link" };
  const asked = recordingContext({ gateway: { schema } });
  await showSchema(asked.context, {});
  await showSchema(asked.context, { supergraph: true });
  assert.deepEqual(asked.printed, ["type Query {", "  a: Int", "}", "schema @link"]);
  const json = recordingContext({ gateway: { schema } }, { format: "json" });
  await showSchema(json.context, {});
  assert.deepEqual(JSON.parse(json.printed.join("\n")), { generation: 7, sdl: schema.sdl });
});

test("where nothing is served, why is told, and the exit code is 1", async () => {
  const schema = { generation: 0, sdl: null, supergraphSdl: null };
  const { context } = recordingContext({ gateway: { schema, report: { services: [service] } } });
  await assert.rejects(showSchema(context, {}), {
    code: 1,
    message: /^Nothing is served: reviews conflicts/,
  });
  const none = recordingContext({ gateway: { schema, report: { services: [] } } });
  await assert.rejects(showSchema(none.context, {}), { message: /the node has no GraphQL service/ });
});

test("what a service gave is a schema, with what is known of it as comments", async () => {
  const given = { kind: "federation", sdl: "type Query { a: Int }", schemaDigest: digest("b"), since };
  const { context, printed } = recordingContext({ gateway: { serviceSchema: { service, given } } });
  await showSchema(context, { service: "reviews" });
  assert.deepEqual(printed, [
    "# reviews is stale since 2030-01-01T00:00:00.000Z",
    "# conflicts with products: \\u{1b}[31mboom",
    "# a federation subgraph, schema bbbbbbbbbbbb since 2030-01-01T00:00:00.000Z",
    "# served with its schema aaaaaaaaaaaa",
    "",
    "type Query { a: Int }",
  ]);
  const silent = recordingContext({ gateway: { serviceSchema: { service, given: null } } });
  await assert.rejects(showSchema(silent.context, { service: "reviews" }), { code: 1 });
});

test("who serves a field is a decision", async () => {
  const explain = {
    ...{ question: "who serves T.a?", asOf: since, inputs: {}, result: "products" },
    steps: [{ rule: "products", outcome: "serves it" }],
  };
  const { context, printed } = recordingContext({ gateway: { explain } });
  await showSchema(context, { where: "T.a" });
  assert.deepEqual(printed, ["who serves T.a?", "  products: serves it", "products"]);
});

const asks = (name: string) => ({ service: name, operation: "{\n  a\n}", variables: [] });
const planned: OperationPlan = {
  generation: 3,
  errors: [],
  cost: 5,
  plan: {
    engine: "planned",
    conditions: [{ variable: "yes", holds: false }],
    note: null,
    step: {
      kind: "sequence",
      steps: [
        {
          kind: "parallel",
          steps: [
            { kind: "fetch", ...asks("a") },
            { kind: "fetch", ...asks("b"), variables: ["id", "n"] },
          ],
        },
        {
          kind: "entities",
          ...asks("c"),
          batches: [{ keys: ["T { id }", "S { x }"], paths: ["a.@", "b.(T|S)"] }],
        },
      ],
    },
  },
};

test("a plan is a tree of whom is asked what, in which order, for which entities at once", async () => {
  const { context, printed } = recordingContext({ gateway: { plan: planned } });
  await showPlan(context, {}, "{ a }");
  assert.deepEqual(printed, [
    "planned engine, generation 3, cost 5",
    "for $yes = false",
    "one after the other",
    "├─ at the same time",
    "│  ├─ ask a",
    "│  │     {",
    "│  │       a",
    "│  │     }",
    "│  └─ ask b with $id, $n",
    "│        {",
    "│          a",
    "│        }",
    "└─ ask c",
    "      once for all of a.@",
    "            and b.(T|S)",
    "            by T { id }, or S { x }",
    "      {",
    "        a",
    "      }",
  ]);
});

test("a subscription's plan says what is joined to each event", async () => {
  const step = { kind: "subscription", ...asks("a"), joins: { kind: "fetch", ...asks("b") } } as const;
  const plan = { ...planned, plan: { engine: "planned", conditions: [], note: null, step } };
  const { context, printed } = recordingContext({ gateway: { plan } });
  await showPlan(context, {}, "subscription { a }");
  assert.deepEqual(printed.slice(1), [
    "subscribe to a",
    "│  {",
    "│    a",
    "│  }",
    "└─ for each event",
    "   └─ ask b",
    "         {",
    "           a",
    "         }",
  ]);
});

test("what would be refused is shown with its lines and carets, and exits with 1", async () => {
  const errors = [
    { message: "No field b.", code: "GRAPHQL_VALIDATION_FAILED", places: [{ line: 2, column: 3 }] },
    { message: "Name an operation.", code: null, places: [] },
  ];
  const { context, printed } = recordingContext({ gateway: { plan: { ...planned, plan: null, errors } } });
  await assert.rejects(showPlan(context, {}, "{\n\tab\n}"), { code: 1, message: /2 faults/ });
  assert.deepEqual(printed, [
    "fault No field b. (GRAPHQL_VALIDATION_FAILED) at 2:3",
    "   2 │  ab",
    "     │   ^",
    "",
    "fault Name an operation.",
  ]);
});

const folder = mkdtempSync(join(tmpdir(), "catalyst-gateway-"));
after(() => rmSync(folder, { recursive: true }));

test("what cannot be asked exits with 2 before the node is", async () => {
  const { context } = recordingContext({});
  for (const [options, query] of [
    [{}, undefined],
    [{ file: "x.graphql" }, "{ a }"],
    [{ file: join(folder, "none.graphql") }, undefined],
    [{ variables: "{" }, "{ a }"],
    [{ variables: "[]" }, "{ a }"],
  ] as const) {
    await assert.rejects(showPlan(context, options, query), { code: 2 });
  }
  await assert.rejects(showDiff(context, { from: "one" }), { code: 2 });
  await assert.rejects(showDiff(context, { with: join(folder, "none.graphql") }), { code: 2 });
});

const diff: SchemaDiff = {
  from: 1,
  to: 2,
  services: [
    { name: "new", before: null, after: digest("c") },
    { name: "old", before: digest("d"), after: digest("e") },
  ],
  counts: { breaking: 1, dangerous: 0, safe: 9 },
  changes: [
    { impact: "breaking", coordinate: "T.a", message: "was removed", services: ["old"] },
    { impact: "safe", coordinate: "T.bc", message: "was added: Int", services: [] },
  ],
};

test("a difference names the services that changed, and each change with what it means and who caused it", async () => {
  const { context, printed } = recordingContext({ gateway: { diff } });
  await showDiff(context, {});
  assert.deepEqual(printed, [
    "generation 1 to generation 2",
    "  service new added  cccccccccccc",
    "  service old changed  dddddddddddd to eeeeeeeeeeee",
    "",
    "breaking   T.a   was removed  by old",
    "safe       T.bc  was added: Int",
    "and 8 more",
    "",
    "1 breaking, 0 dangerous, 9 safe",
  ]);
  const file = join(folder, "next.graphql");
  writeFileSync(file, "type Query { a: Int }");
  const none = {
    ...diff,
    to: null,
    services: [],
    changes: [],
    counts: { breaking: 0, dangerous: 0, safe: 0 },
  };
  const given = recordingContext({ gateway: { diff: none } });
  await showDiff(given.context, { with: file, failOn: "any" });
  assert.deepEqual(given.printed, ["generation 1 to the file", "Nothing that clients see changed."]);
});

test("a difference fails a script that asked for it: on what is breaking, dangerous or any", async () => {
  const count = (counts: SchemaDiff["counts"]) =>
    recordingContext({ gateway: { diff: { ...diff, counts } } });
  const safe = { breaking: 0, dangerous: 0, safe: 1 };
  await showDiff(count(diff.counts).context, {});
  await assert.rejects(showDiff(count(diff.counts).context, { failOn: "breaking" }), { code: 1 });
  await showDiff(count({ ...safe, dangerous: 1 }).context, { failOn: "breaking" });
  await assert.rejects(showDiff(count({ ...safe, dangerous: 1 }).context, { failOn: "dangerous" }), {
    code: 1,
  });
  await showDiff(count(safe).context, { failOn: "dangerous" });
  await assert.rejects(showDiff(count(safe).context, { failOn: "any" }), { code: 1 });
});

test("the history says which services came, went and changed with each schema", async () => {
  const record = (generation: number, services: Record<string, string>): SchemaRecord => ({
    ...{ generation, since, schemaDigest: generation === 2 ? null : digest(String(generation)) },
    services: Object.entries(services).map(([name, own]) => ({ name, schemaDigest: own })),
  });
  const history = [record(3, { a: "2", b: "1" }), record(2, {}), record(1, { a: "1" })];
  const { context, printed } = recordingContext({ gateway: { history } });
  await showHistory(context);
  assert.deepEqual(printed, [
    "GENERATION  SINCE                 SCHEMA        SERVICES  CHANGED",
    "3           2030-01-01T00:00:00Z  333333333333  2         +a +b",
    "2           2030-01-01T00:00:00Z  -             0         -a",
    "1           2030-01-01T00:00:00Z  111111111111  1",
  ]);
});
