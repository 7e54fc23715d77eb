import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Command } from "commander";
import fc from "fast-check";
import { addFlags, defineConfig, loadConfig, type ParsedFlags, readFlags } from "./index.ts";
import { sampleSchema } from "./testing/sample-schema.ts";
import { configValue } from "./testing.ts";
import { configToFlags } from "./written.ts";

const definition = defineConfig(sampleSchema);

/** `test run [target]` with an option of its own. */
function parse(...argv: string[]): { flags: ParsedFlags; operands: string[]; own: unknown } {
  const program = new Command("test").exitOverride();
  const run = program.command("run").argument("[target]").option("--config <file>").exitOverride();
  addFlags(run, definition);
  let operands: string[] = [];
  run.action(() => {
    operands = run.args;
  });
  program.parse(["run", ...argv], { from: "user" });
  return { flags: readFlags(run, definition), operands, own: run.opts() };
}

describe("flags", () => {
  test("are taken out of a subcommand's line, beside its own options and operands", () => {
    const { flags, operands, own } = parse(
      "--node-name",
      "n1",
      "t",
      "--config=f",
      "--mesh-explore",
      "--ingress=-x",
    );
    assert.deepEqual(flags, [
      { flag: "--node-name", value: "n1" },
      { flag: "--mesh-explore" },
      { flag: "--ingress", value: "-x" },
    ]);
    assert.deepEqual(operands, ["t"]);
    assert.deepEqual(own, { config: "f" });
  });

  test("that are unknown are collected with their values, and known ones after them still count", () => {
    const { flags, operands } = parse("t", "--nod-name", "n1", "--x=1", "-q", "--mesh-mode", "on");
    assert.deepEqual(flags, [
      { flag: "--mesh-mode", value: "on" },
      { flag: "--nod-name" },
      { flag: "--x", value: "1" },
      { flag: "-q" },
    ]);
    assert.deepEqual(operands, ["t"]);
  });

  test("do not swallow another flag as their value, nor what follows --", () => {
    assert.deepEqual(parse("--node-name", "--mesh-explore").flags, [
      { flag: "--node-name" },
      { flag: "--mesh-explore" },
    ]);
    const { flags, operands } = parse("--node-name=n1", "--", "--mesh-explore");
    assert.deepEqual(flags, [{ flag: "--node-name", value: "n1" }]);
    assert.deepEqual(operands, ["--mesh-explore"]);
  });

  test("without a value, or with one too many, are faults", () => {
    const loaded = loadConfig(definition, { flags: parse("--no-mesh-peers=x", "--node-name").flags });
    assert.ok(!loaded.ok);
    assert.deepEqual(
      loaded.faults.map(({ key, problem }) => [key, problem]),
      [
        ["mesh.peers", "takes no value"],
        ["node.name", "has no value"],
      ],
    );
  });

  test("of true or false are --x, --no-x and --x=false, and the last one counts", () => {
    const read = (...argv: string[]): boolean | undefined => {
      const loaded = loadConfig(definition, { flags: parse("--node-name=n1", ...argv).flags });
      assert.ok(loaded.ok);
      return loaded.value.mesh.compress;
    };
    assert.equal(read("--mesh-compress"), true);
    assert.equal(read("--mesh-compress=false"), false);
    assert.equal(read("--mesh-compress", "--no-mesh-compress"), false);
    assert.equal(read("--no-mesh-compress", "--mesh-compress=true"), true);
  });

  test("of a keyed list take an item as JSON too", () => {
    fc.assert(
      fc.property(configValue(definition), (value) => {
        const pairs = loadConfig(definition, { flags: parse(...configToFlags(definition, value)).flags });
        const items = value.mesh.endpoints.map((item) => `--endpoint=${JSON.stringify(item)}`);
        const rest = configToFlags(definition, { ...value, mesh: { ...value.mesh, endpoints: [] } });
        const json = loadConfig(definition, { flags: parse(...rest, ...items).flags });
        assert.ok(pairs.ok && json.ok);
        assert.deepEqual(pairs.value, value);
        assert.deepEqual(json.value, value);
      }),
    );
  });

  test("are listed in the command's help under their sections", () => {
    const command = new Command("run");
    addFlags(command, definition);
    const help = command.helpInformation();
    assert.match(help, /Configuration, section mesh:\n {2}--ingress <text>/);
    assert.match(help, /--mesh-compress +Saves bytes\. \(--no-mesh-compress; default true\)/);
    assert.match(help, /--endpoint <item> +What is served\. \(repeatable\)/);
  });
});
