import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { openDatabase } from "@catalyst/durable";
import { createSimulatedDisk, type SimulatedDisk, seededNumbers } from "@catalyst/durable/testing";
import { type Cid, cidOfTree, hashTree } from "@catalyst/wire";
import { openDiskStore, storeMigrations } from "../disk/disk-store.ts";
import type { StoreEvent } from "../events.ts";
import { openManifest } from "../manifest/file.ts";
import { importChunked } from "../manifest/import.ts";
import { createMemoryStore } from "../memory-store.ts";
import type { Store } from "../store.ts";
import { makeBytes, putBytes, readAll } from "../test-objects.ts";
import { copies, openPlacement, type Placement } from "./placement.ts";

const folders = ["/d0", "/d1", "/d2", "/d3", "/d4", "/d5", "/d6"];
const namespace = "a";
const bytes = makeBytes(700_000);

async function start(): Promise<{
  store: Store;
  files: SimulatedDisk;
  placement: Placement;
  events: StoreEvent[];
}> {
  const files = createSimulatedDisk();
  for (const folder of folders) await files.makeFolder(folder);
  await files.syncFolder("/");
  const store = createMemoryStore();
  const events: StoreEvent[] = [];
  const onEvent = (event: StoreEvent) => void events.push(event);
  const placement = await openPlacement({ store, devices: folders, files, onEvent });
  return { store, files, placement, events };
}

async function statesOf(placement: Placement, cid: Cid): Promise<readonly string[]> {
  const status = await placement.check(cid);
  return status.kind === "placed" ? status.shards.map(({ state }) => state) : [];
}

for (const scheme of [copies(3), { data: 2, parity: 1 }, { data: 4, parity: 2 }]) {
  const { data, parity } = scheme;
  test(`Of ${data} and ${parity} shards any ${parity} may be lost with the object, and all comes back exactly`, async () => {
    for (const size of [0, 1, 5_000, 65_536 * data, 700_000]) {
      const { store, files, placement, events } = await start();
      const content = bytes.subarray(0, size);
      const cid = await putBytes(store, content);
      const placed = await placement.place(cid, scheme);
      assert.equal(placed.kind, "placed");
      assert.deepEqual(events, [
        { kind: "placed", cid, data, parity, devices: placed.kind === "placed" ? placed.devices : [] },
      ]);
      assert.deepEqual(await placement.list(), [cid]);
      const before = files.files();
      for (let lost = 0; lost < data + parity; lost++) {
        for (let next = 0; next < parity; next++) {
          const shard = (lost + next) % (data + parity);
          for (const path of files.files().filter((name) => name.includes(`.${shard}.`)))
            await files.remove(path);
        }
        const empty = createMemoryStore();
        const again = await openPlacement({ store: empty, devices: folders, files });
        assert.deepEqual(await again.repair(cid, { namespace }), {
          kind: "repaired",
          object: true,
          shards: parity,
        });
        assert.deepEqual(await readAll(await empty.get(cid)), Buffer.from(content));
        assert.deepEqual(await again.repair(cid, { namespace }), { kind: "intact" });
        assert.equal(files.files().length, before.length);
      }
    }
  });
}

test("A flipped bit in any file of a placement is found, and the file is made anew", async () => {
  const { store, files, placement } = await start();
  const cid = await putBytes(store, bytes);
  await placement.place(cid, { data: 2, parity: 1 });
  assert.deepEqual(await statesOf(placement, cid), ["intact", "intact", "intact"]);
  for (const path of files.files()) {
    const size = (await files.stat(path))?.sizeBytes ?? 0;
    files.flipBit(path, Math.floor(size / 2) * 8 - 1);
    const states = await statesOf(placement, cid);
    const damaged = states.filter((state) => state === "damaged").length;
    assert.equal(damaged, path.endsWith(".plan") ? 0 : 1, path);
    await placement.repair(cid, { namespace });
    assert.deepEqual(await statesOf(placement, cid), ["intact", "intact", "intact"]);
  }
});

