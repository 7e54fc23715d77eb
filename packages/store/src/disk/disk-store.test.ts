import assert from "node:assert/strict";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { type Database, openDatabase } from "@catalyst/durable";
import { createSimulatedDisk, type SimulatedDisk, seededNumbers } from "@catalyst/durable/testing";
import { type Cid, hashTree } from "@catalyst/wire";
import type { StoreError } from "../errors.ts";
import type { Damage, StoreEvent } from "../events.ts";
import type { LeafSource, Store } from "../store.ts";
import { feed, makeBytes, putBytes, readAll } from "../test-objects.ts";
import { openDiskStore, storeMigrations } from "./disk-store.ts";

const root = mkdtempSync(join(tmpdir(), "catalyst-disk-store-"));
after(() => rmSync(root, { recursive: true }));

type Opened = { store: Store; files: SimulatedDisk; database: Database; events: StoreEvent[]; path: string };

async function start(files: SimulatedDisk = createSimulatedDisk()): Promise<Opened> {
  return reopen(files, join(mkdtempSync(join(root, "t-")), "store.db"));
}

async function reopen(files: SimulatedDisk, path: string): Promise<Opened> {
  const events: StoreEvent[] = [];
  const database = openDatabase(path, { migrations: storeMigrations });
  const onEvent = (event: StoreEvent) => void events.push(event);
  const store = await openDiskStore("", { files, database, onEvent, reserveBytes: 0 });
  return { store, files, database, events, path };
}

const leafSize = 16_384;
const bytes = makeBytes(300_000);
const fast = { maxBytesPerSecond: 1e12 };
const never: LeafSource = async () => null;
const honest: LeafSource = async ({ offset, length }) => bytes.subarray(offset, offset + length);

async function damagedAt(store: Store, cid: Cid): Promise<readonly Damage[]> {
  const outcome = await store.verify(cid);
  return outcome.kind === "damaged" ? outcome.damage : [];
}

test("A flipped bit in the data is named to its leaf, never served, and repaired with the exact bytes", async () => {
  const { store, files, events } = await start();
  const cid = await putBytes(store, bytes);
  files.flipBit("/objects/01/1.data", (5 * leafSize + 77) * 8 + 3);
  const before = await readAll(await store.get(cid, { start: 0, end: 5 * leafSize }));
  assert.deepEqual(before, Buffer.from(bytes.subarray(0, 5 * leafSize)));
  await assert.rejects(readAll(await store.get(cid)), {
    name: "StoreError",
    code: "object_damaged",
    evidence: { cid, firstLeaf: 5, leaves: 1 },
  });
  await assert.rejects(readAll(await store.slice(cid)), { code: "object_damaged" });
  const damage = [{ cid, part: "data", firstLeaf: 5, leaves: 1 }];
  assert.deepEqual((await store.scrub(fast)).damage, damage);
  assert.deepEqual((await store.stat(cid))?.damage, damage);
  assert.deepEqual(
    events.filter(({ kind }) => kind === "damaged"),
    [{ kind: "damaged", damage: damage[0] }],
  );
  assert.deepEqual(await store.repair(cid, never), { kind: "damaged", damage });
  const hostile: LeafSource = async ({ length }) => new Uint8Array(length);
  assert.deepEqual(await store.repair(cid, hostile), { kind: "damaged", damage });
  assert.deepEqual(await store.repair(cid, honest), { kind: "repaired", leaves: 1 });
  assert.deepEqual(await readAll(await store.get(cid)), Buffer.from(bytes));
  assert.deepEqual((await store.stat(cid))?.damage, []);
  await store[Symbol.asyncDispose]();
});

test("Every bit of the tree that is flipped is found, and the tree is made anew from the leaves", async () => {
  const { store, files } = await start();
  const cid = await putBytes(store, bytes);
  const length = (await files.stat("/objects/01/1.outboard"))?.sizeBytes ?? 0;
  assert.equal(length, 37 * 32);
  for (let at = 0; at < length - 32; at += 32) {
    files.flipBit("/objects/01/1.outboard", at * 8 + (at % 256));
    const damage = await damagedAt(store, cid);
    assert.equal(damage.length, 1, `byte ${at}`);
    assert.equal(damage[0]?.part, "outboard");
    await assert.rejects(readAll(await store.get(cid)), { code: "object_damaged" });
    assert.equal((await store.repair(cid, never)).kind, "repaired");
  }
  assert.deepEqual(await readAll(await store.get(cid)), Buffer.from(bytes));
  await store[Symbol.asyncDispose]();
});

