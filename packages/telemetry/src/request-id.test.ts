import assert from "node:assert/strict";
import { test } from "node:test";
import { newRequestId, REQUEST_ID_HEADER, requestIdOf } from "./request-id.ts";

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

test("The id that a request came with is kept, whichever kind of headers carries it", () => {
  assert.equal(requestIdOf(new Headers({ "X-Request-Id": "abc-1" })), "abc-1");
  assert.equal(requestIdOf({ [REQUEST_ID_HEADER]: "abc-2" }), "abc-2");
});

test("A request without an id gets a new one", () => {
  assert.match(requestIdOf({}), uuid);
  assert.match(requestIdOf(new Headers()), uuid);
  assert.notEqual(newRequestId(), newRequestId());
});

test("An id that is not fit for a log is replaced", () => {
  for (const id of ["", "a b", "a\nb", "x".repeat(129), '"', ["a", "b"]]) {
    assert.match(requestIdOf({ [REQUEST_ID_HEADER]: id }), uuid);
  }
});
