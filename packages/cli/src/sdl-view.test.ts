import assert from "node:assert/strict";
import { test } from "node:test";
import { stripVTControlCharacters } from "node:util";
import pc from "picocolors";
import { colourGraphql } from "./sdl-view.ts";

const sdl = `"""
about type
"""
type T @key(fields: "id") {
  "has # no comment" id: ID! # and this is one
}
query ($id: ID!) { t(id: $id) }`;

test("GraphQL keeps its text and its lines in colours", () => {
  const coloured = colourGraphql(sdl, pc.createColors(true));
  assert.deepEqual(coloured.map(stripVTControlCharacters), sdl.split("\n"));
  const { blue, cyan, dim, magenta, yellow } = pc.createColors(true);
  assert.equal(coloured[1], dim("about type"));
  assert.equal(coloured[3], `${blue("type")} ${cyan("T")} ${yellow("@key")}(fields: ${dim('"id"')}) {`);
  assert.equal(coloured[4], `  ${dim('"has # no comment"')} id: ${cyan("ID")}! ${dim("# and this is one")}`);
  assert.equal(
    coloured[6],
    `${blue("query")} (${magenta("$id")}: ${cyan("ID")}!) { t(id: ${magenta("$id")}) }`,
  );
});

test("GraphQL that others wrote moves no cursor", () => {
  assert.deepEqual(colourGraphql('"\u001b[2J" type T\n', pc.createColors(false)), ['"\\u{1b}[2J" type T']);
});