test("Damage of leaves and of the tree above them at once is repaired from somewhere else", async () => {
  const { store, files } = await start();
  const cid = await putBytes(store, bytes);
  files.flipBit("/objects/01/1.outboard", 0);
  files.flipBit("/objects/01/1.data", 0);
  files.flipBit("/objects/01/1.data", 8 * leafSize);
  assert.equal((await store.repair(cid, never)).kind, "damaged");
  assert.deepEqual(await store.repair(cid, honest), { kind: "repaired", leaves: 2 });
  assert.deepEqual(await readAll(await store.get(cid)), Buffer.from(bytes));
  await store[Symbol.asyncDispose]();
});

test("A repair that a power cut ended leaves nothing worse, and the next one restores the exact bytes", async () => {
  for (let seed = 1; seed <= 40; seed++) {
    const random = seededNumbers(seed);
    const { store, files, path } = await start();
    const cid = await putBytes(store, bytes);
    const flips = [4 * leafSize, 9 * leafSize, 9 * leafSize + 1, 18 * leafSize];
    for (const at of flips) files.flipBit("/objects/01/1.data", at * 8);
    if (seed % 2 === 0) files.flipBit("/objects/01/1.outboard", 64 * 8);
    files.crashAt(files.steps + 1 + Math.floor(random() * 8));
    await store
      .repair(cid, honest)
      .catch((error: unknown) => assert.equal((error as StoreError).code, "io_failed"));
    await store[Symbol.asyncDispose]();
    const again = await reopen(files.afterPowerCut(random), path);
    const damaged = await damagedAt(again.store, cid);
    assert.ok(damaged.every(({ part, firstLeaf }) => part === "outboard" || [4, 9, 18].includes(firstLeaf)));
    const outcome = await again.store.repair(cid, honest);
    assert.equal(outcome.kind, damaged.length === 0 ? "intact" : "repaired");
    assert.deepEqual(await readAll(await again.store.get(cid)), Buffer.from(bytes));
    await again.store[Symbol.asyncDispose]();
  }
});

test("Files that are missing or cut short are damage of all their leaves, and come back", async () => {
  const { store, files } = await start();
  const cid = await putBytes(store, bytes);
  await files.remove("/objects/01/1.data");
  assert.deepEqual(await damagedAt(store, cid), [{ cid, part: "data", firstLeaf: 0, leaves: 19 }]);
  await files.remove("/objects/01/1.outboard");
  assert.deepEqual(await damagedAt(store, cid), [{ cid, part: "outboard", firstLeaf: 0, leaves: 19 }]);
  assert.deepEqual(await store.repair(cid, honest), { kind: "repaired", leaves: 19 });
  const file = await files.open("/objects/01/1.data", "update");
  await file.truncate(299_999);
  assert.deepEqual(await damagedAt(store, cid), [{ cid, part: "data", firstLeaf: 18, leaves: 1 }]);
  assert.deepEqual(await store.repair(cid, honest), { kind: "repaired", leaves: 1 });
  await store[Symbol.asyncDispose]();
});

test("A small object that was changed in the database is damaged, and repaired", async () => {
  const { store, database } = await start();
  const small = makeBytes(1_000);
  const cid = await putBytes(store, small);
  database.prepare("UPDATE inline SET bytes = zeroblob(1000)").run();
  await assert.rejects(readAll(await store.get(cid)), { code: "object_damaged" });
  assert.deepEqual((await store.scrub(fast)).damage, [{ cid, part: "data", firstLeaf: 0, leaves: 1 }]);
  assert.equal((await store.repair(cid, async () => makeBytes(1_000, 2))).kind, "damaged");
  assert.equal((await store.repair(cid, async () => small)).kind, "repaired");
  assert.deepEqual(await readAll(await store.get(cid)), Buffer.from(small));
  await store[Symbol.asyncDispose]();
});

