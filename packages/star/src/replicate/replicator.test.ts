import assert from "node:assert/strict";
import { hash, randomBytes } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { DurableError, type DurableFile, diskFileSystem } from "@catalyst/durable";
import { status } from "@grpc/grpc-js";
import { ReplicateRequestSchema } from "../../generated/orbit/v1/orbit_pb.js";
import { Jail } from "../jail/jail.ts";
import { authSecret, startTestStar } from "../test-star.ts";
import { mintTransferToken } from "../transfer-token.ts";
import { Replicator } from "./replicator.ts";
import { realDisk } from "./target-disk.ts";
import { partOf } from "./test-target.ts";

type Wanted = MessageInitShape<typeof ReplicateRequestSchema>;

/** A source star, and a destination over a folder of its own. */
async function started() {
  const source = await startTestStar();
  const folder = mkdtempSync(join(tmpdir(), "catalyst-target-"));
  const replicator = new Replicator({ jail: Jail.open([folder]) });
  const replicate = (wanted: Wanted, signal = new AbortController().signal) => {
    const { remotePath = "file" } = wanted;
    const request = {
      sourceStarUrl: source.url,
      remotePath,
      localPath: "file",
      transferToken: mintTransferToken(authSecret, remotePath),
      ...wanted,
    };
    return replicator.replicate(create(ReplicateRequestSchema, request), signal);
  };
  return {
    source,
    folder,
    replicate,
    put: (bytes: Uint8Array) => writeFileSync(join(source.folder, "file"), bytes),
    [Symbol.asyncDispose]: async () => {
      await replicator[Symbol.asyncDispose]();
      await source[Symbol.asyncDispose]();
      rmSync(folder, { recursive: true });
    },
  };
}

const sha256 = (bytes: Uint8Array) => hash("sha256", bytes);

for (const size of [0, 1, 4_096, 65_536, 262_144, 262_145, 3_000_000]) {
  test(`A file of ${size} bytes comes whole, with its SHA-256 and nothing beside it`, async () => {
    await using of = await started();
    const bytes = randomBytes(size);
    of.put(bytes);
    const replicated = await of.replicate({ localPath: "new/folders/file" });
    assert.deepEqual(replicated, { bytes: size, resumed: 0, checksum: sha256(bytes) });
    assert.deepEqual(readdirSync(join(of.folder, "new/folders")), ["file"]);
    assert.ok(readFileSync(join(of.folder, "new/folders/file")).equals(bytes));
  });
}

test("Mode and time of modification are kept when asked; else the file is like one that the star's user makes", async () => {
  await using of = await started();
  of.put(randomBytes(300_000));
  await of.replicate({ mode: 0o104_750, modifiedAtTs: 1_000_000_000n });
  const kept = statSync(join(of.folder, "file"));
  assert.deepEqual([kept.mode & 0o7777, kept.mtimeMs], [0o750, 1e12]);
  await of.replicate({ localPath: "other" });
  assert.equal(statSync(join(of.folder, "other")).mode & 0o7777, 0o666 & ~process.umask());
});

test("What is not of the expected size or SHA-256 is DATA_LOSS, and what stood there stays", async () => {
  await using of = await started();
  for (const size of [1_000, 600_000]) {
    of.put(randomBytes(size));
    writeFileSync(join(of.folder, "file"), "before");
    for (const wrong of [{ expectedSize: BigInt(size - 1) }, { expectedChecksum: randomBytes(32) }]) {
      await assert.rejects(of.replicate(wrong), { code: "content_mismatch", status: status.DATA_LOSS });
      assert.deepEqual(readdirSync(of.folder), ["file"]);
      assert.equal(readFileSync(join(of.folder, "file"), "utf8"), "before");
    }
  }
});

test("A source's refusal goes through with its code and status, and leaves nothing", async () => {
  await using of = await started();
  of.put(randomBytes(10));
  await assert.rejects(of.replicate({ transferToken: "nonsense" }), {
    code: "token_invalid",
    status: status.PERMISSION_DENIED,
  });
  await assert.rejects(of.replicate({ remotePath: "none" }), {
    code: "path_missing",
    status: status.NOT_FOUND,
  });
  await assert.rejects(of.replicate({ sourceStarUrl: "unix:/tmp/x" }), { code: "request_invalid" });
  await assert.rejects(of.replicate({ expectedChecksum: randomBytes(31) }), { code: "request_invalid" });
  assert.deepEqual(readdirSync(of.folder), []);
});

