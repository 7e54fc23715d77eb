import assert from "node:assert/strict";
import { hash } from "node:crypto";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { DurableError, type FileSystem } from "@catalyst/durable";
import { createSimulatedDisk, type SimulatedDisk } from "@catalyst/durable/testing";
import {
  type CborInput,
  type Cid,
  cidOfTree,
  createTreeHasher,
  decodeCbor,
  encodeCbor,
  hashTree,
} from "@catalyst/wire";
import { createMemoryStore } from "../memory-store.ts";
import type { Store } from "../store.ts";
import { makeBytes, putBytes, readAll } from "../test-objects.ts";
import { copies, openPlacement, type Placement } from "./placement.ts";
import { decodePlan } from "./plan.ts";

// Devices that were away, are gone, or were written to by somebody else.

const folders = ["/d0", "/d1", "/d2", "/d3", "/d4", "/d5"];
const namespace = "a";
const bytes = makeBytes(300_000);

async function start(): Promise<{ store: Store; files: SimulatedDisk; placement: Placement; cid: Cid }> {
  const files = createSimulatedDisk();
  for (const folder of folders) await files.makeFolder(folder);
  const store = createMemoryStore();
  const placement = await openPlacement({ store, devices: folders, files });
  return { store, files, placement, cid: await putBytes(store, bytes) };
}

/** What is on the devices, brought back to a store that lost everything. */
async function restored(files: SimulatedDisk, cid: Cid): Promise<Buffer | null> {
  const store = createMemoryStore();
  const placement = await openPlacement({ store, devices: folders, files });
  await placement.repair(cid, { namespace });
  return (await store.has(cid)) ? Buffer.from(await readAll(await store.get(cid))) : null;
}

async function readFile(files: SimulatedDisk, path: string): Promise<Uint8Array> {
  const content = new Uint8Array((await files.stat(path))?.sizeBytes ?? 0);
  const file = await files.open(path, "read");
  await file.read(content, 0);
  await file.close();
  return content;
}

async function writeFile(files: SimulatedDisk, path: string, content: Uint8Array): Promise<void> {
  await files.remove(path);
  const file = await files.open(path, "create");
  await file.write(content, 0);
  await file.close();
}

const sealed = (plan: CborInput) => {
  const content = encodeCbor(plan);
  return Buffer.concat([content, hash("sha256", content, "buffer")]);
};

test("An object that is placed many times at once is placed as one of them says", async () => {
  const { files, placement, cid } = await start();
  const schemes = [
    copies(2),
    { data: 2, parity: 1 },
    { data: 4, parity: 2 },
    copies(6),
    { data: 3, parity: 3 },
  ];
  const outcomes = await Promise.all(schemes.map((scheme) => placement.place(cid, scheme)));
  assert.deepEqual(
    outcomes.map(({ kind }) => kind),
    schemes.map(() => "placed"),
  );
  const status = await placement.check(cid);
  assert.ok(status.kind === "placed");
  assert.ok(status.shards.every(({ state }) => state === "intact"));
  const count = status.scheme.data + status.scheme.parity;
  assert.equal(files.files().length, 3 * count);
  assert.deepEqual(await restored(files, cid), Buffer.from(bytes));
});

test("What is placed of a collected object goes; of one that was put again meanwhile it stays", async () => {
  const { store, files, placement, cid } = await start();
  await placement.place(cid, copies(2));
  await placement.removeCollected(cid);
  assert.equal(files.files().length, 6);
  for (let round = 0; round < 2; round++) {
    await sleep(5);
    await store.gc({ roots: [], graceMs: 0 });
  }
  assert.equal(await store.has(cid), false);
  await placement.removeCollected(cid);
  assert.deepEqual(files.files(), []);
});

test("A device that was away and has another plan hides nothing, and is brought into agreement", async () => {
  for (const away of folders) {
    const { files, placement, cid } = await start();
    await placement.place(cid, { data: 4, parity: 2 });
    const before = files.files().filter((path) => path.startsWith(away));
    const contents = await Promise.all(before.map((path) => readFile(files, path)));
    await placement.place(cid, { data: 3, parity: 2 });
    for (const [at, path] of before.entries()) await writeFile(files, path, contents[at] ?? bytes);
    assert.deepEqual(await restored(files, cid), Buffer.from(bytes), away);
    const status = await placement.check(cid);
    assert.ok(status.kind === "placed");
    assert.equal(status.scheme.data, 3);
    assert.ok(status.shards.every(({ state }) => state === "intact"));
  }
});

test("A device that is gone keeps nothing from being removed on the others", async () => {
  const { files, placement, cid } = await start();
  await placement.place(cid, copies(3));
  const placed = files.files();
  const [first = ""] = placed;
  for (const path of placed) if (path.startsWith(first.slice(0, 3))) await files.remove(path);
  const devices = ["/nowhere", ...folders];
  const again = await openPlacement({ store: createMemoryStore(), devices, files });
  await again.removeCollected(cid);
  assert.deepEqual(files.files(), []);
});

