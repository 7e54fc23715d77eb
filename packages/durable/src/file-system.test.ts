import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { diskFileSystem } from "./disk-file-system.ts";
import { armFailpoints } from "./failpoint.ts";
import { fileSystemContract } from "./file-system-contract.ts";
import { createSimulatedDisk } from "./simulated-disk.ts";

const root = mkdtempSync(join(tmpdir(), "catalyst-files-"));
after(() => rmSync(root, { recursive: true }));

fileSystemContract("the disk", async () => ({
  files: diskFileSystem,
  folder: mkdtempSync(join(root, "t-")),
}));
fileSystemContract("the simulated disk", async () => ({ files: createSimulatedDisk(), folder: "" }));
fileSystemContract("a simulated disk after a power cut", async () => {
  const files = createSimulatedDisk().afterPowerCut(() => 0);
  return { files, folder: "" };
});

test("Every operation of the disk passes a failpoint of its name", async () => {
  const folder = mkdtempSync(join(root, "t-"));
  const file = await diskFileSystem.open(join(folder, "a"), "create");
  const steps: Readonly<Record<string, () => Promise<unknown>>> = {
    "file.create": () => diskFileSystem.open(join(folder, "b"), "create"),
    "file.open": () => diskFileSystem.open(join(folder, "a"), "read"),
    "file.read": () => file.read(new Uint8Array(1), 0),
    "file.write": () => file.write(new Uint8Array(1), 0),
    "file.truncate": () => file.truncate(0),
    "file.sync": () => file.sync(),
    "file.rename": () => diskFileSystem.rename(join(folder, "a"), join(folder, "c")),
    "file.link": () => diskFileSystem.link(join(folder, "a"), join(folder, "c")),
    "file.remove": () => diskFileSystem.remove(join(folder, "a")),
    "folder.make": () => diskFileSystem.makeFolder(join(folder, "d")),
    "folder.sync": () => diskFileSystem.syncFolder(folder),
  };
  for (const [step, run] of Object.entries(steps)) {
    using _ = armFailpoints(`${step}=error:ENOSPC`);
    await assert.rejects(run, { name: "DurableError", code: "disk_full" }, step);
  }
  await file.close();
  assert.deepEqual(await diskFileSystem.list(folder), ["a"]);
});
