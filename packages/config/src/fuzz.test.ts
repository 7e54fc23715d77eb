import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { defineConfig, loadConfig, renderFaults } from "./index.ts";
import { sampleSchema } from "./testing/sample-schema.ts";
import { configValue } from "./testing.ts";

const definition = defineConfig(sampleSchema);
const junk = fc.oneof(
  fc.string({ unit: "binary" }),
  fc.json(),
  fc.stringMatching(/^[a-z]*(=["[{a-z,.]*){0,3}$/),
);
const variable = fc.oneof(
  fc.constantFrom(...definition.variables.keys()),
  fc.string().map((end) => `CATALYST_${end}`),
);
const flag = fc.oneof(
  fc.constantFrom(...definition.flags.keys()).map((name) => `--${name}`),
  fc.string(),
);
const given = fc.record({ flag, value: junk }, { requiredKeys: ["flag"] });

/** A valid file with one value in it replaced, or a name changed: what people really write. */
const almost = fc
  .tuple(configValue(definition), fc.nat(), junk, fc.jsonValue())
  .map(([value, position, name, other]) => {
    let count = 0;
    return JSON.stringify(value, (key, part) => {
      count += 1;
      if (count !== (position % 40) + 2) return part;
      return typeof part === "object" && key !== "" && !Array.isArray(part)
        ? { ...part, [name]: other }
        : other;
    });
  });

test("whatever is given, loading returns a value or faults, and never throws", () => {
  const input = fc.record({
    file: fc.record({ path: fc.string(), text: fc.oneof(junk, almost) }),
    env: fc.dictionary(variable, junk, { maxKeys: 4 }),
    flags: fc.array(given, { maxLength: 4 }),
  });
  fc.assert(
    fc.property(input, (layers) => {
      const loaded = loadConfig(definition, layers);
      if (loaded.ok) return;
      assert.ok(loaded.faults.length > 0);
      assert.doesNotMatch(renderFaults(loaded.faults).replaceAll("\n", ""), /\p{Cc}|\p{Cs}/u);
    }),
    { numRuns: 3000 },
  );
});
