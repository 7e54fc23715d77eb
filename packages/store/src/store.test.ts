import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { type Cid, cidOfTree, createSliceDecoder, hashTree, rootOfCid } from "@catalyst/wire";
import { openDiskStore } from "./disk/disk-store.ts";
import type { StoreEvent } from "./events.ts";
import { createMemoryStore } from "./memory-store.ts";
import type { Store, StoreOptions } from "./store.ts";
import { feed, makeBytes, putBytes, readAll } from "./test-objects.ts";

const root = mkdtempSync(join(tmpdir(), "catalyst-store-"));
const opened: Store[] = [];
after(async () => {
  for (const store of opened) await store[Symbol.asyncDispose]();
  rmSync(root, { recursive: true });
});

const stores: Readonly<Record<string, (options: StoreOptions) => Promise<Store>>> = {
  memory: async (options) => createMemoryStore(options),
  disk: (options) => openDiskStore(mkdtempSync(join(root, "t-")), options),
};

const sizes = [0, 1, 16_383, 16_384, 16_385, 65_536, 200_000, 1_100_000];

// The contract: what every store does, whatever keeps its bytes.
for (const [name, open] of Object.entries(stores)) {
  const start = async () => {
    const clock = { now: 1_000_000 };
    const events: StoreEvent[] = [];
    const store = await open({ now: () => clock.now, onEvent: (event) => events.push(event) });
    opened.push(store);
    return { store, clock, events };
  };
  const a = { namespace: "a" };

  test(`${name}: what is put is got back, whole and in ranges, by the CID of its tree`, async () => {
    const { store } = await start();
    for (const size of sizes) {
      const bytes = makeBytes(size, size);
      const outcome = await store.put(inPieces(bytes, 10_000), { ...a, leafSize: 16_384 });
      const { root, sha256 } = hashTree(bytes, { leafSize: 16_384, sha256: true });
      const cid = cidOfTree({ root, leafSize: 16_384 });
      assert.deepEqual(plain(outcome), plain({ kind: "stored", cid, sizeBytes: size, sha256, isNew: true }));
      assert.deepEqual(Buffer.from(await readAll(await store.get(cid))), Buffer.from(bytes));
      for (const [from, to] of [
        [0, 1],
        [100, 20_000],
        [16_384, 32_768],
        [size - 1, size + 10],
        [size, size + 1],
      ] as const) {
        if (from < 0) continue;
        const found = await readAll(await store.get(cid, { start: from, end: to }));
        assert.deepEqual(Buffer.from(found), Buffer.from(bytes.subarray(from, to)), `${size}: ${from}-${to}`);
      }
    }
  });

  test(`${name}: an object is found by its plain SHA-256, told of, and listed in the order of coming`, async () => {
    const { store, clock } = await start();
    clock.now = 5_000;
    const [first, second] = [await putBytes(store, makeBytes(10)), await putBytes(store, makeBytes(50_000))];
    const sha256 = createHash("sha256").update(makeBytes(50_000)).digest();
    assert.equal(await store.findBySha256(sha256), second);
    assert.equal(await store.findBySha256(new Uint8Array(32)), null);
    const { sha256: found, ...stat } = (await store.stat(second)) ?? {};
    assert.deepEqual(Buffer.from(found ?? []), sha256);
    assert.deepEqual(stat, {
      cid: second,
      sizeBytes: 50_000,
      leafSize: 16_384,
      file: null,
      state: "whole",
      storedAt: 5_000,
      verifiedAt: null,
      damage: [],
    });
    const cids = async (after?: Cid) =>
      (await store.list(after === undefined ? {} : { after })).map(({ cid }) => cid);
    assert.deepEqual(await cids(), [first, second]);
    assert.deepEqual(await cids(first), [second]);
    const { objects, bytes } = await store.stats();
    assert.deepEqual({ objects, bytes }, { objects: 2, bytes: 50_010 });
  });

  test(`${name}: what is not here is not found, and is no failure`, async () => {
    const { store } = await start();
    const cid = cidOfTree(hashTree(makeBytes(10)));
    assert.deepEqual(await store.get(cid), { kind: "not_found" });
    assert.deepEqual(await store.slice(cid), { kind: "not_found" });
    assert.deepEqual(await store.verify(cid), { kind: "not_found" });
    assert.deepEqual(await store.pin("a", cid), { kind: "not_found" });
    assert.deepEqual(await store.link("a", "x", cid), { kind: "not_found" });
    assert.equal(await store.stat(cid), null);
    assert.equal(await store.has(cid), false);
    assert.equal(await store.unpin("a", cid), false);
    assert.equal(await store.unlink("a", "x"), null);
  });

  test(`${name}: the same bytes are one object, and what is expected to be others is not kept`, async () => {
    const { store, events } = await start();
    const bytes = makeBytes(40_000);
    const cid = await putBytes(store, bytes);
    const again = await store.put([bytes], { namespace: "b", leafSize: 16_384, expected: cid });
    assert.equal(again.kind === "stored" && again.isNew, false);
    const other = await store.put([makeBytes(40_000, 2)], { ...a, leafSize: 16_384, expected: cid });
    assert.equal(other.kind, "other_content");
    assert.equal((await store.stats()).objects, 1);
    assert.deepEqual(
      events.map((event) => event.kind === "stored" && [event.namespace, event.isNew]),
      [
        ["a", true],
        ["b", false],
      ],
    );
  });

  test(`${name}: a put whose source fails leaves nothing, and the failure is the source's`, async () => {
    const { store } = await start();
    const source = (async function* () {
      yield makeBytes(100_000);
      throw new RangeError("the source ended");
    })();
    await assert.rejects(store.put(source, a), RangeError);
    assert.equal((await store.stats()).objects, 0);
  });

  test(`${name}: a slice carries the proof of its ranges`, async () => {
    const { store } = await start();
    const bytes = makeBytes(300_000);
    const cid = await putBytes(store, bytes);
    const ranges = [
      { start: 20_000, end: 40_000 },
      { start: 290_000, end: 300_000 },
    ];
    const root = rootOfCid(cid);
    assert.ok(root);
    const leaves: number[] = [];
    const decoder = createSliceDecoder({
      root,
      ranges,
      onLeaf: ({ index, offset, bytes: leaf }) => {
        leaves.push(index);
        assert.deepEqual(Buffer.from(leaf), Buffer.from(bytes.subarray(offset, offset + leaf.length)));
      },
    });
    decoder.push(await readAll(await store.slice(cid, ranges)));
    decoder.finish();
    assert.deepEqual(leaves, [1, 2, 17, 18]);
  });

  test(`${name}: an object that comes in parts is whole once all leaves have come`, async () => {
    const { store } = await start();
    const bytes = makeBytes(300_000);
    const tree = hashTree(bytes, { leafSize: 16_384, sha256: true });
    const cid = cidOfTree(tree);
    const begun = await store.receive(cid, tree, a);
    assert.equal(begun.kind, "receiving");
    if (begun.kind !== "receiving") return;
    assert.equal((await store.receive(cid, tree, a)).kind, "busy");
    await feed(begun.receiver, bytes, [{ start: 0, end: 1 }]);
    await feed(begun.receiver, bytes, [{ start: 100_000, end: 150_000 }]);
    await begun.receiver.checkpoint();
    assert.equal(await begun.receiver.finish(), false);
    assert.deepEqual(
      await readAll(await store.get(cid, { start: 110_000, end: 140_000 })),
      slice(bytes, 110_000, 140_000),
    );
    assert.deepEqual(await store.get(cid), {
      kind: "incomplete",
      verified: [
        { start: 0, end: 16_384 },
        { start: 98_304, end: 163_840 },
      ],
    });
    assert.equal(await store.has(cid), false);
    await begun.receiver[Symbol.asyncDispose]();

    const resumed = await store.receive(cid, tree, a);
    assert.ok(resumed.kind === "receiving");
    assert.deepEqual(resumed.receiver.missing(), [
      { start: 16_384, end: 98_304 },
      { start: 163_840, end: 300_000 },
    ]);
    await feed(resumed.receiver, bytes, resumed.receiver.missing());
    assert.equal(await resumed.receiver.finish(), true);
    await resumed.receiver[Symbol.asyncDispose]();
    assert.deepEqual(await readAll(await store.get(cid)), slice(bytes, 0, 300_000));
    assert.equal(await store.findBySha256(tree.sha256 ?? new Uint8Array(0)), cid);
    assert.equal((await store.receive(cid, tree, a)).kind, "present");
    assert.equal((await store.verify(cid)).kind, "intact");
  });

  test(`${name}: a receiver refuses a wrong leaf and takes the right one after it`, async () => {
    const { store } = await start();
    const bytes = makeBytes(60_000);
    const tree = hashTree(bytes);
    const cid = cidOfTree(tree);
    await assert.rejects(store.receive(cid, { size: 59_999, top: tree.top }, a), { code: "tree_mismatch" });
    const begun = await store.receive(cid, tree, a);
    assert.ok(begun.kind === "receiving");
    await using receiver = begun.receiver;
    const writer = receiver.take([{ start: 0, end: 60_000 }]);
    await assert.rejects(writer.acceptLeaf(makeBytes(60_000, 2)), { code: "tree_mismatch" });
    await writer.acceptLeaf(bytes);
    assert.equal(await receiver.finish(), true);
  });

  test(`${name}: an empty object can be received`, async () => {
    const { store } = await start();
    const tree = hashTree(new Uint8Array(0));
    const begun = await store.receive(cidOfTree(tree), tree, a);
    assert.ok(begun.kind === "receiving");
    await using receiver = begun.receiver;
    assert.deepEqual(receiver.missing(), []);
    assert.equal(await receiver.finish(), true);
    assert.equal((await readAll(await store.get(cidOfTree(tree)))).length, 0);
  });

  test(`${name}: names are given, moved and taken away within their namespace`, async () => {
    const { store, events } = await start();
    const [one, two] = [await putBytes(store, makeBytes(10, 1)), await putBytes(store, makeBytes(10, 2))];
    assert.deepEqual(await store.link("a", "app", one), { kind: "linked", previous: null });
    assert.deepEqual(await store.link("a", "app", two), { kind: "linked", previous: one });
    await store.link("a", "aaa", one);
    assert.equal(await store.resolve("a", "app"), two);
    assert.equal(await store.resolve("b", "app"), null);
    assert.deepEqual(await store.links("a"), [
      { name: "aaa", cid: one },
      { name: "app", cid: two },
    ]);
    await store.link("b", "one", one);
    assert.deepEqual(await store.linksTo(one), [
      { namespace: "a", name: "aaa" },
      { namespace: "b", name: "one" },
    ]);
    assert.equal(await store.unlink("a", "app"), two);
    assert.deepEqual(await store.linksTo(two), []);
    assert.equal(await store.resolve("a", "app"), null);
    assert.deepEqual(events.at(-1), { kind: "unlinked", namespace: "a", name: "app", cid: two });
    for (const bad of ["", "a\n", "x".repeat(513), "\ud800x"]) {
      await assert.rejects(store.link("a", bad, one), { name: "StoreError", code: "name_invalid" });
      await assert.rejects(store.pin("a", one, { scope: bad }), { code: "name_invalid" });
      await assert.rejects(store.put([], { namespace: bad }), { code: "name_invalid" });
    }
  });

  test(`${name}: a pin has a class and a scope, and ends with its time`, async () => {
    const { store, clock } = await start();
    const cid = await putBytes(store, makeBytes(10));
    assert.deepEqual(await store.pin("a", cid, { class: "cold" }), { kind: "pinned", until: null });
    await store.pin("a", cid, { class: "hot", scope: "demo", ttlMs: 1_000 });
    assert.deepEqual(await store.pins(cid), [
      { namespace: "a", scope: "default", class: "cold", until: null },
      { namespace: "a", scope: "demo", class: "hot", until: clock.now + 1_000 },
    ]);
    await store.pin("a", cid);
    clock.now += 1_000;
    assert.deepEqual(await store.pins(cid), [
      { namespace: "a", scope: "default", class: "warm", until: null },
    ]);
    assert.equal(await store.unpin("a", cid), true);
    assert.equal(await store.unpin("a", cid), false);
    assert.deepEqual(await store.pins(cid), []);
  });

  test(`${name}: a quota counts an object once for each namespace, and refuses what goes beyond`, async () => {
    const { store } = await start();
    await store.setQuota("a", 100_000);
    const cid = await putBytes(store, makeBytes(60_000));
    await putBytes(store, makeBytes(60_000));
    assert.deepEqual(await store.usage("a"), { namespace: "a", usedBytes: 60_000, maxBytes: 100_000 });
    for (const size of [40_001, 1_000_000]) {
      const refused = await store.put([makeBytes(size, 2)], a);
      assert.deepEqual(refused, {
        kind: "quota_exceeded",
        namespace: "a",
        usedBytes: 60_000,
        maxBytes: 100_000,
      });
    }
    await store.setQuota("b", 10);
    assert.equal((await store.pin("b", cid)).kind, "quota_exceeded");
    assert.equal((await store.link("b", "x", cid)).kind, "quota_exceeded");
    const tree = hashTree(makeBytes(50_000, 3));
    assert.equal((await store.receive(cidOfTree(tree), tree, a)).kind, "quota_exceeded");
    assert.deepEqual(await store.namespaces(), [
      { namespace: "a", usedBytes: 60_000, maxBytes: 100_000 },
      { namespace: "b", usedBytes: 0, maxBytes: 10 },
    ]);
    await store.setQuota("a", null);
    assert.equal((await store.put([makeBytes(40_001, 2)], a)).kind, "stored");
    assert.equal((await store.stats()).objects, 2);
  });

  test(`${name}: gc keeps what has a link, a pin, a root, a reference, a receiver or is new`, async () => {
    const { store, clock } = await start();
    const kept = await Promise.all([1, 2, 3, 4].map((seed) => putBytes(store, makeBytes(20_000, seed))));
    const [linked, pinned, root, child] = kept;
    assert.ok(linked && pinned && root && child);
    const parent = await store.put([makeBytes(10)], { ...a, references: [child] });
    assert.ok(parent.kind === "stored");
    assert.deepEqual(await store.referrers(child), [parent.cid]);
    await store.link("a", "x", linked);
    await store.pin("a", pinned, { ttlMs: 1_000_000 });
    const tree = hashTree(makeBytes(90_000, 9));
    const begun = await store.receive(cidOfTree(tree), tree, a);
    assert.ok(begun.kind === "receiving");
    const loose = await putBytes(store, makeBytes(30_000, 5));
    clock.now += 10_000;
    const young = await putBytes(store, makeBytes(30_000, 6));
    const roots = [root, parent.cid];
    const first = await store.gc({ roots, graceMs: 5_000 });
    assert.deepEqual(first, { marked: 1, removed: 0, removedBytes: 0, kept: 8 });
    assert.equal(await store.has(loose), true);
    clock.now += 5_000;
    const gone: Cid[] = [];
    const second = await store.gc({ roots, graceMs: 5_000, onRemoved: (cid) => void gone.push(cid) });
    assert.deepEqual(gone, [loose]);
    assert.deepEqual({ removed: second.removed, bytes: second.removedBytes }, { removed: 1, bytes: 30_000 });
    assert.equal(await store.has(loose), false);
    const { objects, bytes, partial, collectedAt } = await store.stats();
    assert.deepEqual([objects, bytes, partial, collectedAt], [7, 200_010, 1, clock.now]);
    for (const cid of [...kept, young, parent.cid]) assert.equal(await store.has(cid), true);
    assert.equal((await store.usage("a")).usedBytes, 4 * 20_000 + 10 + 90_000 + 30_000);
    await begun.receiver[Symbol.asyncDispose]();
  });

  test(`${name}: what was marked is spared when it is put, linked or pinned again, or becomes a root`, async () => {
    const { store, clock } = await start();
    const seeds = [1, 2, 3, 4, 5, 6];
    const cids = await Promise.all(seeds.map((seed) => putBytes(store, makeBytes(20, seed))));
    const [put, linked, pinned, root, loose, received] = cids as [Cid, Cid, Cid, Cid, Cid, Cid];
    clock.now += 10;
    assert.equal((await store.gc({ roots: [], graceMs: 0 })).marked, 6);
    clock.now += 10;
    const tree = hashTree(makeBytes(20, 6), { leafSize: 16_384 });
    assert.equal((await store.receive(received, tree, a)).kind, "present");
    await putBytes(store, makeBytes(20, 1));
    await store.link("a", "x", linked);
    await store.pin("a", pinned);
    const report = await store.gc({ roots: [root], graceMs: 0 });
    assert.equal(report.removed, 1);
    for (const cid of [put, linked, pinned, root, received]) assert.equal(await store.has(cid), true);
    assert.equal(await store.has(loose), false);
  });

  test(`${name}: what was unpinned, unlinked or expired goes, and its references after it`, async () => {
    const { store, clock } = await start();
    const [child, other] = [
      await putBytes(store, makeBytes(30_000, 1)),
      await putBytes(store, makeBytes(10, 2)),
    ];
    const parent = await store.put([makeBytes(10, 3)], { ...a, references: [child] });
    assert.ok(parent.kind === "stored");
    await store.link("a", "x", parent.cid);
    await store.pin("a", other, { ttlMs: 100 });
    await store.unlink("a", "x");
    for (let round = 0; round < 3; round++) {
      clock.now += 101;
      await store.gc({ roots: [], graceMs: 0 });
    }
    assert.equal((await store.stats()).objects, 0);
    assert.equal((await store.usage("a")).usedBytes, 0);
  });

  test(`${name}: a reference has to be here`, async () => {
    const { store } = await start();
    const cid = cidOfTree(hashTree(makeBytes(10)));
    const outcome = await store.put([makeBytes(20)], { ...a, references: [cid] });
    assert.deepEqual(outcome, { kind: "reference_missing", cid });
    assert.equal((await store.stats()).objects, 0);
  });

  test(`${name}: intact objects are verified, one and all, and it is noted when`, async () => {
    const { store, clock, events } = await start();
    const cid = await putBytes(store, makeBytes(100_000));
    await putBytes(store, makeBytes(100));
    clock.now += 7;
    assert.deepEqual(await store.verify(cid), { kind: "intact", sizeBytes: 100_000 });
    assert.equal((await store.stat(cid))?.verifiedAt, clock.now);
    const report = { objects: 2, bytes: 100_100, damage: [], finished: true };
    let read = 0;
    const onProgress = (bytes: number) => {
      read += bytes;
    };
    assert.deepEqual(await store.scrub({ maxBytesPerSecond: 1e9, onProgress }), report);
    assert.equal(read, report.bytes);
    assert.equal((await store.stats()).scrubbedAt, clock.now);
    assert.deepEqual(await store.repair(cid, async () => null), { kind: "intact" });
    assert.equal(events.at(-1)?.kind, "scrubbed");
  });

  test(`${name}: a number that is none of its kind is refused, and a list goes on after what is here`, async () => {
    const { store, clock } = await start();
    const cid = await putBytes(store, makeBytes(10));
    for (const bad of [Number.NaN, -1, 0.5, Number.POSITIVE_INFINITY]) {
      for (const refused of [
        () => store.pin("a", cid, { ttlMs: bad }),
        () => store.gc({ roots: [], graceMs: bad }),
        () => store.setQuota("a", bad),
        () => store.list({ limit: bad }),
      ])
        await assert.rejects(refused, { name: "StoreError", code: "option_invalid" });
    }
    await assert.rejects(store.pin("a", cid, { ttlMs: Number.MAX_SAFE_INTEGER }), { code: "option_invalid" });
    await store.pin("a", cid, { ttlMs: 8_640_000_000_000_000 - clock.now });
    assert.equal((await store.pins(cid))[0]?.until, 8_640_000_000_000_000);
    await store.unpin("a", cid);
    assert.deepEqual(await store.pins(cid), []);
    for (let round = 0; round < 2; round++) {
      clock.now += 10;
      await store.gc({ roots: [], graceMs: 0 });
    }
    await assert.rejects(store.list({ after: cid }), { name: "StoreError", code: "object_removed" });
  });

  test(`${name}: a closed store does nothing any more`, async () => {
    const { store } = await start();
    await store[Symbol.asyncDispose]();
    await store[Symbol.asyncDispose]();
    await assert.rejects(store.put([], a), { name: "StoreError", code: "closed" });
    await assert.rejects(store.stats(), { code: "closed" });
  });
}

async function* inPieces(bytes: Uint8Array, length: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += length) yield bytes.subarray(at, at + length);
}

function slice(bytes: Uint8Array, start: number, end: number): Buffer {
  return Buffer.from(bytes.subarray(start, end));
}

/** Without the difference between a Buffer and other bytes. */
function plain(value: object): object {
  const entries = Object.entries(value);
  return Object.fromEntries(
    entries.map(([key, each]) => [
      key,
      each instanceof Uint8Array ? Buffer.from(each).toString("hex") : each,
    ]),
  );
}
