import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  buildSchema,
  type FragmentDefinitionNode,
  getIntrospectionQuery,
  Kind,
  parse,
  validate,
} from "graphql";
import type { EngineSchema } from "../engine/engine.ts";
import { gatewayOptions } from "../options.ts";
import { openGateway } from "../testing/test-gateway.ts";
import { serveProducts } from "../testing/test-services.ts";
import { costWith, estimateCost, type Variables } from "./operation-cost.ts";
import { PreparedDocuments } from "./prepared-documents.ts";

const schema = buildSchema(`
  type Query { me: User users(first: Int, last: Int): [User!]! page(limit: Int = 20): [User] named: [Named] matrix: [[User]]
    people(first: Int): Connection any: Any }
  type Connection { edges: [Edge] nodes: [User] total: Int }
  type Edge { node: User }
  interface Named { name: String friends(first: Int): [User] }
  type User implements Named { name: String friends(first: Int): [User] tags: [String] }
  type Dog implements Named { name: String friends(first: Int): [User] owner: User }
  union Any = User | Dog
`);

const wide = buildSchema(
  `type Query { t: T0 } ${Array.from({ length: 300 }, (_, type) => {
    const fields = Array.from(
      { length: 12 },
      (_, i) => `f${i}(x: Int, y: [String!]): [T${(type * 7 + i) % 300}!]!`,
    );
    return `type T${type} { ${fields.join(" ")} }`;
  }).join(" ")}`,
);

/** Few types, each with many fields: a walk from one to the next has most to list. */
const dense = buildSchema(
  `type Query { t: T0 } ${Array.from({ length: 30 }, (_, type) => {
    const fields = Array.from({ length: 60 }, (_, i) => `f${i}(x: Int): T${(type * 7 + i) % 30}`);
    return `type T${type} { ${fields.join(" ")} }`;
  }).join(" ")}`,
);

function cost(source: string, variables: Variables = {}, of = schema): number {
  const document = parse(source);
  assert.deepEqual(validate(of, document), []);
  const fragments = new Map<string, FragmentDefinitionNode>();
  for (const node of document.definitions) {
    if (node.kind === Kind.FRAGMENT_DEFINITION) fragments.set(node.name.value, node);
  }
  const [operation] = document.definitions;
  assert.equal(operation?.kind, Kind.OPERATION_DEFINITION);
  return costWith(estimateCost(of, operation, fragments, 10), variables);
}

