import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { after, test } from "node:test";
import { CommandError } from "../../exit-code.ts";
import { findSources, type NamingOptions } from "./put-source.ts";

const folder = mkdtempSync(join(tmpdir(), "catalyst-put-"));
after(() => rmSync(folder, { recursive: true }));
const path = (name: string) => join(folder, name);
for (const name of ["a/x", "a/deep/y", "b/x"]) {
  mkdirSync(join(path(name), ".."), { recursive: true });
  writeFileSync(path(name), name);
}
symlinkSync("x", path("a/link"));

function find(files: readonly string[], options: NamingOptions = {}) {
  return findSources(
    files.map((file) => (file === "-" ? file : path(file))),
    options,
    Readable.from(["typed"]),
  );
}

test("a file has no name but the one that is given, and is read as it is", async () => {
  const { sources } = await find(["a/x"], { name: "n" });
  assert.deepEqual(
    sources.map(({ name, sizeBytes }) => [name, sizeBytes]),
    [["n", 3]],
  );
  const [unnamed] = (await find(["a/x"])).sources;
  assert.equal(unnamed?.name, null);
  assert.equal((await buffer(unnamed?.open() ?? Readable.from([]))).toString(), "a/x");
});

test("with -r files are named by their path in the folder, below a prefix, in order, without links", async () => {
  const { sources, skipped } = await find(["a"], { recursive: true, prefix: "p/" });
  assert.deepEqual([sources.map(({ name }) => name), skipped], [["p/deep/y", "p/x"], 1]);
  const both = await find(["a", "b/x"], { recursive: true, prefix: "q" }).catch((error: unknown) => error);
  assert.match(String(both), /would both be named q\/x/);
  const single = await find(["b/x"], { recursive: true });
  assert.deepEqual(
    single.sources.map(({ name }) => name),
    ["x"],
  );
});

test("what contradicts itself is refused with exit code 2, what is not there with 3", async () => {
  for (const [files, options, code, says] of [
    [["a"], {}, 2, /a is a folder: -r/],
    [["a/x", "b/x"], { name: "n" }, 2, /--name is for a single file/],
    [["a"], { recursive: true, name: "n" }, 2, /--name is for a single file/],
    [["a/x", "b/x"], { expected: "c" }, 2, /--expected is for a single file/],
    [["a/x"], { prefix: "p" }, 2, /--prefix is for -r/],
    [["a", "b"], { recursive: true }, 2, /would both be named x/],
    [["-", "-"], {}, 2, /is put once/],
    [["-"], { recursive: true }, 2, /is put once/],
    [["nowhere"], {}, 3, /cannot read .*nowhere/],
  ] as const) {
    await assert.rejects(find(files, options), (error) => {
      assert.ok(error instanceof CommandError && error.code === code, String(error));
      assert.match(error.message, says);
      return true;
    });
  }
});