/** A file system on which one step fails below a folder, as it does on a broken disk. */
function failing(files: FileSystem, step: "list" | "stat" | "open" | "read", folder: string): FileSystem {
  const failsOn = (now: string, path: string) => {
    if (now === step && path.startsWith(folder)) throw new DurableError("io_failed", `${path}: EIO`);
  };
  return {
    rename: (from, to) => files.rename(from, to),
    link: (from, to) => files.link(from, to),
    remove: (path) => files.remove(path),
    makeFolder: (path) => files.makeFolder(path),
    syncFolder: (path) => files.syncFolder(path),
    list: async (path) => {
      failsOn("list", path);
      return files.list(path);
    },
    stat: async (path) => {
      failsOn("stat", path);
      return files.stat(path);
    },
    open: async (path, how) => {
      failsOn("open", path);
      const file = await files.open(path, how);
      return {
        read: async (target, position) => {
          failsOn("read", path);
          return file.read(target, position);
        },
        write: (content, position) => file.write(content, position),
        truncate: (size) => file.truncate(size),
        sync: () => file.sync(),
        close: () => file.close(),
      };
    },
  };
}

test("A device that cannot be read keeps nothing from being brought back from the others", async () => {
  const { files, placement, cid } = await start();
  await placement.place(cid, { data: 4, parity: 2 });
  for (const broken of folders) {
    for (const step of ["list", "stat", "open", "read"] as const) {
      const store = createMemoryStore();
      const disks = failing(files, step, broken);
      const devices = await openPlacement({ store, devices: folders, files: disks });
      await devices.repair(cid, { namespace }).catch(() => {}); // the broken device may take no new shard
      const found = Buffer.from(await readAll(await store.get(cid)));
      assert.deepEqual(found, Buffer.from(bytes), `${broken}, ${step}`);
    }
  }
});

test("Bytes that are no plan are read as none, whatever they say of themselves", async () => {
  const { files, placement, cid } = await start();
  await placement.place(cid, { data: 2, parity: 1 });
  const path = files.files().find((name) => name.endsWith(".plan")) ?? "";
  const good = await readFile(files, path);
  assert.equal(decodePlan(good)?.cid, cid);
  const plan = decodeCbor(good.subarray(0, -32));
  assert.ok(Array.isArray(plan));
  const wrong: CborInput[] = [
    null,
    true,
    -1,
    0,
    2 ** 53 - 1,
    "x",
    new Uint8Array(3),
    [],
    [[]],
    ["x"],
    new Map(),
  ];
  for (let at = 0; at < plan.length; at++) {
    for (const value of wrong) {
      const isSame = at === plan.length - 1 && Array.isArray(value) && value.length === 0;
      if (isSame) continue;
      assert.equal(decodePlan(sealed(plan.with(at, value))), null, `${at}: ${String(value)}`);
    }
    assert.equal(decodePlan(sealed(plan.toSpliced(at, 1))), null);
  }
  for (const value of wrong) assert.equal(decodePlan(sealed(value)), null);
});

test("A forged plan puts no bytes under a digest that is not theirs, and never keeps a repair from its end", async () => {
  const { files, placement, cid } = await start();
  await placement.place(cid, copies(2));
  const [path = "", other = ""] = files.files().filter((name) => name.endsWith(".plan"));
  const good = await readFile(files, path);
  const plan = decodeCbor(good.subarray(0, -32));
  assert.ok(Array.isArray(plan));
  const zeros = createTreeHasher({ leafSize: 65_536 });
  for (let at = 0; at < 5; at++) zeros.update(new Uint8Array(65_536));
  const { top, root, size } = zeros.finish();
  const tree = [cidOfTree({ root, leafSize: 65_536 }), size, top];
  const another = cidOfTree(hashTree(makeBytes(10)));
  const forgeries = [
    plan.with(6, [tree, tree]),
    plan.with(7, [cid]),
    plan.with(7, [another, cid]),
    plan.with(1, another),
  ];
  for (const forged of forgeries) {
    await writeFile(files, path, sealed(forged));
    assert.deepEqual(await restored(files, cid), Buffer.from(bytes));
    await writeFile(files, other, await readFile(files, path));
    const store = createMemoryStore();
    const again = await openPlacement({ store, devices: folders, files });
    await again.repair(cid, { namespace });
    assert.equal(await store.findBySha256(hash("sha256", "x", "buffer")), null);
    for (const each of [path, other]) await writeFile(files, each, good);
  }
  await writeFile(files, path, new Uint8Array(3_000_000));
  assert.deepEqual(await restored(files, cid), Buffer.from(bytes));
});
