import assert from "node:assert/strict";
import { it } from "node:test";
import { requiredWithArguments } from "./required-arguments.ts";

it("finds the fields that are required with arguments, at any depth, and no others", () => {
  const sdl = `
    type Product @join__type(graph: STOCK, key: "sku") {
      price(currency: String): Float @join__field(graph: STOCK, external: true)
      cost: Int @join__field(graph: STOCK, requires: "price(currency: \\"US\\\\\\"D\\") size { weight unit(metric: true) }")
      rank: Int @join__field(graph: STOCK, requires: "stars body { text }")
    }`;
  assert.deepEqual([...requiredWithArguments(sdl)], ["price", "unit"]);
});
