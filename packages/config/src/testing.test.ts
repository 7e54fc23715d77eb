import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { defineConfig, option, z } from "./index.ts";
import { configValue } from "./testing.ts";

const rare = z.string().refine((text) => /^x{3}y{9}$/.test(text));

describe("arbitrary configurations", () => {
  test("are not searched for without end: an option that chance does not meet is told", () => {
    const definition = defineConfig(z.strictObject({ it: option(rare, { description: "Rare." }) }));
    assert.throws(() => configValue(definition), { code: "schema_unsupported", key: "it" });
  });

  test("meet forms that look ahead", () => {
    const short = option(z.string().regex(/^(?=.{3,5}$)[a-z]+(?:\.[a-z]+)+$/), { description: "Short." });
    const value = configValue(defineConfig(z.strictObject({ it: short })));
    fc.assert(fc.property(value, (config) => assert.match(config.it, /^[a-z.]{3,5}$/)));
  });

  test("take the test's own values, and the examples of the schema", () => {
    const found = "xxxyyyyyyyyy";
    const schema = z.strictObject({
      own: option(rare, { description: "Rare." }),
      shown: option(rare.meta({ examples: [found] }), { description: "Rare, with an example." }),
    });
    const value = configValue(defineConfig(schema), { own: fc.constant(found) });
    fc.assert(fc.property(value, (config) => assert.deepEqual(config, { own: found, shown: found })));
  });
});
