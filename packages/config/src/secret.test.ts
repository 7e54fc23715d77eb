import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type ConfigInput, defineConfig, loadConfig, option, renderFaults, showConfig, z } from "./index.ts";
import { sampleSchema } from "./testing/sample-schema.ts";

const definition = defineConfig(sampleSchema);
const endpoint = "name=a,protocol=http,url=http://a/";

describe("a secret", () => {
  test("is not shown, with or without sources", () => {
    const env = { CATALYST_NODE_NAME: "n1", CATALYST_NODE_PASSWORD: "hunter2" };
    const flags = [{ flag: "--endpoint", value: `${endpoint},token=hunter2` }];
    const loaded = loadConfig(definition, { env, flags });
    assert.ok(loaded.ok);
    assert.equal(loaded.value.node.password, "hunter2");
    const shown = showConfig(loaded, { sources: true });
    assert.equal(JSON.stringify(shown).includes("hunter2"), false);
    assert.equal(shown.sources?.find((entry) => entry.key === "mesh.endpoints[a].token")?.value, "(secret)");
  });

  const inputs: [name: string, input: ConfigInput][] = [
    ["that is too short", { env: { CATALYST_NODE_PASSWORD: "s3" } }],
    ["of a wrong type in the file", { file: { path: "f", text: '{"node":{"password":["s3"]}}' } }],
    ["in an item that is not NAME=VALUE", { flags: [{ flag: "--endpoint", value: `${endpoint},token:s3` }] }],
    [
      "with a comma that is not quoted",
      { flags: [{ flag: "--endpoint", value: `${endpoint},token=a,b-s3=c` }] },
    ],
    ["whose quote is not closed", { flags: [{ flag: "--endpoint", value: `${endpoint},token="s3` }] }],
    ["in an item that is no JSON", { flags: [{ flag: "--endpoint", value: '{"token":"s3","s3":1,"s3":2' }] }],
    ["under a misspelt flag", { flags: [{ flag: "--node-pasword", value: "s3" }] }],
    ["under a misspelt key", { file: { path: "f", text: '{"node":{"pasword":"s3"}}' } }],
  ];
  for (const [name, input] of inputs) {
    test(`${name} is not part of a fault`, () => {
      const loaded = loadConfig(definition, input);
      assert.ok(!loaded.ok);
      assert.equal(renderFaults(loaded.faults).includes("s3"), false, renderFaults(loaded.faults));
    });
  }

  test("that the author's own message repeats is taken out of it", () => {
    const pin = z.string().refine(() => false, { error: (issue) => `is no PIN: ${String(issue.input)}` });
    const pins = defineConfig(z.strictObject({ pin: option(pin, { description: "A PIN.", secret: true }) }));
    const loaded = loadConfig(pins, { env: { CATALYST_PIN: "12345" } });
    assert.ok(!loaded.ok);
    assert.equal(loaded.faults[0]?.problem, "is no PIN: (secret)");
  });
});
