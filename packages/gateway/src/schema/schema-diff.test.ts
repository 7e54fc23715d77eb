import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { buildSchema, findBreakingChanges, findDangerousChanges } from "graphql";
import { diffSchemas } from "./schema-diff.ts";

/** `impact coordinate message` for each change of a schema that is empty besides. */
function changes(from: string, to: string): string[] {
  const query = "type Query { a: Int }";
  const [before, after] = [from, to].map((sdl) =>
    buildSchema(sdl.includes("type Query") ? sdl : `${sdl} ${query}`),
  );
  assert.ok(before && after);
  return diffSchemas(before, after).map(
    (change) => `${change.impact} ${change.coordinate} ${change.message}`,
  );
}

describe("a difference between schemas", () => {
  for (const [what, from, to, expected] of [
    ["a type that comes", "", "type T { a: Int }", ["safe T was added, an object"]],
    ["a type that goes", "union U = Query", "", ["breaking U was removed"]],
    ["a type of another kind", "scalar T", "enum T { A }", ["breaking T is an enum, was a scalar"]],
    [
      "fields that come and go, deprecated ones too",
      'type T { a: Int b: Int @deprecated(reason: "old") }',
      "type T { c: [Int!] }",
      [
        "breaking T.a was removed",
        "breaking T.b was removed; it was deprecated",
        "safe T.c was added: [Int!]",
      ],
    ],
    [
      "answers that say more, and that say less",
      "type T { a: Int b: [Int!]! }",
      "type T { a: Int! b: [Int]! }",
      ["safe T.a is Int!, was Int", "breaking T.b is [Int]!, was [Int!]!"],
    ],
    [
      "arguments that have to be given, and those that need not",
      "type T { a(x: Int!, y: Int): Int }",
      "type T { a(x: Int, y: Int!, z: Int, w: Int!): Int }",
      [
        "dangerous T.a(z:) was added: Int",
        "breaking T.a(w:) was added and has to be given: Int!",
        "safe T.a(x:) is Int, was Int!",
        "breaking T.a(y:) is Int!, was Int",
      ],
    ],
    [
      "defaults, whose fields may be in any order",
      "input I { b: Int c: Int } type T { a(x: Int = 1, y: I = { b: 1, c: 2 }, z: Int!): Int }",
      "input I { b: Int c: Int } type T { a(x: Int = 2, y: I = { c: 2, b: 1 }, z: Int! = 3): Int }",
      ["dangerous T.a(x:) has the default 2, had 1", "safe T.a(z:) has the default 3, had nothing"],
    ],
    [
      "fields of inputs, and their defaults",
      "input I { a: Int = 1 b: Int }",
      "input I { a: Int c: Int d: Int! }",
      [
        "breaking I.b was removed",
        "dangerous I.c was added: Int",
        "breaking I.d was added and has to be given: Int!",
        "dangerous I.a has the default nothing, had 1",
      ],
    ],
    [
      "an input that takes one field of several",
      "input I { a: Int b: Int }",
      "input I @oneOf { a: Int b: Int }",
      ["breaking I takes exactly one of its fields now"],
    ],
    [
      "values of enums and members of unions",
      "enum E { A B } type T { a: Int } type S { a: Int } union U = T | Query",
      "enum E { B C } type T { a: Int } type S { a: Int } union U = T | S",
      [
        "breaking E.A was removed",
        "dangerous E.C was added",
        "breaking U can be Query no longer",
        "dangerous U can be S now",
      ],
    ],
    [
      "interfaces of a type",
      "interface I { a: Int } interface J { a: Int } type T implements I { a: Int }",
      "interface I { a: Int } interface J { a: Int } type T implements J { a: Int }",
      ["breaking T implements I no longer", "dangerous T implements J now"],
    ],
    [
      "deprecations and descriptions",
      'type T { a: Int b: Int @deprecated(reason: "x") c: Int @deprecated(reason: "x") }',
      'type T { "about" a: Int @deprecated(reason: "y") b: Int c: Int @deprecated(reason: "z") }',
      [
        "safe T.a is described otherwise",
        "safe T.a is deprecated: y",
        "safe T.b is deprecated no longer",
        "safe T.c is deprecated for another reason: z",
      ],
    ],
    [
      "directives",
      "directive @a(x: Int) repeatable on FIELD | QUERY directive @b on FIELD",
      "directive @a(y: Int!) on FIELD | MUTATION directive @c on FIELD",
      [
        "breaking @b was removed",
        "safe @c was added",
        "breaking @a(x:) was removed",
        "breaking @a(y:) was added and has to be given: Int!",
        "breaking @a can stand once in a place only",
        "breaking @a can stand on QUERY no longer",
        "safe @a can stand on MUTATION now",
      ],
    ],
    [
      "where a scalar is specified",
      'scalar S @specifiedBy(url: "https://a")',
      "scalar S",
      ["safe S is specified by nothing, was by https://a"],
    ],
  ] as const) {
    it(`tells of ${what}`, () => assert.deepEqual(changes(from, to), expected));
  }

  it("is none between equal schemas", () => {
    assert.deepEqual(changes("type T { a: Int }", "type T { a: Int }"), []);
  });

  it("is breaking or dangerous wherever GraphQL.js finds it so, and as often", () => {
    const counted = { breaking: 0, dangerous: 0 };
    fc.assert(
      fc.property(anySchema, anySchema, (one, other) => {
        const [from, to] = [buildSchema(one), buildSchema(other)];
        const ours = diffSchemas(from, to);
        const breaking = ours.filter(({ impact }) => impact === "breaking");
        const theirs = findBreakingChanges(from, to).filter(
          ({ description }) => !description.startsWith("Standard scalar"),
        );
        assert.equal(
          breaking.length,
          theirs.length,
          `${one}\n${other}\n${JSON.stringify([ours, theirs], null, 1)}`,
        );
        // It leaves out the default where the type is another one, and looks at none that was not there before.
        const others = new Set(breaking.map(({ coordinate }) => coordinate));
        const dangerous = ours.filter(
          ({ impact, coordinate, message }) =>
            impact === "dangerous" &&
            !(message.includes("default") && (others.has(coordinate) || message.endsWith("had nothing"))),
        );
        const theirDangers = findDangerousChanges(from, to);
        assert.equal(dangerous.length, theirDangers.length, JSON.stringify([ours, theirDangers], null, 1));
        counted.breaking += breaking.length;
        counted.dangerous += dangerous.length;
      }),
      { numRuns: 300 },
    );
    assert.ok(counted.breaking > 300 && counted.dangerous > 300, JSON.stringify(counted));
  });
});