test("More lost than there is parity is said to be lost, and what is in the store stays", async () => {
  const { store, files, placement } = await start();
  const cid = await putBytes(store, bytes);
  await placement.place(cid, { data: 2, parity: 1 });
  for (const path of files.files()) if (/\.[01]\.data$/.test(path)) await files.remove(path);
  const elsewhere = await openPlacement({ store: createMemoryStore(), devices: folders, files });
  assert.deepEqual(await elsewhere.repair(cid, { namespace }), { kind: "lost" });
  assert.deepEqual(await placement.repair(cid, { namespace }), {
    kind: "repaired",
    object: false,
    shards: 2,
  });
});

test("An object that is gone and has no room in its namespace is said to exceed the quota, not to be lost", async () => {
  const { store, files, placement } = await start();
  const cid = await putBytes(store, bytes);
  await placement.place(cid, copies(2));
  const empty = createMemoryStore();
  await empty.setQuota(namespace, 1_000);
  const again = await openPlacement({ store: empty, devices: folders, files });
  assert.equal((await again.repair(cid, { namespace })).kind, "quota_exceeded");
  await empty.setQuota(namespace, null);
  assert.equal((await again.repair(cid, { namespace })).kind, "repaired");
});

test("What cannot be placed is said: no such object, too few devices, no scheme", async () => {
  const { store, placement } = await start();
  const unknown = cidOfTree(hashTree(bytes));
  assert.deepEqual(await placement.place(unknown, copies(2)), { kind: "not_found" });
  assert.deepEqual(await placement.check(unknown), { kind: "not_placed" });
  assert.deepEqual(await placement.repair(unknown, { namespace }), { kind: "not_placed" });
  const cid = await putBytes(store, bytes);
  assert.deepEqual(await placement.place(cid, { data: 6, parity: 2 }), {
    kind: "too_few_devices",
    needed: 8,
    given: 7,
  });
  for (const scheme of [
    { data: 0, parity: 1 },
    { data: 1.5, parity: 1 },
    { data: 200, parity: 57 },
  ]) {
    await assert.rejects(placement.place(cid, scheme), { name: "StoreError", code: "option_invalid" });
  }
});

test("A placement that is removed, or placed otherwise, leaves nothing behind", async () => {
  const { store, files, placement } = await start();
  const cid = await putBytes(store, bytes);
  await placement.place(cid, { data: 4, parity: 2 });
  await placement.place(cid, copies(2));
  assert.equal(files.files().filter((path) => path.endsWith(".plan")).length, 2);
  assert.deepEqual(await statesOf(placement, cid), ["intact", "intact"]);
  await placement.remove(cid);
  assert.deepEqual(files.files(), []);
});

