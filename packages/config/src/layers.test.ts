import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { defineConfig } from "./definition.ts";
import { sampleSchema } from "./testing/sample-schema.ts";
import { layeredConfig, loadLayered } from "./testing.ts";

const definition = defineConfig(sampleSchema);

test("any valid configuration as file, environment, flags, or split between them is the same", () => {
  fc.assert(
    fc.property(layeredConfig(definition), (layered) => {
      const loaded = loadLayered(definition, layered);
      assert.ok(loaded.ok, JSON.stringify(loaded.ok ? "" : loaded.faults));
      assert.deepEqual(loaded.value, layered.effective);
    }),
    { numRuns: 1000 },
  );
});
