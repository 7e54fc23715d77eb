import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { armFailpoints } from "./failpoint.ts";
import { replaceFile, replaceFileSync } from "./replace-file.ts";

const root = mkdtempSync(join(tmpdir(), "catalyst-replace-"));
after(() => rmSync(root, { recursive: true }));

const folder = () => mkdtempSync(join(root, "t-"));
const modeOf = (path: string) => statSync(path).mode & 0o777;

const ways = {
  replaceFile: async (...args: Parameters<typeof replaceFile>) => replaceFile(...args),
  replaceFileSync: async (...args: Parameters<typeof replaceFile>) => replaceFileSync(...args),
};

for (const [name, replace] of Object.entries(ways)) {
  test(`${name} makes a new file for its owner alone and leaves nothing beside it`, async () => {
    const dir = folder();
    await replace(join(dir, "state.json"), "{}");
    assert.equal(readFileSync(join(dir, "state.json"), "utf8"), "{}");
    assert.equal(modeOf(join(dir, "state.json")), 0o600);
    assert.deepEqual(readdirSync(dir), ["state.json"]);
  });

  test(`${name} keeps the mode of what it replaces unless told otherwise`, async () => {
    const path = join(folder(), "state");
    writeFileSync(path, "old");
    chmodSync(path, 0o666);
    await replace(path, new Uint8Array([1, 2]));
    assert.equal(modeOf(path), 0o666);
    await replace(path, "", { mode: 0o640 });
    assert.equal(modeOf(path), 0o640);
    assert.equal(statSync(path).size, 0);
  });

  for (const step of ["replace.before_fsync", "replace.before_rename"]) {
    test(`${name} that fails at ${step} leaves the old content and nothing beside it`, async () => {
      const dir = folder();
      writeFileSync(join(dir, "state"), "old");
      using _ = armFailpoints(`${step}=error:ENOSPC`);
      await assert.rejects(replace(join(dir, "state"), "new"), { name: "DurableError", code: "disk_full" });
      assert.equal(readFileSync(join(dir, "state"), "utf8"), "old");
      assert.deepEqual(readdirSync(dir), ["state"]);
    });
  }

  for (const [step, expected] of Object.entries({
    "replace.before_fsync": "old",
    "replace.before_rename": "old",
    "replace.before_folder_fsync": "new",
  })) {
    test(`${name} killed at ${step} leaves the ${expected} content whole, and the next call tidies up`, async () => {
      const dir = folder();
      const path = join(dir, "state");
      writeFileSync(path, "old");
      const code = `const { ${name} } = await import(${JSON.stringify(import.meta.resolve("./replace-file.ts"))});
        await ${name}(${JSON.stringify(path)}, "new"); console.log("done");`;
      const child = spawnSync(process.execPath, ["--input-type=module", "-e", code], {
        env: { CATALYST_FAILPOINT: `${step}=kill` },
        encoding: "utf8",
      });
      assert.equal(child.signal, "SIGKILL", child.stderr);
      assert.equal(readFileSync(path, "utf8"), expected);
      await replace(path, "newer");
      assert.deepEqual(readdirSync(dir), ["state"]);
      assert.equal(readFileSync(path, "utf8"), "newer");
    });
  }

  test(`${name} says which file it could not write, and why`, async () => {
    const path = join(folder(), "missing", "state");
    await assert.rejects(replace(path, "x"), { code: "io_failed", evidence: { path: join(path, "..") } });
  });
}

test("Calls for one path at the same time take effect in their order", async () => {
  const path = join(folder(), "state");
  const sizes = [300_000, 10, 200_000, 0, 7];
  await Promise.all(sizes.map((size) => replaceFile(path, new Uint8Array(size))));
  assert.equal(statSync(path).size, 7);
});

test("A failed call does not keep the next one for the path from its work", async () => {
  const path = join(folder(), "state");
  const first = replaceFile(path, "first", { mode: -1 });
  const second = replaceFile(path, "second");
  await assert.rejects(first, { code: "io_failed" });
  await second;
  assert.equal(readFileSync(path, "utf8"), "second");
});
