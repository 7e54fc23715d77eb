import assert from "node:assert/strict";
import { it } from "node:test";
import type { PlanNode } from "@graphql-hive/router-query-planner";
import { knowsItsKeys } from "./known-keys.ts";
import { compilePlan } from "./plan.ts";

function joined(first: string, key: string, outputRewrites = {}): PlanNode {
  return {
    kind: "Sequence",
    nodes: [
      { kind: "Fetch", serviceName: "a", operation: first, ...outputRewrites },
      {
        kind: "Flatten",
        path: [{ Field: "things" }, "@"],
        node: {
          kind: "Fetch",
          serviceName: "b",
          operation:
            "query ($representations: [_Any!]!) { _entities(representations: $representations) { ... on Thing { b } } }",
          requires: [
            {
              kind: "InlineFragment",
              typeCondition: "Thing",
              selections: [
                { kind: "Field", name: "__typename" },
                { kind: "Field", name: key },
              ],
            },
          ],
        },
      },
    ],
  };
}

it("tells a plan that asks for every key before it is needed from one that does not", () => {
  const first = "{ things { __typename id } }";
  assert.equal(knowsItsKeys(compilePlan(joined(first, "id"))), true);
  assert.equal(knowsItsKeys(compilePlan(joined(first, "sku"))), false);
  assert.equal(knowsItsKeys(compilePlan(joined("{ id sku things { __typename } }", "id"))), false);
});

it("knows a key by the name that it gets in the data", () => {
  const path = [{ Key: "things" }, { Key: "alias" }];
  const outputRewrites = [{ KeyRenamer: { path, renameKeyTo: "id" } }];
  const node = joined("{ things { __typename alias: id } }", "id", { outputRewrites });
  assert.equal(knowsItsKeys(compilePlan(node)), true);
});
