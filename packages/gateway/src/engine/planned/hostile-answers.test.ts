import assert from "node:assert/strict";
import { after, test } from "node:test";
import fc from "fast-check";
import {
  type ExecutionResult,
  type FieldNode,
  type GraphQLOutputType,
  type GraphQLSchema,
  isAbstractType,
  isLeafType,
  isListType,
  isNonNullType,
  isObjectType,
  Kind,
  parse,
  type SelectionSetNode,
} from "graphql";
import { Composer } from "../../schema/composition.ts";
import { serviceSchema } from "../../service.ts";
import type { Upstream } from "../../upstream/upstream.ts";
import { createPlannedEngine } from "./planned-engine.ts";
import { Planner } from "./planner.ts";

const planner = new Planner();
after(() => planner[Symbol.asyncDispose]());

const link = `extend schema @link(url: "https://specs.apollo.dev/federation/v2.3", import: ["@key"])\n`;
const sdls = {
  media: `interface Media { id: ID! title: String! } enum Size { S M }
    type Book implements Media @key(fields: "id") { id: ID! title: String! size: Size }
    type Song implements Media @key(fields: "id") { id: ID! title: String! seconds: Int! }
    union Any = Book | Song
    type Query { media: [Media!]! one: Any grid: [[Media]!] }`,
  ratings: `type Book @key(fields: "id") { id: ID! stars: Float! by: [Person!] } type Song @key(fields: "id") { id: ID! stars: Float! }
    type Person { name: String! friend: Person }`,
};
const document =
  parse(`{ t: __typename media { __typename id title ... on Book { stars size by { name friend { name } } } ... on Song { stars seconds } }
  one { ... on Book { id by { name } } ... on Song { title stars } } grid { id __typename } }`);

const good: Record<string, ExecutionResult> = {
  media: {
    data: {
      media: [
        { __typename: "Book", id: "1", title: "Sand", size: "S" },
        { __typename: "Song", id: "2", title: "Rain", seconds: 3 },
      ],
      one: { __typename: "Song", id: "2", title: "Rain" },
      grid: [[{ __typename: "Book", id: "1" }, null], []],
    },
  },
  ratings: {
    data: Object.fromEntries(
      ["_entities", "_e0", "_e1", "_e2"].map((key) => [
        key,
        [{ stars: 4.5, by: [{ name: "Ann", friend: null }] }, { stars: 2 }, { stars: 1 }],
      ]),
    ),
  },
};

/** What a hostile service puts anywhere. */
const poison = fc.oneof(
  fc.constantFrom<unknown>(null, {}, [], [[]], "", 0, -1, 1e300, 2 ** 53, true, "Book", "Person", "hidden"),
  fc.constantFrom("__proto__", "constructor", "toString").map((key) => JSON.parse(`{"${key}":{"name":"x"}}`)),
  fc.constantFrom("Book", "Song", "Person", "Media", "Any", "Query", "Nobody", 7).map((__typename) => ({
    __typename,
    id: "1",
  })),
  fc.jsonValue({ maxDepth: 3 }),
);

/** An answer with one of its values replaced, and errors that point anywhere. */
function poisoned(service: string) {
  const text = JSON.stringify(good[service]);
  const values = countValues(JSON.parse(text).data);
  const path = fc.array(
    fc.oneof(
      fc.constantFrom("media", "one", "grid", "_entities", "_e0", "stars", "__proto__", "by", "length"),
      fc.integer({ min: -1, max: 9 }),
    ),
    { maxLength: 5 },
  );
  const errors = fc.array(fc.record({ message: fc.string(), path }), { maxLength: 3 });
  return fc.tuple(fc.nat(values), poison, errors).map(([at, value, errors]) => {
    const answer = JSON.parse(text);
    const data = replaced(answer.data, at, value);
    const result = { ...(errors.length > 0 ? { errors } : {}), data: isRecord(data) ? data : null };
    return result as unknown as ExecutionResult;
  });
}

function countValues(value: unknown): number {
  const inner = typeof value === "object" && value !== null ? Object.values(value) : [];
  return inner.reduce((sum: number, one) => sum + countValues(one), 1);
}