const output = fc.constantFrom("Int", "Int!", "[Int]", "[Int!]!", "String", "E", "T!");
const input = fc.constantFrom("Int", "Int!", "[Int]", "E", "E = A", "Int = 1", "Int! = 2");
const some = (names: readonly string[]) => fc.subarray([...names], { minLength: 1 });

const field = (name: string) =>
  fc.tuple(fc.dictionary(fc.constantFrom("x", "y"), input, { maxKeys: 2 }), output).map(([args, type]) => {
    const list = Object.entries(args).map(([arg, argType]) => `${arg}: ${argType}`);
    return `${name}${list.length === 0 ? "" : `(${list.join(", ")})`}: ${type}`;
  });
const fields = some(["a", "b", "c"]).chain((names) => fc.tuple(...names.map(field)));
/** Small schemas of the same few names, so that two of them have much in common. */
const anySchema = fc
  .record({
    query: fields,
    object: fields,
    member: fc.constantFrom("T", "S", "T | S"),
    interfaces: fc.subarray(["I", "J"]),
    values: some(["B", "C"]),
    extra: fc.subarray([
      "scalar X",
      "enum Y { Z }",
      "directive @d(a: Int) on FIELD",
      "directive @e on QUERY",
    ]),
  })
  .map(({ query, object, member, interfaces, values, extra }) => {
    const implemented = interfaces.length === 0 ? "" : ` implements ${interfaces.join(" & ")}`;
    return [
      `type Query { ${query.join(" ")} s: S u: U i: I j: J }`,
      `type T { ${object.join(" ")} }`,
      `type S${implemented} { id: Int }`,
      "interface I { id: Int } interface J { id: Int } type R implements I & J { id: Int }",
      `union U = ${member}`,
      `enum E { A ${values.join(" ")} }`,
      ...extra,
    ].join("\n");
  });
