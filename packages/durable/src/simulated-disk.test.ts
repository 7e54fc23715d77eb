import assert from "node:assert/strict";
import { test } from "node:test";
import { seededNumbers } from "./seeded-numbers.ts";
import { createSimulatedDisk, type SimulatedDisk } from "./simulated-disk.ts";

const seeds = Array.from({ length: 200 }, (_, seed) => seed);

async function write(disk: SimulatedDisk, path: string, text: string, sync: boolean): Promise<void> {
  const file = await disk.open(path, "create");
  await file.write(new TextEncoder().encode(text), 0);
  if (sync) await file.sync();
  await file.close();
}

async function read(disk: SimulatedDisk, path: string): Promise<string | null> {
  const stat = await disk.stat(path);
  if (stat === null) return null;
  const target = new Uint8Array(stat.sizeBytes);
  await (await disk.open(path, "read")).read(target, 0);
  return new TextDecoder().decode(target);
}

test("What was synced, the file and its folder, is there after every power cut", async () => {
  const disk = createSimulatedDisk();
  await disk.makeFolder("/a");
  await disk.syncFolder("/");
  await write(disk, "/a/file", "content", true);
  await disk.syncFolder("/a");
  for (const seed of seeds)
    assert.equal(await read(disk.afterPowerCut(seededNumbers(seed)), "/a/file"), "content");
});

test("A file whose folder was not synced may be gone, and is whole otherwise", async () => {
  const disk = createSimulatedDisk();
  await write(disk, "/file", "content", true);
  const found = await Promise.all(
    seeds.map((seed) => read(disk.afterPowerCut(seededNumbers(seed)), "/file")),
  );
  assert.deepEqual(new Set(found), new Set([null, "content"]));
});

test("A write that was not synced is there, or not, or torn at a page or a sector", async () => {
  const disk = createSimulatedDisk();
  await write(disk, "/file", "o".repeat(10_000), true);
  await disk.syncFolder("/");
  const file = await disk.open("/file", "update");
  await file.write(new TextEncoder().encode("n".repeat(10_000)), 0);
  const found = await Promise.all(
    seeds.map((seed) => read(disk.afterPowerCut(seededNumbers(seed)), "/file")),
  );
  assert.ok(found.includes("o".repeat(10_000)));
  assert.ok(found.includes("n".repeat(10_000)));
  const torn = found.filter((text) => text !== null && /on|no/.test(text));
  assert.ok(torn.length > 10);
  for (const text of torn) {
    for (const { index } of (text ?? "").matchAll(/(?<=o)n|(?<=n)o/g)) assert.equal(index % 512, 0);
  }
});

test("Of two writes the second may survive without the first", async () => {
  const disk = createSimulatedDisk();
  await write(disk, "/file", "--", true);
  await disk.syncFolder("/");
  const file = await disk.open("/file", "update");
  await file.write(new TextEncoder().encode("1"), 0);
  await file.write(new TextEncoder().encode("2"), 1);
  const found = await Promise.all(
    seeds.map((seed) => read(disk.afterPowerCut(seededNumbers(seed)), "/file")),
  );
  assert.deepEqual(new Set(found), new Set(["--", "1-", "-2", "12"]));
});

test("A rename survives whole or not at all", async () => {
  const disk = createSimulatedDisk();
  await write(disk, "/old", "old", true);
  await write(disk, "/new", "new", true);
  await disk.syncFolder("/");
  await disk.rename("/new", "/old");
  const found = new Set<string>();
  for (const seed of seeds) {
    const after = disk.afterPowerCut(seededNumbers(seed));
    found.add(`${await read(after, "/old")} ${await read(after, "/new")}`);
  }
  assert.deepEqual(found, new Set(["old new", "new null"]));
});

test("Equal numbers give equal disks, and the disk that was copied stays as it is", async () => {
  const disk = createSimulatedDisk();
  for (const name of ["a", "b", "c"]) await write(disk, `/${name}`, name.repeat(9_000), name === "b");
  const [one, two] = [disk.afterPowerCut(seededNumbers(7)), disk.afterPowerCut(seededNumbers(7))];
  assert.deepEqual(one.files(), two.files());
  for (const path of one.files()) assert.equal(await read(one, path), await read(two, path));
  assert.deepEqual(disk.files(), ["/a", "/b", "/c"]);
  assert.equal(disk.usedBytes, 27_000);
});

test("After the crash nothing is carried out, and who asked is told before", async () => {
  const disk = createSimulatedDisk();
  let crashes = 0;
  disk.crashAt(3, () => (crashes += 1));
  await assert.rejects(write(disk, "/file", "content", true), { code: "io_failed" });
  await assert.rejects(disk.list("/"), { code: "io_failed" });
  assert.equal(crashes, 1);
  assert.deepEqual(disk.files(), ["/file"]);
});

test("A full disk refuses a write and takes another one once there is room", async () => {
  const disk = createSimulatedDisk({ capacityBytes: 100 });
  await write(disk, "/a", "x".repeat(80), true);
  await assert.rejects(write(disk, "/b", "x".repeat(30), true), { code: "disk_full" });
  await disk.remove("/a");
  await write(disk, "/c", "x".repeat(30), true);
  assert.equal(disk.usedBytes, 30);
});

test("A flipped bit is there at once and after a power cut", async () => {
  const disk = createSimulatedDisk();
  await write(disk, "/file", "a", true);
  await disk.syncFolder("/");
  disk.flipBit("/file", 1);
  assert.equal(await read(disk, "/file"), "c");
  assert.equal(await read(disk.afterPowerCut(seededNumbers(1)), "/file"), "c");
});
