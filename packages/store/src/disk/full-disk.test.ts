import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, statfsSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import type { Cid } from "@catalyst/wire";
import { StoreError } from "../errors.ts";
import type { Store } from "../store.ts";
import { makeBytes, readAll } from "../test-objects.ts";
import { openDiskStore } from "./disk-store.ts";

const namespace = "a";

/** A file system of 24 MiB of its own, or null where nobody may mount one. It is gone after the test. */
function mountSmallDisk(t: TestContext): string | null {
  const folder = mkdtempSync(join(tmpdir(), "catalyst-full-"));
  const mounted = spawnSync("mount", ["-t", "tmpfs", "-o", "size=24m", "tmpfs", folder]).status === 0;
  t.after(() => {
    if (mounted) assert.equal(spawnSync("umount", ["--lazy", folder]).status, 0);
    rmSync(folder, { recursive: true });
  });
  return mounted ? folder : null;
}

/** Puts objects, and pins every fourth, until the disk is full and stays so; returns those that were acknowledged. */
async function fill(store: Store, size: number): Promise<ReadonlyMap<Cid, number>> {
  const stored = new Map<Cid, number>();
  for (let seed = 0, failures = 0; failures < 5; seed++) {
    try {
      const outcome = await store.put([makeBytes(size, seed)], { namespace });
      assert.ok(outcome.kind === "stored");
      stored.set(outcome.cid, seed);
      if (seed % 4 === 0) await store.pin(namespace, outcome.cid);
    } catch (error) {
      assert.ok(error instanceof StoreError && error.code === "disk_full", String(error));
      assert.match(error.message, /Free space on the disk, or unpin and unlink objects and collect garbage/);
      failures += 1;
    }
  }
  return stored;
}

/**
 * Takes what space there is left with a file that is not the store's, but not what the store has just given up of its
 * reserve: without either it can do nothing.
 */
function fillUp(folder: string): string {
  const path = join(folder, "of-somebody-else");
  const { bavail, bsize } = statfsSync(folder);
  writeFileSync(path, Buffer.alloc(existsSync(join(folder, "reserve")) ? bavail * bsize : 0, 1));
  return path;
}

async function checkAll(store: Store, stored: ReadonlyMap<Cid, number>, size: number): Promise<void> {
  const listed = await store.list({ limit: 100_000 });
  assert.deepEqual(new Set(listed.map(({ cid }) => cid)), new Set(stored.keys()));
  for (const { state } of listed) assert.equal(state, "whole");
  for (const [cid, seed] of stored) {
    assert.deepEqual(await readAll(await store.get(cid)), Buffer.from(makeBytes(size, seed)));
    assert.equal((await store.verify(cid)).kind, "intact");
  }
}

for (const [name, size] of [
  ["in files", 700_000],
  ["in the database", 8_000],
] as const) {
  test(`A full disk harms no object ${name}, everything but storing works on it, and space comes back`, async (t) => {
    const folder = mountSmallDisk(t);
    if (folder === null) return t.skip("only root may mount a file system of its own");
    const first = await openDiskStore(folder);
    const stored = await fill(first, size);
    assert.ok(stored.size >= 10);
    const foreign = fillUp(folder);
    await assert.rejects(first.put([makeBytes(size, -1)], { namespace }), { code: "disk_full" });
    await checkAll(first, stored, size);
    await first[Symbol.asyncDispose]();

    const store = await openDiskStore(folder);
    await checkAll(store, stored, size);
    const [one, , , , five] = [...stored.keys()];
    assert.ok(one && five);
    assert.equal((await store.link(namespace, "kept", five)).kind, "linked");
    assert.equal(await store.unpin(namespace, one), true);
    assert.equal(await store.unlink(namespace, "kept"), five);
    assert.equal((await store.scrub({ maxBytesPerSecond: 1e12 })).damage.length, 0);
    for (let round = 0; round < 2; round++) {
      await new Promise((resolve) => setTimeout(resolve, 2));
      await store.gc({ roots: [], graceMs: 0 });
    }
    const kept = new Map([...stored].filter(([cid, seed]) => seed % 4 === 0 && cid !== one));
    await checkAll(store, kept, size);
    rmSync(foreign);
    assert.equal((await store.put([makeBytes(size, -1)], { namespace })).kind, "stored");
    await store[Symbol.asyncDispose]();
  });
}
