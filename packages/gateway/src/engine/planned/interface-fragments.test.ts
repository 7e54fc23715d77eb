import assert from "node:assert/strict";
import { it } from "node:test";
import { fragmentsOnInterfaceObjects } from "./interface-fragments.ts";

const sdl = (isInterfaceObject: boolean) => `
  interface Media @join__type(graph: A, key: "id") @join__type(graph: B, key: "id", isInterfaceObject: ${isInterfaceObject}) { id: ID! }
  interface Named @join__type(graph: A) { name: String }
  type Book implements Media @join__type(graph: A, key: "id") { id: ID! }
  type Bookmark implements Named @join__type(graph: A) { name: String }`;

it("finds fragments on the types of an interface that a service knows as an object, and on no others", () => {
  const finds = fragmentsOnInterfaceObjects(sdl(true));
  assert.equal(finds("{ media { id ... on Book { id } } }"), true);
  assert.equal(finds("{ any { ... on Media { id } } }"), true);
  assert.equal(finds("{ named { ... on Bookmark { name } } }"), false);
  assert.equal(finds("{ Book { id } }"), false);
  assert.equal(fragmentsOnInterfaceObjects(sdl(false))("{ media { ... on Book { id } } }"), false);
});
