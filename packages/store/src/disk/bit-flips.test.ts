import assert from "node:assert/strict";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { DurableError } from "@catalyst/durable";
import { seededNumbers } from "@catalyst/durable/testing";
import type { Cid } from "@catalyst/wire";
import { StoreError } from "../errors.ts";
import { copies, openPlacement } from "../place/placement.ts";
import type { PutOptions, Store } from "../store.ts";
import { makeBytes, readAll } from "../test-objects.ts";
import { openDiskStore } from "./disk-store.ts";

const root = mkdtempSync(join(tmpdir(), "catalyst-flips-"));
after(() => rmSync(root, { recursive: true }));

const namespace = "a";
const leafSize = 16_384;
const fast = { maxBytesPerSecond: 1e12 };

/** Flips one bit of a file of a store that is closed. */
function flip(path: string, bit: number): void {
  const bytes = readFileSync(path);
  bytes[bit >>> 3] = (bytes[bit >>> 3] ?? 0) ^ (1 << (bit & 7));
  writeFileSync(path, bytes);
}

async function put(store: Store, bytes: Uint8Array, options: Partial<PutOptions> = {}): Promise<Cid> {
  const outcome = await store.put([bytes], { namespace, leafSize, ...options });
  assert.ok(outcome.kind === "stored");
  return outcome.cid;
}

for (const scheme of [copies(2), { data: 3, parity: 2 }]) {
  const name = `${scheme.data} and ${scheme.parity}`;
  test(`A flipped bit of data or tree is named to its leaf, never served, and repaired from ${name} shards`, async () => {
    const folder = mkdtempSync(join(root, "files-"));
    const devices = Array.from({ length: 5 }, (_, at) => join(folder, `device-${at}`));
    for (const device of devices) mkdirSync(device);
    const bytes = makeBytes(400_000);
    const first = await openDiskStore(folder);
    const cid = await put(first, bytes);
    await (await openPlacement({ store: first, devices })).place(cid, scheme);
    await first[Symbol.asyncDispose]();
    const random = seededNumbers(1);
    const paths = {
      data: join(folder, "objects/01/1.data"),
      outboard: join(folder, "objects/01/1.outboard"),
    };
    const lengths = { data: bytes.length, outboard: statSync(paths.outboard).size - 32 }; // the top is in the record too
    for (let round = 0; round < 24; round++) {
      const part = round % 2 === 0 ? "data" : "outboard";
      const at = Math.floor(random() * lengths[part]);
      flip(paths[part], at * 8 + Math.floor(random() * 8));
      await using store = await openDiskStore(folder);
      const [damage, ...more] = (await store.scrub(fast)).damage;
      assert.deepEqual(more, [], `${part} ${at}`);
      assert.ok(damage?.cid === cid && damage.part === part);
      if (part === "data")
        assert.deepEqual([damage.firstLeaf, damage.leaves], [Math.floor(at / leafSize), 1]);
      const found = await store.get(cid);
      assert.ok(found.kind === "found");
      let served = 0;
      await assert.rejects(
        async () => {
          for await (const piece of found.bytes) {
            assert.deepEqual(Buffer.from(piece), Buffer.from(bytes.subarray(served, served + piece.length)));
            served += piece.length;
          }
        },
        { name: "StoreError", code: "object_damaged", evidence: { cid, ...leavesOf(damage) } },
      );
      const placement = await openPlacement({ store, devices });
      assert.deepEqual(await placement.repair(cid, { namespace }), {
        kind: "repaired",
        object: true,
        shards: 0,
      });
      assert.deepEqual(await readAll(await store.get(cid)), Buffer.from(bytes));
      assert.deepEqual((await store.scrub(fast)).damage, []);
    }
  });
}

function leavesOf({ firstLeaf, leaves }: { firstLeaf: number; leaves: number }) {
  return { firstLeaf, leaves };
}

/** What a store held before a bit of its database was flipped. */
type Content = {
  readonly objects: ReadonlyMap<Cid, Uint8Array>;
  readonly links: ReadonlyMap<string, Cid>;
  readonly pinned: readonly Cid[];
};

