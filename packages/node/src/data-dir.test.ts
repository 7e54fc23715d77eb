import assert from "node:assert/strict";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { after, test } from "node:test";
import { loadConfig } from "@catalyst/config";
import { runFolder } from "@catalyst/rpc";
import { dataDirOf, prepareDataDir } from "./data-dir.ts";
import { nodeConfig } from "./options.ts";
import { paths } from "./paths.ts";

const folder = mkdtempSync(join(tmpdir(), "catalyst-data-"));
after(() => rmSync(folder, { recursive: true }));

function configured(node: { name?: string; dataDir?: string }) {
  const loaded = loadConfig(nodeConfig, { file: { path: "catalyst.json", text: JSON.stringify({ node }) } });
  assert.ok(loaded.ok);
  return loaded.value;
}

test("the data directory is the configured one, else one named after the node", () => {
  assert.equal(dataDirOf(configured({ dataDir: "data" }), "/xdg"), resolve("data"));
  assert.equal(dataDirOf(configured({ name: "n7" }), "/xdg"), "/xdg/catalyst/n7");
});

test("the folders of a node are made, open to their owner alone, and may be there already", () => {
  const dataDir = join(folder, "new", "data");
  prepareDataDir(dataDir);
  prepareDataDir(dataDir);
  for (const made of [dataDir, paths.logs(dataDir), runFolder(dataDir)]) {
    assert.equal(statSync(made).mode & 0o777, 0o700, made);
  }
});

test("a folder of sockets that others may open is refused, and so is what is no folder", () => {
  const open = join(folder, "open");
  mkdirSync(runFolder(open), { recursive: true });
  chmodSync(runFolder(open), 0o755);
  assert.throws(() => prepareDataDir(open), {
    code: "data_dir_unusable",
    message: /run cannot be used: others may open it. Mend that, or choose another with --node-data-dir/,
  });
  const file = join(folder, "file");
  writeFileSync(file, "");
  assert.throws(() => prepareDataDir(file), {
    code: "data_dir_unusable",
    message: /file\/logs cannot be used: ENOTDIR/,
  });
});
