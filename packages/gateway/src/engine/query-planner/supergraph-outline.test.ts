import assert from "node:assert/strict";
import { it } from "node:test";
import { Kind, parse } from "graphql";
import { outlineOf } from "./supergraph-outline.ts";

const sdl = `
  schema @link(url: "}") { query: Query }
  directive @d(of: In = {a: 1, b: {c: [2]}}, text: String = "{") on OBJECT
  enum join__Graph { A @join__graph(name: "a", url: "{") }
  # type Not { here: Int
  """A type { with braces } and \\""" quotes"""
  type Query @d(of: {a: 1}) @join__type(graph: A) {
    "a } in words"
    a(in: In = {a: 2}): Int # and } here
    b: Any
  }
  scalar Some
  union Any @join__type(graph: A) = Query
  enum Size { S L }
  input In { a: Int = 1 b: In = {a: 3} }
  interface Last { last: Int }
`;

it("reads of a supergraph what reading all of it says", () => {
  const whole = parse(sdl, { noLocation: true }).definitions;
  const outline = outlineOf(sdl);
  assert.deepEqual(
    outline.definitions.map(({ kind }) => kind),
    whole.map(({ kind }) => kind),
  );
  for (const node of whole) {
    if (node.kind !== Kind.OBJECT_TYPE_DEFINITION && node.kind !== Kind.INTERFACE_TYPE_DEFINITION) continue;
    assert.deepEqual(outline.fieldsOf(node.name.value), node.fields);
  }
  const [schema, , services] = outline.definitions;
  assert.deepEqual([schema, services], [whole[0], whole[2]]);
});

it("knows no fields of a type that is not there", () => {
  assert.deepEqual(outlineOf(sdl).fieldsOf("Nothing"), []);
});
