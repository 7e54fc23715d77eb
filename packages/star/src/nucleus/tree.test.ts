import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { type TestContext, test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { Server } from "@grpc/grpc-js";
import { FileEntrySchema, HandshakeResponseSchema } from "../../generated/orbit/v1/orbit_pb.js";
import { listen } from "../connection/listen.ts";
import { starService } from "../service.ts";
import { authSecret, slowedSources, startWholeStar } from "../test-star.ts";
import { Nucleus } from "./nucleus.ts";
import { replicateTree, type TreeProgress } from "./tree.ts";

/** Files by their paths below the star's folder. */
function fill(folder: string, files: Readonly<Record<string, Uint8Array>>): void {
  for (const [path, bytes] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), bytes);
  }
}

async function started(t: TestContext) {
  const [a, b] = [await startWholeStar(t), await startWholeStar(t)];
  const nucleus = new Nucleus({ authSecret });
  const own = mkdtempSync(join(tmpdir(), "catalyst-nucleus-"));
  t.after(async () => {
    await nucleus[Symbol.asyncDispose]();
    rmSync(own, { recursive: true });
  });
  return {
    a,
    b,
    nucleus,
    order: { from: a.at(""), to: b.at(""), manifestFile: join(own, "manifest.jsonl") },
  };
}

test("All files below a folder go over, with their modes and times where that is asked for", async (t) => {
  const { a, b, nucleus, order } = await started(t);
  const files = Object.fromEntries(
    Array.from({ length: 120 }, (_, at) => [
      `d${at % 7}/${at % 3 === 0 ? "deep/" : ""}f${at}`,
      randomBytes(at * 50),
    ]),
  );
  fill(a.folder, files);
  utimesSync(join(a.folder, "d1/f1"), 1_700_000_000, 1_700_000_000);
  const told: TreeProgress[] = [];
  const done = await replicateTree(nucleus, {
    ...order,
    preserve: true,
    onProgress: (progress) => told.push(progress),
  });
  const bytes = Object.values(files).reduce((sum, each) => sum + each.length, 0);
  assert.deepEqual(done, { files: 120, bytes, skipped: 0, relayed: 0, failed: [] });
  for (const [path, content] of Object.entries(files))
    assert.deepEqual(readFileSync(join(b.folder, path)), content, path);
  assert.equal(statSync(join(b.folder, "d1/f1")).mtimeMs, 1_700_000_000_000);
  assert.deepEqual(told.at(-1), { files: 120, bytes, failed: 0, totalFiles: 120, totalBytes: bytes });
  assert.ok(!existsSync(order.manifestFile));
});

test("Bytes of a large file count while they come, and once", async (t) => {
  const { a, nucleus, order } = await started(t);
  const b = await startWholeStar(t, slowedSources(40));
  fill(a.folder, { small: randomBytes(100), large: randomBytes(2_000_000) });
  const told: TreeProgress[] = [];
  const onProgress = (progress: TreeProgress) => void told.push(progress);
  await replicateTree(nucleus, { ...order, to: b.at(""), onProgress });
  const meanwhile = told.filter(({ files, bytes }) => files < 2 && bytes > 100);
  assert.ok(meanwhile.length > 0 && meanwhile.every(({ bytes }) => bytes <= 2_000_100));
  assert.deepEqual(told.at(-1)?.bytes, 2_000_100);
});

test("A file that fails leaves the others alone and is named; going on skips what stands, and does what changed again", async (t) => {
  const { a, b, nucleus, order } = await started(t);
  fill(a.folder, { one: randomBytes(10), "sub/two": randomBytes(20), three: randomBytes(30) });
  mkdirSync(join(b.folder, "three")); // A folder stands where the file should be.
  const first = await replicateTree(nucleus, order);
  assert.deepEqual(
    [first.files, first.failed.map(({ path, error }) => [path, error.status])],
    [2, [["three", 9]]],
  );
  rmSync(join(b.folder, "three"), { recursive: true });
  appendFileSync(order.manifestFile, '{"path":"cut o');
  const changed = randomBytes(40);
  fill(a.folder, { one: changed });
  const second = await replicateTree(nucleus, { ...order, resume: true });
  assert.deepEqual([second.files, second.skipped, second.failed], [3, 1, []]);
  assert.deepEqual(readFileSync(join(b.folder, "one")), changed);
});

test("A manifest of another order is not gone on with", async (t) => {
  const { a, nucleus, order } = await started(t);
  fill(a.folder, { one: randomBytes(10) });
  writeFileSync(
    order.manifestFile,
    `${JSON.stringify({ from: "x", to: "y" })}\n${JSON.stringify({ path: "one", size: 10, modifiedAt: 1, checksum: "" })}\n`,
  );
  assert.deepEqual((await replicateTree(nucleus, { ...order, resume: true })).skipped, 0);
});

test("A star that tells of names that lead elsewhere is refused, and nothing is asked of the destination for them", async (t) => {
  const { b, nucleus, order } = await started(t);
  for (const name of ["../outside", "a/b", "..", "", "x\0"]) {
    const { Handshake, ScanDirectory } = starService;
    const server = new Server();
    server.addService(
      { Handshake, ScanDirectory },
      {
        Handshake: (_: unknown, respond: (error: null, value: unknown) => void) =>
          respond(null, create(HandshakeResponseSchema, { accepted: true, sessionId: "s" })),
        ScanDirectory: (call: { write(value: unknown): void; end(): void }) => {
          call.write(create(FileEntrySchema, { name, size: 1n }));
          call.end();
        },
      },
    );
    const { port, stop } = await listen({ grpc: server }, "127.0.0.1", 0);
    const from = { star: { url: `127.0.0.1:${port}`, token: "star" }, path: "/data" };
    await assert.rejects(replicateTree(nucleus, { ...order, from }), { code: "path_invalid" });
    await stop(0);
  }
  assert.deepEqual(b.events.told, []);
});
