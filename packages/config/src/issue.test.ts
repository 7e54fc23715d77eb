import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { defineConfig, type Fault, loadConfig, option, z } from "./index.ts";
import { layeredConfig, loadLayered } from "./testing.ts";
import { configToFlags } from "./written.ts";

const rule = z.strictObject({ path: z.string(), hosts: z.array(z.string()).default([]) });
const free = z
  .strictObject({
    rules: option(z.array(rule).max(3).default([]), { description: "A list of objects." }),
    limit: option(z.union([z.string(), z.strictObject({ size: z.int() })]).optional(), {
      description: "Either.",
    }),
    store: option(
      z
        .discriminatedUnion("kind", [
          z.strictObject({ kind: z.literal("disk"), dir: z.string() }),
          z.strictObject({ kind: z.literal("memory") }),
        ])
        .default({ kind: "memory" }),
      { description: "One of two." },
    ),
    quotas: option(z.record(z.string().min(2), z.number().gt(0)).default({}), { description: "By name." }),
    pair: option(z.tuple([z.string(), z.number()]).nullable().default(null), {
      description: "Two, or null.",
    }),
    step: option(z.int().multipleOf(5).lt(100).default(5), { description: "A step." }),
    path: option(z.string().startsWith("/").endsWith("/").max(9).default("/"), { description: "A path." }),
    mark: option(z.string().includes("@").optional(), { description: "A mark." }),
    code: option(
      z
        .string()
        .regex(/^[A-Z]{3}$/)
        .optional(),
      { description: "A code." },
    ),
    host: option(z.hostname().optional(), { description: "A host." }),
    origin: option(z.strictObject({ node: z.string() }).nullable().default(null), {
      description: "Or null.",
    }),
    level: option(z.literal([1, 2, 3]).default(1), { description: "A level." }),
  })
  .refine((value) => value.step < 50 || value.level > 1, { error: "needs a level over 1 for such a step" });
const definition = defineConfig(z.strictObject({ free }));

function faults(value: unknown): readonly Fault[] {
  const loaded = loadConfig(definition, { file: { path: "f", text: JSON.stringify({ free: value }) } });
  return loaded.ok ? [] : loaded.faults;
}

describe("what is wrong", () => {
  const wrong: [value: unknown, key: string, problem: string][] = [
    [{ rules: [{ path: "/", hots: [] }] }, "free.rules[0].hots", "is not a known key"],
    [{ rules: [{}] }, "free.rules[0].path", "is missing"],
    [{ rules: [{ path: "/", hosts: [1] }] }, "free.rules[0].hosts[0]", "is 1, not a text"],
    [
      { rules: [rule, rule, rule, rule].map(() => ({ path: "" })) },
      "free.rules",
      "has more than 3 items: a list",
    ],
    [{ limit: { size: "x" } }, "free.limit.size", 'is "x", not a number'],
    [{ limit: { sise: 1, size: 1 } }, "free.limit.sise", "is not a known key"],
    [{ limit: [] }, "free.limit", "has none of the allowed forms: a list"],
    [{ store: { kind: "dsik" } }, "free.store.kind", 'is not a known choice: "dsik"'],
    [{ store: { kind: "disk" } }, "free.store.dir", "is missing"],
    [{ quotas: { ab: 0 } }, "free.quotas.ab", "is not more than 0: 0"],
    [{ quotas: { a: 1 } }, "free.quotas.a", "has a name that is not allowed here"],
    [{ pair: ["x"] }, "free.pair", "has fewer than 2 items: a list"],
    [{ pair: "x" }, "free.pair", 'is "x", not a list'],
    [{ step: 7 }, "free.step", "is not a multiple of 5: 7"],
    [{ step: 100, level: 2 }, "free.step", "is not less than 100: 100"],
    [{ path: "x/" }, "free.path", 'does not begin with "/": "x/"'],
    [{ path: "/x" }, "free.path", 'does not end with "/": "/x"'],
    [{ path: "/12345678/" }, "free.path", 'has more than 9 characters: "/12345678/"'],
    [{ mark: "x" }, "free.mark", 'does not hold "@": "x"'],
    [{ code: "x" }, "free.code", 'does not have the form /^[A-Z]{3}$/: "x"'],
    [{ host: "-" }, "free.host", 'is not a host name: "-"'],
    [{ level: 4 }, "free.level", "is not a known choice: 4"],
    [{ step: 55 }, "free", "needs a level over 1 for such a step"],
  ];
  for (const [value, key, problem] of wrong) {
    test(`with ${JSON.stringify(value)} is told as: ${problem}`, () => {
      const [first, ...more] = faults(value);
      assert.deepEqual([first?.key, first?.problem, more.length], [key, problem, 0]);
      assert.equal(first?.source.kind, "file");
    });
  }

  test("has the nearest name also inside of free values", () => {
    assert.equal(faults({ rules: [{ path: "/", hots: [] }] })[0]?.nearest, "hosts");
    assert.equal(faults({ store: { kind: "dsik" } })[0]?.nearest, '"disk"');
    assert.equal(faults({ origin: { node: "a", nod: 1 } })[0]?.nearest, "node");
    assert.equal(faults({ store: { kind: "disk", dir: "/", dri: 1 } })[0]?.nearest, "dir");
  });

  test("with a section has the place of the first thing in it that was written", () => {
    const loaded = loadConfig(definition, { flags: [{ flag: "--free-step", value: "55" }] });
    assert.ok(!loaded.ok);
    assert.deepEqual(loaded.faults[0]?.source, { kind: "flag", flag: "--free-step" });
  });
});

describe("free values", () => {
  test("are JSON in flags and variables, and lists of them a flag for each", () => {
    const value = { free: { rules: [{ path: "/" }], limit: "x", pair: null, level: 2 } };
    assert.deepEqual(configToFlags(definition, value), [
      '--free-rules={"path":"/"}',
      '--free-limit="x"',
      "--free-pair=null",
      "--free-level=2",
    ]);
  });

  test("are the same from all layers", () => {
    fc.assert(
      fc.property(layeredConfig(definition), (layered) => {
        const loaded = loadLayered(definition, layered);
        assert.ok(loaded.ok, JSON.stringify(loaded));
        assert.deepEqual(loaded.value, layered.effective);
      }),
    );
  });
});
