import assert from "node:assert/strict";
import { test } from "node:test";
import type { FileSystem } from "./file-system.ts";

const bytes = (text: string) => new TextEncoder().encode(text);

async function contentOf(files: FileSystem, path: string): Promise<string> {
  const size = (await files.stat(path))?.sizeBytes ?? 0;
  const file = await files.open(path, "read");
  const target = new Uint8Array(size + 10);
  const length = await file.read(target, 0);
  await file.close();
  return new TextDecoder().decode(target.subarray(0, length));
}

async function make(files: FileSystem, path: string, text: string): Promise<void> {
  const file = await files.open(path, "create");
  await file.write(bytes(text), 0);
  await file.sync();
  await file.close();
}

type Start = () => Promise<{ files: FileSystem; folder: string }>;

/** What every file system does, whatever is behind it. `start` gives one with an empty folder. */
export function fileSystemContract(name: string, start: Start): void {
  contentContract(name, start);
  nameContract(name, start);
}

function contentContract(name: string, start: Start): void {
  test(`${name}: what is written is read back at any position, and zeros fill a gap`, async () => {
    const { files, folder } = await start();
    const file = await files.open(`${folder}/a`, "create");
    await file.write(bytes("tail"), 6);
    await file.write(bytes("head"), 0);
    const target = new Uint8Array(4);
    assert.equal(await file.read(target, 6), 4);
    assert.equal(new TextDecoder().decode(target), "tail");
    assert.equal(await file.read(target, 8), 2);
    assert.equal(await file.read(target, 100), 0);
    await file.close();
    assert.equal(await contentOf(files, `${folder}/a`), "head\0\0tail");
  });

  test(`${name}: bytes that were written are the caller's again`, async () => {
    const { files, folder } = await start();
    const written = Buffer.from("mine");
    const file = await files.open(`${folder}/a`, "create");
    await file.write(written, 0);
    written.fill(0);
    await file.sync();
    await file.close();
    assert.equal(await contentOf(files, `${folder}/a`), "mine");
  });

  test(`${name}: truncating cuts off, and fills up with zeros`, async () => {
    const { files, folder } = await start();
    await make(files, `${folder}/a`, "content");
    const file = await files.open(`${folder}/a`, "update");
    await file.truncate(3);
    await file.truncate(5);
    await file.close();
    assert.equal(await contentOf(files, `${folder}/a`), "con\0\0");
  });

  test(`${name}: a file is created once, and opened only when it is there`, async () => {
    const { files, folder } = await start();
    await make(files, `${folder}/a`, "x");
    await assert.rejects(files.open(`${folder}/a`, "create"), { code: "io_failed" });
    await assert.rejects(files.open(`${folder}/b`, "read"), { code: "io_failed" });
    await assert.rejects(files.open(`${folder}/b`, "update"), { code: "io_failed" });
    await assert.rejects(files.open(`${folder}/none/b`, "create"), { code: "io_failed" });
  });
}

function nameContract(name: string, start: Start): void {
  test(`${name}: a rename takes the place of what had the name`, async () => {
    const { files, folder } = await start();
    await make(files, `${folder}/a`, "new");
    await make(files, `${folder}/b`, "old");
    await files.rename(`${folder}/a`, `${folder}/b`);
    assert.deepEqual(await files.list(folder), ["b"]);
    assert.equal(await contentOf(files, `${folder}/b`), "new");
    await assert.rejects(files.rename(`${folder}/a`, `${folder}/c`), { code: "io_failed" });
  });

  test(`${name}: a link is a second name of the same file, and never takes one that is had`, async () => {
    const { files, folder } = await start();
    await make(files, `${folder}/a`, "one");
    await files.link(`${folder}/a`, `${folder}/b`);
    await files.remove(`${folder}/a`);
    assert.equal(await contentOf(files, `${folder}/b`), "one");
    await make(files, `${folder}/c`, "two");
    await assert.rejects(files.link(`${folder}/c`, `${folder}/b`), { code: "io_failed" });
  });

  test(`${name}: removing what is not there is no failure, and an open file outlives its name`, async () => {
    const { files, folder } = await start();
    await make(files, `${folder}/a`, "kept");
    const file = await files.open(`${folder}/a`, "read");
    await files.remove(`${folder}/a`);
    await files.remove(`${folder}/a`);
    await files.remove(`${folder}/none/a`);
    const target = new Uint8Array(4);
    assert.equal(await file.read(target, 0), 4);
    await file.close();
    assert.equal(await files.stat(`${folder}/a`), null);
  });

  test(`${name}: folders are made once, listed in order, and told from files`, async () => {
    const { files, folder } = await start();
    await files.makeFolder(`${folder}/sub`);
    await files.makeFolder(`${folder}/sub`);
    await make(files, `${folder}/sub/b`, "12");
    await make(files, `${folder}/sub/a`, "1");
    await files.syncFolder(`${folder}/sub`);
    await files.syncFolder(folder);
    assert.deepEqual(await files.list(`${folder}/sub`), ["a", "b"]);
    assert.equal(await files.list(`${folder}/none`), null);
    assert.equal((await files.stat(`${folder}/sub`))?.kind, "folder");
    assert.deepEqual(await files.stat(`${folder}/sub/b`), { kind: "file", sizeBytes: 2 });
    await assert.rejects(files.syncFolder(`${folder}/none`), { code: "io_failed" });
  });
}
