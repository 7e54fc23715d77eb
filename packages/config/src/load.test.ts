import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type ConfigInput, defineConfig, type Fault, keyedList, loadConfig, option, z } from "./index.ts";
import { sampleSchema } from "./testing/sample-schema.ts";

const definition = defineConfig(sampleSchema, { otherVariables: ["CATALYST_CONFIG"] });

function file(value: unknown): { path: string; text: string } {
  return { path: "catalyst.json", text: typeof value === "string" ? value : JSON.stringify(value) };
}

function faultsOf(input: ConfigInput): readonly Fault[] {
  const loaded = loadConfig(definition, input);
  assert.ok(!loaded.ok, "the configuration was accepted");
  return loaded.faults;
}

/** The only fault. */
function faultOf(input: ConfigInput): Fault {
  const faults = faultsOf(input);
  assert.equal(faults.length, 1, JSON.stringify(faults));
  return faults[0] as Fault;
}

const named = { CATALYST_NODE_NAME: "n1" };
const products = { name: "products", protocol: "graphql", url: "http://127.0.0.1:4001/graphql" };

describe("precedence", () => {
  test("a flag goes before a variable, and a variable before the file, option by option", () => {
    const loaded = loadConfig(definition, {
      file: file({ node: { name: "f", motto: "f" }, mesh: { listen: { ingress: "f", port: 1 } } }),
      env: { CATALYST_NODE_NAME: "e", CATALYST_MESH_LISTEN_PORT: "2" },
      flags: [{ flag: "--node-name", value: "g" }],
    });
    assert.ok(loaded.ok);
    assert.deepEqual(loaded.value.node, { name: "g", motto: "f" });
    assert.deepEqual(loaded.value.mesh.listen, { ingress: "f", port: 2, ratio: 0.5 });
    assert.deepEqual(loaded.sources.get("node.name"), { kind: "flag", flag: "--node-name" });
    assert.deepEqual(loaded.sources.get("mesh.listen.port"), {
      kind: "env",
      variable: "CATALYST_MESH_LISTEN_PORT",
    });
    assert.deepEqual(loaded.sources.get("mesh.listen.ratio"), { kind: "default" });
    assert.deepEqual(loaded.sources.get("node.motto"), {
      kind: "file",
      path: "catalyst.json",
      line: 1,
      column: 29,
    });
  });

  test("items of a keyed list are merged by key and field, and come sorted by key", () => {
    const loaded = loadConfig(definition, {
      file: file({ node: { name: "n" }, mesh: { endpoints: [{ ...products, name: "z" }, products] } }),
      env: { CATALYST_MESH_ENDPOINTS: '[{"name":"products","timeoutMs":5,"limits":{"rate":3}}]' },
      flags: [
        { flag: "--endpoint", value: "name=products,limits.burst=7" },
        { flag: "--endpoint", value: "name=a,protocol=http,url=http://a/" },
      ],
    });
    assert.ok(loaded.ok);
    assert.deepEqual(
      loaded.value.mesh.endpoints.map((item) => item.name),
      ["a", "products", "z"],
    );
    const merged = loaded.value.mesh.endpoints[1];
    assert.equal(merged?.timeoutMs, 5);
    assert.deepEqual(merged?.limits, { rate: 3, burst: 7 });
    assert.equal(loaded.sources.get("mesh.endpoints[products].limits.burst")?.kind, "flag");
    assert.equal(loaded.sources.get("mesh.endpoints[products].limits.rate")?.kind, "env");
    assert.equal(loaded.sources.get("mesh.endpoints[products].url")?.kind, "file");
    assert.equal(loaded.sources.get("mesh.endpoints[products].retry")?.kind, "default");
  });

  test("a list without a key is replaced as a whole, and --no-LIST empties it", () => {
    const layers = { file: file({ node: { name: "n" }, mesh: { peers: ["a", "b"], ports: [1] } }) };
    const flags = [{ flag: "--mesh-peers", value: "c" }, { flag: "--no-mesh-ports" }];
    const loaded = loadConfig(definition, { ...layers, flags });
    assert.ok(loaded.ok);
    assert.deepEqual(loaded.value.mesh.peers, ["c"]);
    assert.deepEqual(loaded.value.mesh.ports, []);
  });

  test("a wrong value that a higher layer replaces does no harm", () => {
    const loaded = loadConfig(definition, { file: file({ node: { name: 7 } }), env: named });
    assert.ok(loaded.ok);
  });

  test("an optional section exists as soon as one layer gives a field of it", () => {
    const without = loadConfig(definition, { env: named });
    assert.ok(without.ok);
    assert.equal("cache" in without.value, false);
    const given = loadConfig(definition, { env: named, flags: [{ flag: "--cache-dir", value: "/c" }] });
    assert.ok(given.ok);
    assert.deepEqual(given.value.cache, { dir: "/c", sizes: { max: 1000 } });
    const half = faultOf({ env: { ...named, CATALYST_CACHE_SIZES_MAX: "3" } });
    assert.equal(half.key, "cache.dir");
    assert.equal(half.problem, "is missing");
  });
});

