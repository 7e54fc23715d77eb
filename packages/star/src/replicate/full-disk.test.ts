import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { status } from "@grpc/grpc-js";
import { Jail } from "../jail/jail.ts";
import { Replicator } from "./replicator.ts";
import type { TargetDisk } from "./target-disk.ts";
import { realDisk } from "./target-disk.ts";
import { localHost, TestSource } from "./test-source.ts";
import { replicateFrom, smallBlocks } from "./test-target.ts";

const megabyte = 1024 * 1024;

/** A file system of 4 MiB of its own, or null where nobody may mount one. It is gone after the test. */
function mountSmallDisk(t: TestContext): string | null {
  const folder = mkdtempSync(join(tmpdir(), "catalyst-star-full-"));
  const mounted = spawnSync("mount", ["-t", "tmpfs", "-o", "size=4m", "tmpfs", folder]).status === 0;
  t.after(() => {
    if (mounted) assert.equal(spawnSync("umount", ["--lazy", folder]).status, 0);
    rmSync(folder, { recursive: true });
  });
  return mounted ? folder : null;
}

async function replicatorInto(folder: string, disk: TargetDisk = realDisk()) {
  const host = localHost();
  const source = new TestSource(new Uint8Array(0));
  source.chunkBytes = 64 * 1024;
  const address = await host.add(source);
  const jail = Jail.open([folder]);
  const replicator = new Replicator({ jail, disk, sources: host.provider, digester: smallBlocks });
  return { source, replicate: (wanted = {}) => replicateFrom(replicator, [address], wanted) };
}

test("A file that finds no room is RESOURCE_EXHAUSTED, leaves what stood there, and comes when there is room", async (t) => {
  const folder = mountSmallDisk(t);
  if (folder === null) return t.skip("only root may mount a file system of its own");
  const { source, replicate } = await replicatorInto(folder);
  source.bytes = randomBytes(3 * megabyte);
  writeFileSync(join(folder, "file"), "before");
  writeFileSync(join(folder, "of somebody else"), randomBytes(2 * megabyte));
  await assert.rejects(replicate(), { code: "disk_full", status: status.RESOURCE_EXHAUSTED });
  assert.ok(source.sent <= 64 * 1024, "nobody sends what finds no room");
  assert.deepEqual(readdirSync(folder), ["file", "of somebody else"]);
  rmSync(join(folder, "of somebody else"));
  await replicate();
  assert.ok(readFileSync(join(folder, "file")).equals(source.bytes));
});

test("A disk that fills up meanwhile keeps what came for a call with resume, and nothing that looks whole", async (t) => {
  const folder = mountSmallDisk(t);
  if (folder === null) return t.skip("only root may mount a file system of its own");
  const optimistic = { ...realDisk(), freeBytes: async () => Number.POSITIVE_INFINITY };
  const { source, replicate } = await replicatorInto(folder, optimistic);
  source.bytes = randomBytes(3 * megabyte);
  writeFileSync(join(folder, "of somebody else"), randomBytes(2 * megabyte));
  await assert.rejects(replicate(), { code: "disk_full", status: status.RESOURCE_EXHAUSTED });
  assert.ok(!readdirSync(folder).includes("file"));
  rmSync(join(folder, "of somebody else"));
  const { resumed } = await replicate({ resume: true });
  assert.ok(resumed > megabyte, `${resumed}`);
  assert.deepEqual(readdirSync(folder), ["file"]);
  assert.ok(readFileSync(join(folder, "file")).equals(source.bytes));
});

test("A target on a file system that is read-only is refused with the system's reason", async (t) => {
  const folder = mountSmallDisk(t);
  if (folder === null) return t.skip("only root may mount a file system of its own");
  const { source, replicate } = await replicatorInto(folder);
  writeFileSync(join(folder, "file"), "before");
  assert.equal(spawnSync("mount", ["-o", "remount,ro", folder]).status, 0);
  for (const size of [100, megabyte]) {
    source.bytes = randomBytes(size);
    await assert.rejects(replicate(), {
      code: "disk_failed",
      status: status.FAILED_PRECONDITION,
      message: /read-only/,
    });
    assert.equal(readFileSync(join(folder, "file"), "utf8"), "before");
    assert.deepEqual(readdirSync(folder), ["file"]);
  }
});
