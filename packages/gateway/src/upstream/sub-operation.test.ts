import assert from "node:assert/strict";
import { it } from "node:test";
import fc from "fast-check";
import { bodyOf, subOperation } from "./sub-operation.ts";

it("the body of a request is one JSON object of the document, the operation's name and the variables", () => {
  const variables = fc.option(fc.dictionary(fc.string(), fc.jsonValue()), { nil: undefined });
  const name = fc.option(fc.string(), { nil: undefined });
  fc.assert(
    fc.property(fc.string(), name, variables, (query, operationName, variables) => {
      const operation = subOperation("query", query, operationName);
      const parsed = JSON.parse(bodyOf(operation, variables));
      const expected = JSON.parse(JSON.stringify({ query, operationName, variables }));
      assert.deepEqual(parsed, expected);
    }),
  );
});