test("Nothing is fetched to a name that a folder has, nor twice at once to one", async () => {
  await using of = await started();
  of.put(randomBytes(1_000_000));
  mkdirSync(join(of.folder, "taken"));
  await assert.rejects(of.replicate({ localPath: "taken" }), { code: "path_in_use" });
  assert.deepEqual(of.source.events.told, []);
  const first = of.replicate({});
  await assert.rejects(of.replicate({ localPath: "./file" }), { code: "path_in_use" });
  await first;
});

test("A link under the name of the file, of the part or of its log is replaced and never followed", async () => {
  await using of = await started();
  of.put(randomBytes(600_000));
  const victim = join(of.source.folder, "victim");
  writeFileSync(victim, "untouched");
  const ours = `.orbit-${sha256(Buffer.from("file")).slice(0, 16)}`;
  for (const resume of [false, true]) {
    for (const name of ["file", `${ours}.part`, `${ours}.log`]) {
      rmSync(join(of.folder, name), { force: true });
      symlinkSync(victim, join(of.folder, name));
    }
    await of.replicate({ resume });
    assert.equal(readFileSync(victim, "utf8"), "untouched");
    assert.ok(statSync(join(of.folder, "file")).size === 600_000);
  }
});

test("A hundred replications at once all come whole", async () => {
  await using of = await started();
  const bytes = randomBytes(700_000);
  of.put(bytes);
  const names = Array.from({ length: 100 }, (_, index) => `many/${index}`);
  const replicated = await Promise.all(names.map((localPath) => of.replicate({ localPath })));
  for (const { checksum } of replicated) assert.equal(checksum, sha256(bytes));
  for (const name of names) assert.ok(readFileSync(join(of.folder, name)).equals(bytes));
  assert.equal(readdirSync(join(of.folder, "many")).length, 100);
});

test("A sync that fails while a large file comes fails the replication, although later ones succeed", async () => {
  await using of = await started();
  of.put(Buffer.alloc(80 * 1024 * 1024, "large"));
  let syncs = 0;
  const sync = async (file: DurableFile) => {
    syncs += 1;
    if (syncs === 1) throw new DurableError("io_failed", "the disk says so");
    await file.sync();
  };
  const disk = realDisk({
    ...diskFileSystem,
    open: async (...how) => {
      const file = await diskFileSystem.open(...how);
      return {
        read: (...at) => file.read(...at),
        write: (...at) => file.write(...at),
        truncate: (size) => file.truncate(size),
        sync: () => sync(file),
        close: () => file.close(),
      };
    },
  });
  await using replicator = new Replicator({ jail: Jail.open([of.folder]), disk });
  const request = create(ReplicateRequestSchema, {
    ...{ sourceStarUrl: of.source.url, remotePath: "file", localPath: "file" },
    transferToken: mintTransferToken(authSecret, "file"),
  });
  await assert.rejects(replicator.replicate(request, new AbortController().signal), { code: "disk_failed" });
  assert.equal(syncs, 1);
  assert.ok(!readdirSync(of.folder).includes("file"));
});

test("A small file that is begun anew leaves nothing of an attempt before it", async () => {
  await using of = await started();
  const bytes = randomBytes(1_000);
  of.put(bytes);
  const { part, log } = partOf("file");
  for (const name of [part, log]) writeFileSync(join(of.folder, name), "of an attempt that was ended");
  await of.replicate({});
  assert.deepEqual(readdirSync(of.folder), ["file"]);
});

test("Where another star writes the same file meanwhile nobody is told of a file that does not stand", async () => {
  await using of = await started();
  await using other = new Replicator({ jail: Jail.open([of.folder]) });
  const bytes = { file: randomBytes(8_000_000), longer: randomBytes(16_000_000) };
  for (const [name, each] of Object.entries(bytes)) writeFileSync(join(of.source.folder, name), each);
  const { part } = partOf("file");
  const one = of.replicate({});
  const refused = assert.rejects(one, { code: "path_in_use" });
  while (!existsSync(join(of.folder, part))) await new Promise((resolve) => setTimeout(resolve, 1));
  const request = create(ReplicateRequestSchema, {
    ...{ sourceStarUrl: of.source.url, remotePath: "longer", localPath: "file" },
    transferToken: mintTransferToken(authSecret, "longer"),
  });
  const { checksum } = await other.replicate(request, new AbortController().signal);
  await refused;
  const standing = sha256(readFileSync(join(of.folder, "file")));
  assert.deepEqual([checksum, standing], [sha256(bytes.longer), checksum]);
});