function replaced(value: unknown, at: number, by: unknown): unknown {
  let index = 0;
  const walk = (inner: unknown): unknown => {
    if (index++ === at) return by;
    if (Array.isArray(inner)) return inner.map(walk);
    if (!isRecord(inner)) return inner;
    return Object.fromEntries(Object.entries(inner).map(([key, one]) => [key, walk(one)]));
  };
  return walk(value);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

test("whatever services answer, clients get what their operation and the schema allow", async () => {
  const inputs = Object.entries(sdls).map(([name, sdl]) => ({
    target: { name, host: `${name}.test`, path: "/graphql", timeoutMs: 1_000, revision: "1" },
    schema: serviceSchema("federation", link + sdl),
  }));
  const composition = new Composer().compose(inputs);
  assert.ok(composition.ok, JSON.stringify(composition));
  const answers: Record<string, ExecutionResult> = { ...good };
  const execute = async ({ name }: { name: string }) => JSON.parse(JSON.stringify(answers[name]));
  const upstream = { execute } as unknown as Upstream;
  const compiled = await createPlannedEngine(upstream, planner).compile(composition.input);
  const ask = async () => {
    const scope = { requestId: "x", headers: {}, signal: new AbortController().signal };
    return JSON.parse(JSON.stringify(await compiled.execute({ document, scope }))) as ExecutionResult;
  };
  const whole = await ask();
  assert.equal(whole.errors, undefined, JSON.stringify(whole));
  const [operation] = document.definitions;
  assert.ok(operation?.kind === Kind.OPERATION_DEFINITION);
  await fc.assert(
    fc.asyncProperty(poisoned("media"), poisoned("ratings"), async (media, ratings) => {
      Object.assign(answers, { media, ratings });
      const { data, errors } = await ask();
      assert.ok(data !== undefined);
      if (data === null) assert.ok((errors?.length ?? 0) > 0, "a whole answer is not lost without an error");
      else
        conform(
          compiled.schema,
          compiled.schema.getQueryType() ?? assert.fail(),
          [operation.selectionSet],
          data,
        );
      for (const { path } of errors ?? []) {
        assert.doesNotMatch(JSON.stringify(path ?? []), /_q\d|_entities|_e\d/);
      }
    }),
    { numRuns: 400 },
  );
});

/** Throws where a value is not of its type, or is not what was selected. */
function conform(
  schema: GraphQLSchema,
  type: GraphQLOutputType,
  sets: readonly SelectionSetNode[],
  value: unknown,
): void {
  if (isNonNullType(type)) {
    assert.notEqual(value, null, `null for ${type}`);
    conform(schema, type.ofType, sets, value);
  } else if (value === null) {
    return;
  } else if (isListType(type)) {
    assert.ok(Array.isArray(value));
    for (const element of value) conform(schema, type.ofType, sets, element);
  } else if (isLeafType(type)) {
    assert.equal(
      typeof value,
      { ID: "string", String: "string", Size: "string", Int: "number", Float: "number" }[type.name],
    );
  } else {
    assert.ok(isRecord(value));
    const shapes = (isAbstractType(type) ? schema.getPossibleTypes(type) : [type]).map((one) => {
      assert.ok(isObjectType(one));
      return { one, fields: fieldsOf(one.name, sets) };
    });
    const fitting = shapes.filter(
      ({ one, fields }) =>
        JSON.stringify([...fields.keys()]) === JSON.stringify(Object.keys(value)) &&
        (value["__typename"] === undefined || value["__typename"] === one.name),
    );
    assert.ok(fitting.length > 0, `${JSON.stringify(value)} for ${type}`);
    const [{ one, fields }] = fitting as [(typeof fitting)[number]];
    for (const [key, nodes] of fields) {
      const name = nodes[0]?.name.value ?? "";
      if (name === "__typename") assert.equal(value[key], one.name);
      else {
        const inner = nodes.flatMap(({ selectionSet }) => selectionSet ?? []);
        conform(schema, one.getFields()[name]?.type ?? assert.fail(name), inner, value[key]);
      }
    }
  }
}

function fieldsOf(typeName: string, sets: readonly SelectionSetNode[]): Map<string, FieldNode[]> {
  const fields = new Map<string, FieldNode[]>();
  for (const node of sets.flatMap(({ selections }) => selections)) {
    if (node.kind === Kind.FIELD) {
      const key = (node.alias ?? node.name).value;
      fields.set(key, [...(fields.get(key) ?? []), node]);
    } else if (node.kind === Kind.INLINE_FRAGMENT && node.typeCondition?.name.value === typeName) {
      for (const [key, nodes] of fieldsOf(typeName, [node.selectionSet])) fields.set(key, nodes);
    }
  }
  return fields;
}