test("An object that cannot be read is not placed anew, and what was placed before makes it whole", async () => {
  const folder = mkdtempSync(join(tmpdir(), "catalyst-placement-"));
  try {
    const files = createSimulatedDisk();
    for (const path of ["/objects", ...folders]) await files.makeFolder(path);
    const database = openDatabase(join(folder, "store.db"), { migrations: storeMigrations });
    await using store = await openDiskStore("", { database, files, reserveBytes: 0 });
    const placement = await openPlacement({ store, devices: folders, files });
    const cid = await putBytes(store, bytes);
    await placement.place(cid, { data: 2, parity: 1 });
    files.flipBit(files.files().find((path) => path.startsWith("/objects/")) ?? "", 5_000_000);
    await assert.rejects(placement.place(cid, copies(2)), { name: "StoreError", code: "object_damaged" });
    assert.deepEqual(await statesOf(placement, cid), ["intact", "intact", "intact"]);
    assert.equal((await placement.repair(cid, { namespace })).kind, "repaired");
    assert.deepEqual(await readAll(await store.get(cid)), Buffer.from(bytes));
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("A file in chunks that is placed with its chunks comes back as a file when the store is lost", async () => {
  const { store, files, placement } = await start();
  const imported = await importChunked(store, [bytes], { namespace });
  assert.ok(imported.kind === "stored");
  const { cid, sha256 } = imported;
  for (const part of [...(await store.references(cid)), cid])
    await placement.place(part, { data: 2, parity: 1 });
  const empty = createMemoryStore();
  const again = await openPlacement({ store: empty, devices: folders, files });
  assert.equal((await again.repair(cid, { namespace })).kind, "repaired");
  const file = await openManifest(empty, cid);
  assert.ok(file.kind === "found");
  assert.deepEqual(
    await readAll({ kind: "found", sizeBytes: bytes.length, bytes: file.read() }),
    Buffer.from(bytes),
  );
  assert.equal(await empty.findBySha256(sha256), cid);
  assert.deepEqual(await empty.references(cid), await store.references(cid));
});

test("What is not ours in the folder of a device is left alone", async () => {
  const { store, files, placement } = await start();
  await placement.place(await putBytes(store, bytes), copies(2));
  const foreign = ["/d0/notes.txt", "/d0/photo.data", "/d0/b.plan", `/d0/b${"a".repeat(63)}.plan`];
  for (const path of foreign) await (await files.open(path, "create")).close();
  await files.makeFolder("/d0/folder");
  const again = await openPlacement({ store, devices: folders, files });
  for (const path of foreign) assert.ok(files.files().includes(path), path);
  assert.equal((await again.list()).length, 1);
});

test("After a power cut at any step a placement is whole, or can be repaired, or was never acknowledged", async () => {
  for (let seed = 1; seed <= 60; seed++) {
    const random = seededNumbers(seed);
    const { store, files, placement } = await start();
    const cid = await putBytes(store, bytes);
    files.crashAt(files.steps + 1 + Math.floor(random() * 60));
    const acknowledged = await placement.place(cid, { data: 2, parity: 1 }).then(
      () => true,
      () => false,
    );
    const survived = files.afterPowerCut(random);
    const again = await openPlacement({ store, devices: folders, files: survived });
    const states = await statesOf(again, cid);
    if (acknowledged) assert.deepEqual(states, ["intact", "intact", "intact"]);
    for (const state of states) assert.equal(state, "intact", `seed ${seed}`);
    await again.remove(cid);
    assert.deepEqual(survived.files(), []);
  }
});

test("After a power cut at any step of placing anew the object can be placed again, and nothing is left of the rest", async () => {
  for (let seed = 1; seed <= 40; seed++) {
    const random = seededNumbers(seed);
    const { store, files, placement } = await start();
    const cid = await putBytes(store, bytes);
    await placement.place(cid, { data: 4, parity: 2 });
    files.crashAt(files.steps + 1 + Math.floor(random() * 90));
    await placement.place(cid, copies(2)).catch(() => {}); // that is the power cut
    const survived = files.afterPowerCut(random);
    const again = await openPlacement({ store, devices: folders, files: survived });
    assert.equal((await again.place(cid, { data: 2, parity: 1 })).kind, "placed");
    assert.deepEqual(await statesOf(again, cid), ["intact", "intact", "intact"], `seed ${seed}`);
    await again.remove(cid);
    assert.deepEqual(survived.files(), []);
  }
});

test("After a power cut at any step of a repair the object and its shards can be repaired still", async () => {
  for (let seed = 1; seed <= 40; seed++) {
    const random = seededNumbers(seed);
    const { store, files, placement } = await start();
    const cid = await putBytes(store, bytes);
    await placement.place(cid, { data: 2, parity: 1 });
    const [lost] = files.files().filter((path) => path.endsWith(".data"));
    if (seed % 2 === 0) await files.remove(lost ?? "");
    else files.flipBit(lost ?? "", 4_000);
    files.crashAt(files.steps + 1 + Math.floor(random() * 16));
    await placement.repair(cid, { namespace }).catch(() => {}); // that is the power cut
    const survived = files.afterPowerCut(random);
    const empty = createMemoryStore();
    const again = await openPlacement({ store: empty, devices: folders, files: survived });
    await again.repair(cid, { namespace });
    assert.deepEqual(await readAll(await empty.get(cid)), Buffer.from(bytes), `seed ${seed}`);
    assert.deepEqual(await statesOf(again, cid), ["intact", "intact", "intact"]);
  }
});
