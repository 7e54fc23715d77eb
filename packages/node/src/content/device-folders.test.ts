import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { checkDevices } from "./device-folders.ts";

const root = mkdtempSync(join(tmpdir(), "catalyst-devices-"));
after(() => rmSync(root, { recursive: true }));
for (const name of ["store", "store/objects", "a", "b"]) mkdirSync(join(root, name));
symlinkSync(join(root, "a"), join(root, "also-a"));

const check = (...folders: readonly string[]) =>
  checkDevices(
    join(root, "store"),
    folders.map((folder, at) => ({ name: `d${at}`, folder: join(root, folder) })),
  );

test("devices are folders of their own, there or not", () => {
  check();
  check("a", "b", "not-there", "not-there-2", "a/nested", "storeroom");
});

test("two devices that are one folder are refused, by whatever path", () => {
  for (const [one, other] of [
    ["a", "a"],
    ["a", "a/"],
    ["a", "b/../a"],
    ["a", "also-a"],
    ["not-there", "not-there"],
    ["a/not-there", "also-a/not-there"],
  ] as const) {
    assert.throws(() => check("b", one, other), { name: "NodeError", code: "devices_overlap" });
  }
});

test("a device in the folder of the store is refused", () => {
  for (const folder of ["store", "store/", "store/objects", "store/not-there"]) {
    assert.throws(() => check("a", folder), { code: "devices_overlap" });
  }
});
