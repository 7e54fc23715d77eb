import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { defineConfig, jsonSchema, loadConfig, z } from "./index.ts";
import { sampleSchema } from "./testing/sample-schema.ts";
import { configValue } from "./testing.ts";

const definition = defineConfig(sampleSchema);
const schema = jsonSchema(definition);
/** The schema as a validator that knows nothing of ours. */
const validator = z.fromJSONSchema(schema as Parameters<typeof z.fromJSONSchema>[0]);

function accepts(file: unknown): boolean {
  return validator.safeParse(file).success;
}

function loads(file: unknown): boolean {
  return loadConfig(definition, { file: { path: "f", text: JSON.stringify(file) } }).ok;
}

describe("the JSON Schema", () => {
  test("accepts every valid file, with or without its defaults", () => {
    fc.assert(
      fc.property(configValue(definition), (value) => assert.ok(accepts(value), JSON.stringify(value))),
    );
    const least = { $schema: "./catalyst.schema.json", node: { name: "n1" } };
    assert.ok(accepts(least) && loads(least));
  });

  const endpoint = { name: "a", protocol: "http", url: "http://a/" };
  const wrong: [name: string, file: unknown][] = [
    ["without a required option", {}],
    ["with an unknown key", { node: { name: "n1", nme: 1 } }],
    ["with a wrong type", { node: { name: "n1" }, mesh: { listen: { port: "80" } } }],
    ["with a number out of range", { node: { name: "n1" }, mesh: { listen: { port: 70_000 } } }],
    ["with an unknown choice", { node: { name: "n1" }, mesh: { mode: "x" } }],
    [
      "with an item that lacks a field",
      { node: { name: "n1" }, mesh: { endpoints: [{ ...endpoint, url: undefined }] } },
    ],
    ["with half an optional section", { node: { name: "n1" }, cache: {} }],
  ];
  for (const [name, file] of wrong) {
    test(`refuses a file ${name}, as loading does`, () => {
      assert.equal(loads(file), false);
      assert.equal(accepts(JSON.parse(JSON.stringify(file))), false);
    });
  }

  test("is of draft 2020-12, with descriptions and defaults, and marks secrets", () => {
    assert.equal(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
    const text = JSON.stringify(schema);
    assert.ok(text.includes('"description":"For clients."'));
    assert.ok(text.includes('"default":"127.0.0.1:8080"'));
    assert.equal(text.match(/"writeOnly":true/g)?.length, 2);
    assert.deepEqual(schema["required"], ["node"]);
  });
});