describe("the cost of an operation", () => {
  for (const [what, source, expected, variables] of [
    ["is one for each field", "{ me { name friends(first: 0) { name } } }", 3],
    ["counts a list as often as its argument says", "{ users(first: 3) { name } }", 1 + 3],
    ["takes the assumed size for a list without one", "{ users { name } }", 1 + 10],
    ["takes the argument's default from the schema", "{ page { name } }", 1 + 20],
    ["multiplies lists in lists", "{ users(last: 5) { friends { name } } }", 1 + 5 * (1 + 10)],
    ["multiplies both levels of a list of lists", "{ matrix { name } }", 1 + 100],
    ["takes a variable's value", "query ($n: Int) { users(first: $n) { name } }", 1 + 7, { n: 7 }],
    ["takes a variable's default", "query ($n: Int = 4) { users(first: $n) { name } }", 1 + 4],
    [
      "takes the assumed size for a variable that is absent",
      "query ($n: Int) { users(first: $n) { name } }",
      11,
    ],
    ["takes no negative size", "query ($n: Int) { users(first: $n) { name } }", 11, { n: -5 }],
    ["takes no negative literal", "{ users(first: -1000) { name } me { name } }", 11 + 2],
    ["takes no negative default", "query ($n: Int = -1000) { users(first: $n) { name } }", 11],
    ["takes the most that arguments say", "{ users(first: 0, last: 500) { name } }", 1 + 500],
    [
      "takes the most that arguments say, a variable among them",
      "query ($n: Int) { users(first: $n, last: 500) { name } }",
      1 + 500,
      { n: 3 },
    ],
    [
      "takes what one argument says where another is null",
      "query ($n: Int) { users(first: 3, last: $n) { name } }",
      1 + 3,
      { n: null },
    ],
    [
      "takes the argument's default from the schema for a variable that is absent",
      "query ($n: Int) { page(limit: $n) { name } }",
      1 + 20,
    ],
    [
      "is a number also where lists within none have more items than there are numbers",
      `{ users(first: 0) { ${"friends(first: 2147483647) { ".repeat(40)} name ${"}".repeat(40)} } }`,
      1,
    ],
    [
      "hands the size of a connection to the lists in it",
      "{ people(first: 50) { total edges { node { name } } } }",
      1 + 1 + 1 + 50 * 2,
    ],
    [
      "counts fields that merge once",
      "{ me { name name } me { name } ...F } fragment F on Query { me { name } }",
      2,
    ],
    [
      "adds what is asked of each member of an abstract type",
      "{ any { ... on User { name } ... on Dog { name owner { name } } } }",
      1 + 1 + 3,
    ],
    [
      "counts __typename, or the items of a list that are asked for it alone were free",
      "{ users(first: 50) { __typename } }",
      1 + 50,
    ],
  ] as const) {
    it(what, () => assert.equal(cost(source, variables), expected));
  }

  it("of an introspection grows with what the schema has of that which it lists", () => {
    const types = Object.keys(schema.getTypeMap()).length;
    assert.equal(cost("{ __schema { types { name } } }"), Math.ceil((2 + types) / 4));
    // The client names the type: it may be the one with the most fields.
    assert.equal(cost('{ __type(name: "Query") { fields { name } } }', {}, wide), Math.ceil((2 + 12) / 4));
  });

  it("of an introspection is bounded by maxCost, which the whole of a schema with thousands of fields passes", () => {
    const { maxCost } = gatewayOptions.parse({});
    assert.ok(cost(getIntrospectionQuery(), {}, wide) < maxCost / 2);
    const bomb = "types { fields { type { fields { args { type { name } } } } } }";
    for (const source of [
      `{ __schema { ...A } } fragment A on __Schema { a: ${bomb} b: ${bomb} }`,
      `{ __schema { types { fields { args { ${Array.from({ length: 199 }, (_, i) => `a${i}: __typename`).join(" ")} } } } } }`,
    ]) {
      assert.ok(cost(source, {}, wide) > maxCost, source.slice(0, 60));
    }
  });

  it("of an introspection is small for what a whole schema has, and not for what asks for more", () => {
    const { maxCost } = gatewayOptions.parse({});
    const whole = getIntrospectionQuery({ specifiedByUrl: true, inputValueDeprecation: true, oneOf: true });
    assert.ok(cost(whole, {}, dense) < maxCost / 5);
    const again = "__schema { types { fields { type { fields { name description } } } } }";
    assert.ok(cost(`{ a: ${again} }`, {}, dense) > maxCost);
    const part = (alias: string) => `${alias}: __schema { types { fields { name args { type { name } } } } }`;
    const often = cost(`{ ${[..."abcdefgh"].map(part).join(" ")} }`, {}, dense);
    assert.ok(often > 8 * cost(`{ ${part("a")} }`, {}, dense), "not for each that it asks for");
  });

  it("beyond maxCost is found out in no time, however much an introspection asks for", () => {
    const options = gatewayOptions.parse({});
    const prepare = (source: string) =>
      new PreparedDocuments(options).prepare(source, {
        number: 1,
        compiled: { schema: dense } as EngineSchema,
      });
    const timed = (source: string) => {
      const started = performance.now();
      const { errors, operations } = prepare(source);
      return { ms: performance.now() - started, errors, cost: costWith(operations[0]?.cost ?? 0, {}) };
    };
    timed("{ __typename }");
    const two = timed("{ a: __schema { types { fields { type { fields { args { type { name } } } } } } } }");
    const three = timed("{ __schema { types { fields { type { fields { type { fields { name } } } } } } } }");
    assert.ok(two.cost > options.maxCost);
    assert.match(String(three.errors[0]), /introspection depth/);
    assert.ok(two.ms + three.ms < 200, `${two.ms} and ${three.ms} ms`);
  });

  it("beyond maxCost is refused, also where only the variables make it so, and says both", async () => {
    const query = "query ($id: ID!) { products { name } product(id: $id) { name } }";
    await using products = await serveProducts();
    await using shop = await openGateway({ maxCost: 12 });
    await shop.apply({ products });
    assert.equal((await shop.query("{ products { name } }")).errors, undefined);
    products.seen.length = 0;
    const { errors } = await shop.query(query);
    assert.deepEqual(errors?.[0]?.extensions, { code: "OPERATION_TOO_COSTLY", cost: 13, maxCost: 12 });
    assert.equal(products.seen.length, 0);
  });
});
