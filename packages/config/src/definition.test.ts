import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ConfigError, type ConfigErrorCode, defineConfig, keyedList, option, z } from "./index.ts";

function refuses(schema: z.ZodObject, code: ConfigErrorCode, key: string): void {
  assert.throws(
    () => defineConfig(schema),
    (error) => error instanceof ConfigError && error.code === code && error.key === key,
  );
}

describe("a definition", () => {
  test("derives flag and variable from the path", () => {
    const timeoutMs = option(z.int().default(1), { description: "How long." });
    const definition = defineConfig(
      z.strictObject({ mesh: z.strictObject({ http2: z.strictObject({ timeoutMs }) }) }),
    );
    assert.deepEqual([...definition.flags.keys()], ["mesh-http2-timeout-ms"]);
    assert.deepEqual([...definition.variables.keys()], ["CATALYST_MESH_HTTP2_TIMEOUT_MS"]);
  });

  test("refuses a flag or variable for two options", () => {
    const named = (flag: string) => option(z.string().optional(), { description: "Text.", flag });
    refuses(z.strictObject({ a: named("x"), b: named("x") }), "name_taken", "b");
    const off = option(z.boolean().default(false), { description: "Switch.", flag: "x" });
    refuses(z.strictObject({ a: off, b: named("no-x") }), "name_taken", "b");
    refuses(z.strictObject({ aB: z.string(), a: z.strictObject({ b: z.string() }) }), "name_taken", "a.b");
    const settings = { otherVariables: ["CATALYST_A"] };
    assert.throws(() => defineConfig(z.strictObject({ a: z.string() }), settings), { code: "name_taken" });
  });

  const item = z.strictObject({ name: z.string() });
  const byName = { key: "name", description: "Items." } as const;
  const unsupported: [name: string, schema: z.ZodType][] = [
    ["an object that drops unknown keys", z.object({ a: z.string() })],
    ["a transform", z.string().transform(Number)],
    ["a date", z.date()],
    ["a value that hides its faults", z.string().catch("x")],
    ["a list with a date in it", z.array(z.date())],
    ["a free value that drops unknown keys", z.array(z.object({ a: z.string() }))],
    ["a section with a default of its own", z.strictObject({ a: z.string() }).default({ a: "x" })],
    ["an optional section that may be empty", z.strictObject({ a: z.string().optional() }).optional()],
    ["a keyed list with items by default", keyedList(item, byName).default([{ name: "a" }])],
    [
      "a keyed list whose key may be missing",
      keyedList(z.strictObject({ name: z.string().optional() }), byName),
    ],
    ["a keyed list whose key is a number", keyedList(z.strictObject({ name: z.number() }), byName)],
    ["a name that is no word", z.strictObject({ "a-b": z.string() })],
    ["a secret section", option(z.strictObject({ a: z.string() }), { description: "A.", secret: true })],
  ];
  for (const [name, schema] of unsupported) {
    test(`refuses ${name}`, () => refuses(z.strictObject({ it: schema }), "schema_unsupported", "it"));
  }
});
