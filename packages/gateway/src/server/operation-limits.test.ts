import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { buildSchema, GraphQLError, getIntrospectionQuery, validate } from "graphql";
import { gatewayOptions } from "../options.ts";
import { openGateway } from "../testing/test-gateway.ts";
import { serveProducts } from "../testing/test-services.ts";
import { parseWithin } from "./operation-limits.ts";

const { maxTokens, maxDepth, maxAliases, maxRootFields, maxDirectives } = gatewayOptions.parse({});
const limits = { maxTokens, maxDepth, maxAliases, maxRootFields, maxDirectives };
/** For what validation has to bear when aliases and root fields are allowed. */
const wide = { ...limits, maxAliases: 5_000, maxRootFields: 5_000 };
const schema = buildSchema("type Query { a: Query b: String }");

function nested(levels: number): string {
  return `${"{a".repeat(levels - 1)}{b}${"}".repeat(levels - 1)}`;
}

function times(count: number, text: (index: number) => string): string {
  return Array.from({ length: count }, (_, index) => text(index)).join(" ");
}

const deepTree = (levels: number): string =>
  levels === 0 ? "b" : `a{${deepTree(levels - 1)}} a{${deepTree(levels - 1)}}`;

const hostile = {
  "a field sixty thousand times": [`{${"__typename ".repeat(60_000)}}`, "GRAPHQL_PARSE_FAILED"],
  "twenty thousand aliases": [`{${times(20_000, (i) => `a${i}:b`)}}`, "GRAPHQL_PARSE_FAILED"],
  "five thousand levels": [nested(5_000), "GRAPHQL_PARSE_FAILED"],
  "more levels than the parser's stack has": [nested(100_000), "GRAPHQL_PARSE_FAILED"],
  "1,500 levels": [nested(1_500), "OPERATION_TOO_DEEP"],
  "65 levels": [nested(65), "OPERATION_TOO_DEEP"],
  "a fragment within itself": ["{...F} fragment F on Query {a{...F}}", "OPERATION_TOO_DEEP"],
  "a field as often as tokens allow": [`{${"b ".repeat(4_900)}}`, "OPERATION_TOO_LARGE"],
  "a field often on several levels": [`{${`a{${"b ".repeat(96)}}`.repeat(49)}}`, "OPERATION_TOO_LARGE"],
  "a tree of one field": [`{${deepTree(9)}}`, "OPERATION_TOO_LARGE"],
  "a fragment that nothing spreads": [
    `{b} fragment F on Query {${"b ".repeat(4_900)}}`,
    "OPERATION_TOO_LARGE",
  ],
  "201 aliases": [`{a{${times(201, (i) => `a${i}:b`)}}}`, "TOO_MANY_ALIASES"],
  "aliases in fragments": [
    `{a{...F} c:a{...F} d:a{...F}} fragment F on Query{${times(67, (i) => `a${i}:b`)}}`,
    "TOO_MANY_ALIASES",
  ],
  "101 fields of the root": [`{${times(101, (i) => `f${i}`)}}`, "TOO_MANY_ROOT_FIELDS"],
  "101 fields of the root in a fragment": [
    `{...F} fragment F on Query {${times(101, (i) => `f${i}`)}}`,
    "TOO_MANY_ROOT_FIELDS",
  ],
  "a field with a thousand directives": [`{b${"@a".repeat(1_000)}}`, "TOO_MANY_DIRECTIVES"],
  "an operation with a thousand directives": [`query ${"@a".repeat(1_000)} {b}`, "TOO_MANY_DIRECTIVES"],
  "a variable with a thousand directives": [
    `query ($v: Int ${"@a".repeat(1_000)}) {b}`,
    "TOO_MANY_DIRECTIVES",
  ],
  "fragments that double": [
    `{...F0} ${times(30, (i) => `fragment F${i} on Query {a{...F${i + 1}} c{...F${i + 1}}}`)} fragment F30 on Query {b}`,
    "OPERATION_TOO_LARGE",
  ],
} as const;

describe("a client's document", () => {
  for (const [what, [document, code]] of Object.entries(hostile)) {
    it(`with ${what} is refused with ${code} before it is validated`, () => {
      assert.throws(
        () => parseWithin(limits, document),
        (error) => error instanceof GraphQLError && error.extensions["code"] === code,
      );
    });
  }

  it("may have 64 levels, ask for the whole schema, and name unknown fragments", () => {
    parseWithin(limits, nested(64));
    parseWithin(limits, getIntrospectionQuery());
    parseWithin(limits, "{...Unknown}");
    parseWithin(limits, "type T { a: Int } extend type U @d");
  });

  it("may have more fields than the root may in a fragment that is spread below it", () => {
    parseWithin(limits, `{a{...F}} fragment F on Query {${times(101, (i) => `f${i}`)}}`);
  });

  for (const [what, document] of [
    [
      "fragments side by side",
      `{${times(450, (i) => `...F${i}`)}}${times(450, (i) => `fragment F${i} on Query{b${i}:b}`)}`,
    ],
    ["a field two hundred times, eight levels deep", `{${times(200, () => "a{a{a{a{a{a{a{b}}}}}}}")}}`],
    ["hundreds of fields, two hundred times each", `{${times(24, (i) => `b${i}:b `.repeat(66))}}`],
    ["sixteen hundred aliases", `{${times(1_600, (i) => `a${i}:b`)}}`],
  ] as const) {
    it(`with ${what} is within the limits, and quick to validate`, () => {
      const started = performance.now();
      validate(schema, parseWithin(wide, document));
      const took = performance.now() - started;
      // About a tenth of this on a quiet machine.
      assert.ok(took < 2_000, `${took} ms`);
    });
  }

  it("that is hostile costs the gateway no time, and its log no error", async () => {
    await using products = await serveProducts();
    await using shop = await openGateway();
    await shop.apply({ products });
    for (const [what, [document, code]] of Object.entries(hostile)) {
      const started = performance.now();
      const { errors } = await shop.query(document);
      assert.equal(errors?.[0]?.extensions?.["code"], code, what);
      const took = performance.now() - started;
      assert.ok(took < 1_000, `${what}: ${took} ms`);
    }
    assert.deepEqual(
      shop.log.filter(({ level }) => level === "error" || level === 50),
      [],
    );
  });
});