describe("faults", () => {
  test("every fault of every layer is told at once, with its place", () => {
    const faults = faultsOf({
      file: file(`{
  "node": { "name": "n1" },
  "mesh": {
    "listn": {},
    "endpoints": [
      { "name": "p", "protocol": "grphql", "url": "htp:/x" },
      { "name": "p", "protocol": "http", "url": "http://x/" }
    ]
  }
}`),
      env: { CATALYST_MESH_LISTEN_PROT: "1", CATALYST_MESH_EXPLORE: "yes", CATALYST_CONFIG: "x", OTHER: "y" },
      flags: [
        { flag: "--mesh-listn-port", value: "12x" },
        { flag: "--mesh-listen-port", value: "12x" },
        { flag: "--endpoint", value: "name=q,protocol=http,url=http://h/a,b" },
      ],
    });
    assert.deepEqual(
      faults.map(({ key, source, nearest }) => {
        const place =
          source.kind === "file" ? `${source.line}:${source.column}` : Object.values(source).at(-1);
        return [key, place, nearest].filter((part) => part !== undefined);
      }),
      [
        ["", "CATALYST_MESH_LISTEN_PROT", "CATALYST_MESH_LISTEN_PORT"],
        ["mesh.explore", "CATALYST_MESH_EXPLORE"],
        ["", "--mesh-listn-port", "--mesh-listen-port"],
        ["mesh.listen.port", "--mesh-listen-port"],
        ["mesh.endpoints", "--endpoint"],
        ["mesh.endpoints[p]", "7:7"],
        ["mesh.endpoints[p].protocol", "6:34", '"graphql"'],
        ["mesh.endpoints[p].url", "6:51"],
        ["mesh.listn", "4:5", "listen"],
      ],
    );
  });

  test("what is missing is told with all three ways to give it", () => {
    const fault = faultOf({});
    assert.equal(fault.key, "node.name");
    assert.deepEqual(fault.source, { kind: "default" });
    assert.equal(fault.hint, "set node.name in the file, CATALYST_NODE_NAME or --node-name, a DNS label");
  });

  test("what is missing in an item is told at the item", () => {
    const fault = faultOf({
      env: named,
      file: file({ mesh: { endpoints: [products, { protocol: "http", url: "http://x/" }] } }),
    });
    assert.equal(fault.key, "mesh.endpoints[1].name");
    assert.equal(fault.source.kind, "file");
    assert.equal(fault.hint, 'add "name"');
  });

  test("an unknown key that is an option elsewhere is told with its path", () => {
    const fault = faultOf({ env: named, file: file({ mesh: { ingress: "x" } }) });
    assert.equal(fault.nearest, "mesh.listen.ingress");
  });

  test("what stands in place of a section or list is not hidden by a higher layer", () => {
    const input = { file: file({ mesh: 3 }), env: named, flags: [{ flag: "--mesh-explore" }] };
    assert.equal(faultOf(input).problem, "is 3, not an object");
    const list = { file: file({ mesh: { endpoints: {} } }), env: named };
    const flags = [{ flag: "--endpoint", value: "name=a,protocol=http,url=http://a/" }];
    assert.equal(faultOf({ ...list, flags }).problem, "is an object, not a list");
  });

  const values: [name: string, value: unknown, problem: string][] = [
    ["a fraction for a whole number", { listen: { port: 1.5 } }, "is 1.5, not a whole number"],
    ["too large a number", { listen: { port: 70_000 } }, "is more than 65535: 70000"],
    ["too small a number", { listen: { ratio: -2 } }, "is less than -1: -2"],
    ["a text for a number", { listen: { port: "80" } }, 'is "80", not a number'],
    ["null for a text", { listen: { ingress: null } }, "is null, not a text"],
    ["a number for true or false", { explore: 1 }, "is 1, not true or false"],
    ["an unknown choice", { mode: "onn" }, 'is not a known choice: "onn"'],
    ["neither alternative", { window: "some" }, 'has none of the allowed forms: "some"'],
    ["a wrong element", { ports: [1, "2"] }, 'is "2", not a number'],
    ["no URL", { endpoints: [{ ...products, url: "x y" }] }, 'is not a URL: "x y"'],
    ["too short a text", { endpoints: [{ ...products, name: "" }] }, 'has fewer than 1 character: ""'],
  ];
  for (const [name, mesh, problem] of values) {
    test(`${name} is told in plain words`, () => {
      assert.equal(faultOf({ env: named, file: file({ mesh }) }).problem, problem);
    });
  }

  test("texts of flags and variables are converted strictly", () => {
    for (const text of ["12x", "", " 1", "0x10", "+1", "1.", "Infinity", "1e999"]) {
      assert.equal(
        faultOf({ env: { ...named, CATALYST_MESH_LISTEN_PORT: text } }).key,
        "mesh.listen.port",
        text,
      );
    }
    for (const value of ["1", "yes", "", "TRUE"]) {
      assert.equal(
        faultOf({ env: named, flags: [{ flag: "--mesh-explore", value }] }).key,
        "mesh.explore",
        value,
      );
    }
    assert.equal(faultOf({ env: { ...named, CATALYST_MESH_PEERS: "a,b" } }).key, "mesh.peers");
  });

  test("a file that is not JSON hides what it holds, not what else is wrong", () => {
    const faults = faultsOf({ file: file('{"node": {'), flags: [{ flag: "--mesh-mode", value: "x" }] });
    assert.deepEqual(
      faults.map((fault) => fault.key),
      ["", "mesh.mode"],
    );
  });

  test("rules between options have a place too, and the author's words", () => {
    const paired = z
      .strictObject({
        low: option(z.int().default(1), { description: "Low." }),
        high: option(z.int().default(9), { description: "High." }),
      })
      .refine((range) => range.low <= range.high, { error: "has low over high", path: ["low"] });
    const ranges = defineConfig(z.strictObject({ range: paired }));
    const loaded = loadConfig(ranges, { env: { CATALYST_RANGE_LOW: "10" } });
    assert.ok(!loaded.ok);
    assert.deepEqual(loaded.faults, [
      {
        key: "range.low",
        source: { kind: "env", variable: "CATALYST_RANGE_LOW" },
        problem: "has low over high",
      },
    ]);
  });

  test("keys are compared as the schema reads them", () => {
    const item = z.strictObject({ name: z.string().toLowerCase(), size: z.int().default(0) });
    const lower = defineConfig(
      z.strictObject({ list: keyedList(item, { key: "name", description: "Items." }) }),
    );
    const text = '{"list":[{"name":"B","size":1}]}';
    const merged = loadConfig(lower, { file: file(text), env: { CATALYST_LIST: '[{"name":"b"}]' } });
    assert.ok(merged.ok);
    assert.deepEqual(merged.value.list, [{ name: "b", size: 1 }]);
    const twice = loadConfig(lower, { env: { CATALYST_LIST: '[{"name":"b"},{"name":"B"}]' } });
    assert.ok(!twice.ok);
    assert.equal(twice.faults[0]?.problem, "is in the list twice: its name must be unique");
  });
});
