import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { type Cid, cidOfTree, hashTree } from "@catalyst/wire";
import { openDiskStore } from "../disk/disk-store.ts";
import { createMemoryStore } from "../memory-store.ts";
import type { Store, StoreOptions } from "../store.ts";
import { makeBytes } from "../test-objects.ts";
import { openManifest } from "./file.ts";
import { type ImportOptions, importChunked } from "./import.ts";
import { encodeManifest, type ManifestPart, maxParts } from "./manifest.ts";

const root = mkdtempSync(join(tmpdir(), "catalyst-import-"));
after(() => rmSync(root, { recursive: true }));

const stores: Readonly<Record<string, (options: StoreOptions) => Promise<Store>>> = {
  memory: async (options) => createMemoryStore(options),
  disk: (options) => openDiskStore(mkdtempSync(join(root, "t-")), options),
};
const options: ImportOptions = { namespace: "a", mean: 65_536 };
const bytes = makeBytes(1_500_000);

for (const [name, open] of Object.entries(stores)) {
  const start = async () => {
    const clock = { now: 1_000_000 };
    return { clock, store: await open({ now: () => clock.now }) };
  };

  test(`${name}: a file that was imported is read again, whole and in ranges`, async () => {
    await using store = (await start()).store;
    for (const size of [0, 1, 16_384, 300_000, bytes.length]) {
      const file = bytes.subarray(0, size);
      const imported = await stored(store, file);
      assert.equal(imported.sizeBytes, size);
      const opened = await openManifest(store, imported.cid);
      assert.ok(opened.kind === "found");
      assert.equal(opened.sizeBytes, size);
      assert.deepEqual(Buffer.from(opened.sha256), createHash("sha256").update(file).digest());
      assert.equal(Buffer.compare(await joined(opened.read()), file), 0);
      for (const [from, to] of [
        [0, 1],
        [size >> 1, (size >> 1) + 200_000],
        [size - 1, size + 5],
        [size, size + 1],
      ] as const) {
        if (from < 0) continue;
        const read = await joined(opened.read({ start: from, end: to }));
        assert.equal(Buffer.compare(read, file.subarray(from, to)), 0, `${size}: ${from}-${to}`);
      }
    }
  });

  test(`${name}: what was stored before is not stored again, but for the chunks around a change`, async () => {
    await using store = (await start()).store;
    const first = await stored(store, bytes);
    assert.deepEqual([first.newChunks, first.newBytes], [first.chunks, bytes.length]);
    const again = await stored(store, bytes);
    assert.deepEqual([again.cid, again.newChunks, again.newBytes], [first.cid, 0, 0]);
    const edited = Buffer.concat([bytes.subarray(0, 700_000), Buffer.of(1), bytes.subarray(700_000)]);
    const second = await stored(store, edited);
    assert.ok(second.newChunks >= 1 && second.newChunks <= 3, `${second.newChunks}`);
    const { usedBytes } = await store.usage("a");
    assert.ok(usedBytes < bytes.length * 1.5 && usedBytes >= bytes.length, `${usedBytes}`);
    const opened = await openManifest(store, second.cid);
    assert.ok(opened.kind === "found");
    assert.equal(Buffer.compare(await joined(opened.read()), edited), 0);
  });

  test(`${name}: the same file gives the same manifest in whatever pieces it comes`, async () => {
    await using store = (await start()).store;
    const { cid } = await stored(store, bytes);
    for (const length of [1_000, 65_536, 1_000_003]) {
      const pieces = Array.from({ length: Math.ceil(bytes.length / length) }, (_, at) =>
        bytes.subarray(at * length, (at + 1) * length),
      );
      const imported = await importChunked(store, pieces, options);
      assert.ok(imported.kind === "stored" && imported.cid === cid);
    }
  });

  test(`${name}: what is stored, and what it stands for, give the ratio of deduplication`, async () => {
    const { store, clock } = await start();
    const ratio = async () => {
      const { bytes: taken, logicalBytes } = await store.stats();
      return logicalBytes / taken;
    };
    const { cid, sha256 } = await stored(store, bytes);
    assert.equal(await store.findBySha256(sha256), cid);
    assert.deepEqual((await store.stat(cid))?.file, {
      sizeBytes: bytes.length,
      sha256: new Uint8Array(sha256),
    });
    const [chunk = cid] = await store.references(cid);
    assert.equal((await store.stat(chunk))?.file, null);
    assert.deepEqual(await store.references(chunk), []);
    const overhead = await ratio();
    assert.ok(overhead < 1 && overhead > 0.99, `${overhead}`);
    await stored(store, bytes);
    assert.equal(await ratio(), overhead);
    await stored(store, Buffer.concat([Buffer.of(1), bytes]));
    assert.equal((await store.stats()).logicalBytes, 2 * bytes.length + 1);
    assert.ok((await ratio()) > 1.8);
    await store.put([makeBytes(50_000, 8)], { namespace: "a" });
    assert.equal((await store.stats()).logicalBytes, 2 * bytes.length + 50_001);
    await store.link("a", "file", cid);
    for (let round = 0; round < 3; round++) {
      clock.now += 10;
      await store.gc({ roots: [], graceMs: 0 });
    }
    assert.equal((await store.stats()).logicalBytes, bytes.length);
    await store[Symbol.asyncDispose]();
  });

  test(`${name}: a chunk that is put as an object of its own counts as one, and stays one`, async () => {
    const { store } = await start();
    const small = makeBytes(10_000);
    await stored(store, small);
    assert.equal((await store.stats()).logicalBytes, 10_000);
    await store.put([small], { namespace: "a" });
    assert.equal((await store.stats()).logicalBytes, 20_000);
    await stored(store, small);
    assert.equal((await store.stats()).logicalBytes, 20_000);
    await store[Symbol.asyncDispose]();
  });

  test(`${name}: chunks live as long as the manifest, and go with it`, async () => {
    const { store, clock } = await start();
    const { cid } = await stored(store, bytes);
    await store.link("a", "file", cid);
    for (let round = 0; round < 3; round++) {
      clock.now += 10;
      await store.gc({ roots: [], graceMs: 0 });
    }
    const opened = await openManifest(store, cid);
    assert.ok(opened.kind === "found");
    assert.equal(Buffer.compare(await joined(opened.read()), bytes), 0);
    await store.unlink("a", "file");
    for (let round = 0; round < 3; round++) {
      clock.now += 10;
      await store.gc({ roots: [], graceMs: 0 });
    }
    assert.equal((await store.stats()).objects, 0);
    assert.deepEqual(await openManifest(store, cid), { kind: "not_found" });
    await store[Symbol.asyncDispose]();
  });

  test(`${name}: an import whose source fails is the source's failure, and the next one goes on from it`, async () => {
    const { store, clock } = await start();
    const source = (async function* () {
      yield bytes.subarray(0, 1_000_000);
      throw new RangeError("the source ended");
    })();
    await assert.rejects(importChunked(store, source, options), RangeError);
    const { objects } = await store.stats();
    assert.ok(objects > 5);
    const imported = await stored(store, bytes);
    assert.equal(imported.newChunks, imported.chunks - objects);
    await store.link("a", "file", imported.cid);
    clock.now += 10;
    await store.gc({ roots: [], graceMs: 0 });
    assert.equal((await store.verify(imported.cid)).kind, "intact");
    await store[Symbol.asyncDispose]();
  });

  test(`${name}: a quota that is used up on the way refuses, ends the source, and leaves garbage only`, async () => {
    const { store, clock } = await start();
    await store.setQuota("a", 500_000);
    let ended = false;
    const source = (async function* () {
      try {
        for (let at = 0; at < bytes.length; at += 10_000) yield bytes.subarray(at, at + 10_000);
      } finally {
        ended = true;
      }
    })();
    assert.equal((await importChunked(store, source, options)).kind, "quota_exceeded");
    assert.equal(ended, true);
    for (let round = 0; round < 2; round++) {
      clock.now += 10;
      await store.gc({ roots: [], graceMs: 0 });
    }
    assert.equal((await store.stats()).objects, 0);
    await store.setQuota("a", null);
    assert.equal((await importChunked(store, [bytes], options)).kind, "stored");
    await store[Symbol.asyncDispose]();
  });

  test(`${name}: a range reads no other chunks than it touches`, async () => {
    const { store } = await start();
    const { cid } = await stored(store, bytes);
    const read: Cid[] = [];
    const watched: Store = Object.assign(Object.create(store) as Store, {
      get: (...asked: Parameters<Store["get"]>) => {
        read.push(asked[0]);
        return store.get(...asked);
      },
    });
    const opened = await openManifest(watched, cid);
    assert.ok(opened.kind === "found");
    await joined(opened.read({ start: 700_000, end: 700_001 }));
    assert.equal(read.length, 2);
    await store[Symbol.asyncDispose]();
  });

  test(`${name}: more chunks than one manifest lists are listed on levels, and read through them`, async () => {
    await using store = (await start()).store;
    const zeros = Buffer.alloc(262_144);
    const count = maxParts + 2;
    const source = (function* () {
      for (let at = 0; at < count; at++) yield zeros;
      yield Buffer.from("the end");
    })();
    const imported = await importChunked(store, source, options);
    assert.ok(imported.kind === "stored");
    assert.deepEqual([imported.chunks, imported.newChunks], [count + 1, 2]);
    const opened = await openManifest(store, imported.cid);
    assert.ok(opened.kind === "found");
    const end = await joined(opened.read({ start: count * zeros.length - 5, end: opened.sizeBytes }));
    assert.equal(Buffer.from(end).toString("latin1"), "\0\0\0\0\0the end");
    let length = 0;
    for await (const piece of opened.read()) length += piece.length;
    assert.equal(length, count * zeros.length + 7);
  });

  test(`${name}: a manifest whose chunks are missing, or not as it says, is never read as a file`, async () => {
    const { store } = await start();
    const chunk = makeBytes(20_000);
    const here = await store.put([chunk], { namespace: "a" });
    assert.ok(here.kind === "stored");
    const sha256 = createHash("sha256").update(chunk).digest();
    const gone = cidOfTree(hashTree(makeBytes(10, 9)));
    const read = async (parts: readonly ManifestPart[], digest: Uint8Array = sha256) => {
      const size = parts.reduce((sum, part) => sum + part.size, 0);
      const manifest = encodeManifest({ level: 0, size, parts, sha256: digest });
      const put = await store.put([manifest], { namespace: "a", content: "cbor" });
      assert.ok(put.kind === "stored");
      const opened = await openManifest(store, put.cid);
      assert.ok(opened.kind === "found");
      return joined(opened.read());
    };
    assert.deepEqual(await read([{ cid: here.cid, size: 20_000 }]), Buffer.from(chunk));
    const invalid = { name: "StoreError", code: "manifest_invalid" };
    await assert.rejects(read([{ cid: here.cid, size: 19_999 }]), invalid);
    await assert.rejects(read([{ cid: here.cid, size: 20_000 }], new Uint8Array(32)), invalid);
    await assert.rejects(read([{ cid: gone, size: 10 }]), { name: "StoreError", code: "chunk_missing" });
    await store[Symbol.asyncDispose]();
  });

  test(`${name}: what is no manifest of a file is not opened, and a range that is none not read`, async () => {
    const { store } = await start();
    const invalid = { name: "StoreError", code: "manifest_invalid" };
    const raw = await store.put([makeBytes(100)], { namespace: "a" });
    const noise = await store.put([makeBytes(100)], { namespace: "a", content: "cbor" });
    const long = await store.put([makeBytes(65_537)], { namespace: "a", content: "cbor" });
    const stretch = await store.put([encodeManifest({ level: 0, size: 0, parts: [], sha256: null })], {
      namespace: "a",
      content: "cbor",
    });
    for (const put of [raw, noise, long, stretch]) {
      assert.ok(put.kind === "stored");
      await assert.rejects(openManifest(store, put.cid), invalid);
    }
    const { cid } = await stored(store, bytes);
    const opened = await openManifest(store, cid);
    assert.ok(opened.kind === "found");
    for (const [from, to] of [
      [-1, 5],
      [5, 4],
      [0.5, 1],
      [0, Number.NaN],
    ] as const) {
      assert.throws(() => opened.read({ start: from, end: to }), { code: "option_invalid" });
    }
    await store[Symbol.asyncDispose]();
  });
}

test("a file and what it counts are there again after a restart", async () => {
  const folder = mkdtempSync(join(root, "t-"));
  const first = await openDiskStore(folder);
  const { cid } = await stored(first, Buffer.concat([bytes, bytes]));
  const stats = await first.stats();
  await first[Symbol.asyncDispose]();
  await using store = await openDiskStore(folder);
  assert.deepEqual(await store.stats(), stats);
  assert.ok(stats.logicalBytes > stats.bytes * 1.8);
  const opened = await openManifest(store, cid);
  assert.ok(opened.kind === "found");
  assert.equal(Buffer.compare(await joined(opened.read()), Buffer.concat([bytes, bytes])), 0);
});

async function stored(store: Store, file: Uint8Array) {
  const imported = await importChunked(store, [file], options);
  assert.ok(imported.kind === "stored");
  return imported;
}

async function joined(pieces: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const found: Uint8Array[] = [];
  for await (const piece of pieces) found.push(piece);
  return Buffer.concat(found);
}