test("A record, a link or a pin that was changed is never followed, and scrub names it", async () => {
  const changes = [
    "UPDATE object SET sha256 = zeroblob(32) WHERE id = 1",
    "UPDATE object SET size = size + 1 WHERE id = 1",
    "UPDATE object SET top = zeroblob(32) WHERE id = 1",
  ];
  for (const change of changes) {
    const { store, database } = await start();
    const cid = await putBytes(store, bytes);
    await putBytes(store, makeBytes(10));
    database.prepare(change).run();
    await assert.rejects(store.get(cid), { name: "StoreError", code: "record_damaged", evidence: { cid } });
    const report = await store.scrub(fast);
    assert.deepEqual(report.damage, [{ cid, part: "record", firstLeaf: 0, leaves: 0 }]);
    assert.equal(report.objects, 2);
    await store[Symbol.asyncDispose]();
  }
  const { store, database } = await start();
  const [one, two] = [await putBytes(store, makeBytes(10, 1)), await putBytes(store, makeBytes(10, 2))];
  await store.link("a", "x", one);
  await store.pin("a", one);
  database.prepare("UPDATE link SET cid = ?").run(two);
  await assert.rejects(store.resolve("a", "x"), { code: "record_damaged" });
  await assert.rejects(store.gc({ roots: [] }), { code: "record_damaged" });
  database.prepare("DELETE FROM link").run();
  database.prepare("UPDATE pin SET until = 1").run();
  await assert.rejects(store.gc({ roots: [] }), { code: "record_damaged" });
  await assert.rejects(store.scrub(fast), { code: "record_damaged" });
  assert.equal(await store.has(one), true);
  await store[Symbol.asyncDispose]();
});

test("A piece is the reader's to keep; one that is borrowed is the object's until the next is asked for", async () => {
  const { store } = await start();
  const large = makeBytes(2_000_000);
  const cid = await putBytes(store, large);
  for (const borrow of [false, true]) {
    const found = await store.get(cid, { start: 1_000, end: 1_999_000 }, { borrow });
    assert.ok(found.kind === "found");
    const kept: Uint8Array[] = [];
    let at = 1_000;
    for await (const piece of found.bytes) {
      assert.deepEqual(Buffer.from(piece), Buffer.from(large.subarray(at, at + piece.length)));
      at += piece.length;
      kept.push(piece);
    }
    assert.equal(at, 1_999_000);
    if (!borrow) assert.deepEqual(Buffer.concat(kept), Buffer.from(large.subarray(1_000, at)));
  }
  await store[Symbol.asyncDispose]();
});

test("A full disk fails a put with a code, harms nothing, and takes it once there is room", async () => {
  const { store, files } = await start(createSimulatedDisk({ capacityBytes: 500_000 }));
  const cid = await putBytes(store, bytes);
  const other = makeBytes(250_000, 2);
  await assert.rejects(store.put([other], { namespace: "a" }), { name: "StoreError", code: "disk_full" });
  assert.deepEqual(files.files(), ["/objects/01/1.data", "/objects/01/1.outboard"]);
  assert.deepEqual(await readAll(await store.get(cid)), Buffer.from(bytes));
  assert.equal((await store.stats()).objects, 1);
  assert.equal((await store.put([makeBytes(100_000, 3)], { namespace: "a" })).kind, "stored");
  await store[Symbol.asyncDispose]();
});

test("A scrub that is ended goes on where it was, and keeps to its rate", async () => {
  const { store } = await start();
  for (let seed = 0; seed < 6; seed++) await putBytes(store, makeBytes(100_000, seed));
  const stop = new AbortController();
  const begin = performance.now();
  setTimeout(() => stop.abort(), 150);
  const first = await store.scrub({ maxBytesPerSecond: 1_000_000, signal: stop.signal });
  assert.equal(first.finished, false);
  assert.ok(first.bytes / (performance.now() - begin) < 1_300);
  assert.ok(first.objects >= 1 && first.objects < 6, `${first.objects} objects`);
  await assert.rejects(store.scrub({ sampleRate: 0 }), { code: "option_invalid" });
  await assert.rejects(store.scrub({ maxBytesPerSecond: 0 }), { code: "option_invalid" });
  const sampled = await store.scrub({ sampleRate: 0.5, ...fast });
  assert.equal(sampled.finished, true);
  assert.ok(sampled.bytes < 600_000);
  assert.deepEqual(await store.scrub(fast), { objects: 6, bytes: 600_000, damage: [], finished: true });
  await store[Symbol.asyncDispose]();
});

