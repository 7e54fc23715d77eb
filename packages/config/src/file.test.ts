import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { MAX_FILE_BYTES } from "./file.ts";
import { defineConfig, type Fault, loadConfig, option, readConfigFile, z } from "./index.ts";

const definition = defineConfig(
  z.strictObject({
    node: z.strictObject({ name: option(z.string().default("n1"), { description: "Its name." }) }),
  }),
);

describe("a configuration file", () => {
  let folder = "";
  before(() => {
    folder = mkdtempSync(join(tmpdir(), "catalyst-config-"));
  });
  after(() => rmSync(folder, { recursive: true }));

  function write(content: string | Uint8Array): string {
    const path = join(folder, "catalyst.json");
    writeFileSync(path, content);
    return path;
  }

  function faultOf(path: string): Fault {
    const loaded = loadConfig(definition, { file: readConfigFile(path) });
    assert.ok(!loaded.ok);
    assert.equal(loaded.faults.length, 1);
    return loaded.faults[0] as Fault;
  }

  test("may begin with a byte order mark and name its schema", () => {
    const path = write('\ufeff{"$schema":"./catalyst.schema.json","node":{"name":"a"}}');
    const loaded = loadConfig(definition, { file: readConfigFile(path) });
    assert.ok(loaded.ok);
    assert.deepEqual(loaded.value, { node: { name: "a" } });
  });

  test("may name its schema at the top only", () => {
    assert.equal(faultOf(write('{"node":{"$schema":"x"}}')).key, "node.$schema");
  });

  test("has lines and columns also with CRLF", () => {
    const fault = faultOf(write('{\r\n  "node": {\r\n    "nme": 1 }\r\n}'));
    assert.deepEqual(fault.source, { kind: "file", path: join(folder, "catalyst.json"), line: 3, column: 5 });
  });

  test("that is missing, a folder, not UTF-8 or too large is a fault like any other", () => {
    assert.equal(faultOf(join(folder, "none.json")).problem, "cannot be read: there is no such file");
    assert.equal(faultOf(folder).problem, "cannot be read: this is not a file");
    assert.equal(
      faultOf(write(Uint8Array.of(0x7b, 0xff, 0x7d))).problem,
      "cannot be read: it is not UTF-8 text",
    );
    const large = " ".repeat(MAX_FILE_BYTES + 1);
    assert.equal(faultOf(write(large)).problem, "cannot be read: it is larger than 8 MiB");
    const loaded = loadConfig(definition, { file: { path: "f", text: large } });
    assert.equal(loaded.ok, false);
  });

  test("that is no object is refused", () => {
    for (const text of ["[]", "3", "null", '"x"'])
      assert.equal(faultOf(write(text)).problem, "is not an object");
  });
});
