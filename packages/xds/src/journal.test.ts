import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { openJournal } from "@catalyst/durable";
import { removeFolder, temporaryFolder } from "../test/envoy.ts";
import { cluster, endpoints } from "../test/resources.ts";
import { openSnapshotJournal, readSnapshot } from "./journal.ts";
import { clusterType } from "./references.ts";
import { Snapshot } from "./snapshot.ts";

async function withPath(run: (path: string) => Promise<void>): Promise<void> {
  const folder = temporaryFolder();
  try {
    await run(join(folder, "last-good"));
  } finally {
    removeFolder(folder);
  }
}

const acknowledged = (upsert: ReturnType<typeof cluster>[], removed: string[] = []) => ({
  type: upsert[0]?.type ?? clusterType,
  upsert,
  removed,
});
const names = (snapshot: Snapshot) => [...snapshot].map(({ type, name, version }) => [type, name, version]);

test("what was acknowledged is read back with the same versions", () =>
  withPath(async (path) => {
    assert.equal((await readSnapshot(path)).size, 0, "no journal is an empty snapshot");
    {
      await using journal = await openSnapshotJournal(path);
      journal.record(acknowledged([cluster("a"), cluster("b")]));
      journal.record(acknowledged([endpoints("a", 1)]));
      journal.record(acknowledged([cluster("a", 1_500)], ["b"]));
    }
    assert.deepEqual(
      names(await readSnapshot(path)),
      names(new Snapshot([cluster("a", 1_500), endpoints("a", 1)])),
    );
  }));

test("a flushed change is on disk while the journal stays open, and equal bytes are written once", () =>
  withPath(async (path) => {
    await using journal = await openSnapshotJournal(path, { flushMs: 60_000 });
    journal.record(acknowledged([cluster("a")]));
    await journal.flush();
    const { sizeBytes } = journal;
    assert.equal((await readSnapshot(path)).size, 1);
    journal.record(acknowledged([cluster("a")]));
    await journal.flush();
    assert.equal(journal.sizeBytes, sizeBytes);
  }));

test("changes are written by themselves soon after they were recorded", () =>
  withPath(async (path) => {
    await using journal = await openSnapshotJournal(path, { flushMs: 5 });
    journal.record(acknowledged([cluster("a")]));
    while ((await readSnapshot(path)).size === 0);
    assert.equal(journal.resources, 1);
  }));

test("a journal that is opened again goes on where it was, and forgets what is no longer published", () =>
  withPath(async (path) => {
    {
      await using journal = await openSnapshotJournal(path);
      journal.record(acknowledged([cluster("a"), cluster("b")]));
    }
    {
      await using journal = await openSnapshotJournal(path);
      assert.equal(journal.resources, 2);
      journal.retain(new Snapshot([cluster("b", 2_000), cluster("c")]));
    }
    assert.deepEqual(names(await readSnapshot(path)), names(new Snapshot([cluster("b")])));
  }));

test("a journal that is mostly history is compacted", () =>
  withPath(async (path) => {
    await using journal = await openSnapshotJournal(path, { flushMs: 60_000 });
    const kept = Array.from({ length: 400 }, (_, at) => cluster(`c${at}`));
    journal.record(acknowledged(kept));
    let largest = 0;
    for (let round = 1; round < 60; round++) {
      journal.record(acknowledged(kept.map(({ name }) => cluster(name, 1_000 + round))));
      await journal.flush();
      largest = Math.max(largest, journal.sizeBytes);
    }
    assert.ok(largest < 1_500_000, `it grew to ${largest} bytes`);
    assert.ok(largest > 1_000_000, "the test writes enough to need it");
    const last = kept.map(({ name }) => cluster(name, 1_059));
    assert.deepEqual(names(await readSnapshot(path)), names(new Snapshot(last)));
  }));

test("a change whose write failed is reported, kept, and written with the next one", () =>
  withPath(async (path) => {
    const journal = await openSnapshotJournal(path, { flushMs: 60_000 });
    const huge = { ...cluster("huge"), body: new Uint8Array(20 * 1024 * 1024) };
    journal.record(acknowledged([huge, cluster("a")]));
    await assert.rejects(journal.flush(), { code: "record_too_large" });
    journal.record(acknowledged([cluster("b")], ["huge"]));
    await journal.flush();
    assert.deepEqual(names(await readSnapshot(path)), names(new Snapshot([cluster("a"), cluster("b")])));
    await journal[Symbol.asyncDispose]();
  }));

test("a journal of something else is refused by name", () =>
  withPath(async (path) => {
    const journal = await openJournal(path);
    await journal.append(new TextEncoder().encode("something else"));
    await journal[Symbol.asyncDispose]();
    await assert.rejects(readSnapshot(path), { name: "XdsError", code: "journal_malformed" });
  }));