test("What runs when the store is closed fails with a code", async () => {
  const { store } = await start();
  const running = [
    store.put([makeBytes(10)], { namespace: "a" }),
    store.put([bytes], { namespace: "a" }),
    store.gc({ roots: [] }),
    store.scrub(fast),
  ];
  await store[Symbol.asyncDispose]();
  for (const outcome of await Promise.allSettled(running)) {
    if (outcome.status === "rejected") {
      assert.deepEqual([outcome.reason.name, outcome.reason.code], ["StoreError", "closed"]);
    }
  }
});

test("What a crash left of a put is removed when the store is opened again", async () => {
  const { store, files, path } = await start();
  const stuck = (async function* () {
    yield makeBytes(1_100_000);
    await new Promise(() => {});
  })();
  void store.put(stuck, { namespace: "a" });
  while (files.files().length < 2) await new Promise((resolve) => setTimeout(resolve, 5));
  await store[Symbol.asyncDispose]();
  const again = await reopen(files, path);
  assert.deepEqual(files.files(), []);
  assert.equal((await again.store.stats()).objects, 0);
  await again.store[Symbol.asyncDispose]();
});

test("Garbage that was noted is removed from the folder in which the store is opened, wherever it was before", async () => {
  const folder = mkdtempSync(join(root, "moved-"));
  const [before, after] = [join(folder, "before"), join(folder, "after")];
  mkdirSync(before);
  {
    const database = openDatabase(join(before, "store.db"), { migrations: storeMigrations });
    await using store = await openDiskStore(before, { database });
    await putBytes(store, bytes);
    database.prepare("INSERT INTO garbage SELECT id FROM object").run();
    database.prepare("DELETE FROM object").run();
  }
  cpSync(before, after, { recursive: true });
  await using moved = await openDiskStore(after);
  assert.equal((await moved.stats()).objects, 0);
  assert.deepEqual(readdirSync(join(after, "objects/01")), []);
  assert.deepEqual(readdirSync(join(before, "objects/01")), ["1.data", "1.outboard"]);
});

test("A part of an object survives from its checkpoint on, and the rest is asked for again", async () => {
  const { store, files, path } = await start();
  const tree = hashTree(bytes, { leafSize });
  const { cid } = (await store.put([bytes], { namespace: "b", leafSize })) as { cid: Cid };
  await store[Symbol.asyncDispose]();
  rmSync(path);
  const begun = await reopen(createSimulatedDisk(), path);
  const outcome = await begun.store.receive(cid, tree, { namespace: "a" });
  assert.ok(outcome.kind === "receiving");
  await feed(outcome.receiver, bytes, [{ start: 0, end: 40_000 }]);
  await outcome.receiver.checkpoint();
  await feed(outcome.receiver, bytes, [{ start: 100_000, end: 140_000 }]);
  await begun.store[Symbol.asyncDispose]();
  const again = await reopen(
    begun.files.afterPowerCut(() => 0.1),
    path,
  );
  const resumed = await again.store.receive(cid, tree, { namespace: "a" });
  assert.ok(resumed.kind === "receiving");
  assert.deepEqual(resumed.receiver.missing(), [{ start: 3 * leafSize, end: 300_000 }]);
  assert.equal((await again.store.verify(cid)).kind, "intact");
  await feed(resumed.receiver, bytes, resumed.receiver.missing());
  assert.equal(await resumed.receiver.finish(), true);
  assert.deepEqual(await readAll(await again.store.get(cid)), Buffer.from(bytes));
  await resumed.receiver[Symbol.asyncDispose]();
  await again.store[Symbol.asyncDispose]();
  assert.equal(files.files().length, 2);
});

test("Bytes that come one by one are held as one piece, not as so many", async () => {
  setFlagsFromString("--expose-gc");
  const collectHeap = runInNewContext("gc") as () => void;
  await using store = await openDiskStore(mkdtempSync(join(root, "t-")));
  const one = Buffer.from("x");
  let most = 0;
  async function* source() {
    const heldBytes = () => {
      collectHeap();
      return process.memoryUsage().heapUsed;
    };
    const before = heldBytes();
    for (let at = 0; at < 200_000; at++) {
      yield one;
      if (at % 50_000 === 0) most = Math.max(most, heldBytes() - before);
    }
  }
  const stored = await store.put(source(), { namespace: "a" });
  assert.equal(stored.kind === "stored" && stored.sizeBytes, 200_000);
  assert.ok(most < 4_000_000, `${most} bytes`);
});