/** Objects in the database and in files, each kept by a link, a pin, or another object that refers to it. */
async function populate(store: Store): Promise<Content> {
  const objects = new Map<Cid, Uint8Array>();
  const add = async (seed: number, options: Partial<PutOptions> = {}): Promise<Cid> => {
    const bytes = makeBytes(seed % 2 === 0 ? 300 + seed : 20_000, seed);
    const cid = await put(store, bytes, options);
    objects.set(cid, bytes);
    return cid;
  };
  const links = new Map<string, Cid>();
  const pinned: Cid[] = [];
  for (let seed = 0; seed < 32; seed += 4) {
    const references = [await add(seed), await add(seed + 1)];
    links.set(`name-${seed}`, await add(seed + 2, { references }));
    pinned.push(await add(seed + 3));
  }
  for (const [name, cid] of links) await store.link(namespace, name, cid);
  for (const cid of pinned) await store.pin(namespace, cid, { ttlMs: 1e12 });
  return { objects, links, pinned };
}

/** Carries something out; returns null when it failed with a code, and rejects when it failed without one. */
async function coded<T>(run: () => Promise<T>): Promise<T | null> {
  try {
    return await run();
  } catch (error) {
    if (error instanceof StoreError || error instanceof DurableError) return null;
    throw error;
  }
}

/** Whether all is as it was; rejects when something is served that is not what was stored. */
async function serves(store: Store, { objects, links, pinned }: Content): Promise<boolean> {
  let isAll = true;
  for (const [cid, bytes] of objects) {
    const found = await coded(async () => {
      const outcome = await store.get(cid);
      return outcome.kind === "found" ? await readAll(outcome) : null;
    });
    if (found !== null) assert.deepEqual(found, Buffer.from(bytes));
    isAll &&= found !== null;
  }
  for (const [name, cid] of links) {
    const resolved = await coded(() => store.resolve(namespace, name));
    if (resolved !== null) assert.equal(resolved, cid);
    isAll &&= resolved !== null;
  }
  for (const cid of pinned) isAll &&= (await coded(() => store.pins(cid)))?.length === 1;
  return isAll;
}

test("A flipped bit anywhere in the database changes nothing, or is told by a code, and collects nothing that is kept", async () => {
  const original = mkdtempSync(join(root, "database-"));
  const first = await openDiskStore(original);
  const content = await populate(first);
  await first[Symbol.asyncDispose]();
  const bits = statSync(join(original, "store.db")).size * 8;
  const random = seededNumbers(2);
  const seen = { harmless: 0, told: 0 };
  for (let round = 0; round < 150; round++) {
    const folder = join(root, "flipped");
    cpSync(original, folder, { recursive: true });
    const bit = Math.floor(random() * bits);
    flip(join(folder, "store.db"), bit);
    const clock = { now: Date.now() };
    const store = await coded(() => openDiskStore(folder, { now: () => clock.now }));
    const isSound = store !== null && (await isIntact(store, content, clock));
    seen[isSound ? "harmless" : "told"] += 1;
    await store?.[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true });
  }
  assert.ok(seen.harmless > 10 && seen.told > 10, JSON.stringify(seen));
});

/** Uses an opened store as its owner would; what is not as it was, the scrub must have told. */
async function isIntact(store: Store, content: Content, clock: { now: number }): Promise<boolean> {
  const isServed = await serves(store, content);
  const scrubbed = await coded(() => store.scrub(fast));
  const isSound = scrubbed !== null && scrubbed.damage.length === 0;
  assert.ok(isServed || !isSound, "what is missing was not told by the scrub");
  const before = (await coded(() => store.list()))?.length;
  for (let round = 0; round < 2; round++) {
    clock.now += 7_200_000;
    await coded(() => store.gc({ roots: [] }));
  }
  const after = (await coded(() => store.list()))?.length;
  assert.equal(after, before, "something that is kept was collected");
  if (isSound) assert.equal(await serves(store, content), true);
  return isSound;
}
