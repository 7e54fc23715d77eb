import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { after, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { verifyAudit } from "@catalyst/evidence";
import {
  type Connection,
  connectRpc,
  contentContract,
  getBytes,
  type JobStatus,
  putBytes,
  socketPath,
} from "@catalyst/rpc";

// A content process of its own, on real sockets and a real disk.

const folder = mkdtempSync(join(tmpdir(), "catalyst-content-"));
const running = new Set<ChildProcess>();
after(() => {
  for (const child of running) child.kill("SIGKILL");
  rmSync(folder, { recursive: true });
});

type Content = { readonly dataDir: string; readonly socketPath: string; readonly child: ChildProcess };

let made = 0;

async function start(content: object = {}, dataDir = join(folder, String(made++))): Promise<Content> {
  const source = (name: string) => JSON.stringify(join(import.meta.dirname, name));
  const configuration = { node: {}, content, telemetry: { listen: "off" } };
  const program = `
    const { loadConfig } = await import("@catalyst/config");
    const { nodeConfig } = await import(${source("../options.ts")});
    const { runContent } = await import(${source("content.ts")});
    const text = ${JSON.stringify(JSON.stringify(configuration))};
    await runContent(loadConfig(nodeConfig, { file: { path: "c.json", text } }).value, ${JSON.stringify(dataDir)});
  `;
  const child = spawn(process.execPath, ["--input-type=module", "--eval", program], {
    cwd: import.meta.dirname,
    stdio: ["ignore", "ignore", "pipe"],
  });
  running.add(child);
  child.once("exit", () => running.delete(child));
  let words = "";
  child.stderr.on("data", (text) => {
    words += text;
  });
  for (let left = 200; !words.includes("process started"); left--) {
    assert.ok(left > 0 && child.exitCode === null, words);
    await sleep(50);
  }
  return { dataDir, socketPath: socketPath(dataDir, "content"), child };
}

async function kill({ child }: Content): Promise<void> {
  child.kill("SIGKILL");
  await once(child, "exit");
}

const connect = ({ socketPath }: Content) => connectRpc(socketPath, contentContract);

async function readAll(bytes: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  for await (const piece of bytes) pieces.push(piece);
  return Buffer.concat(pieces);
}

function makeBytes(length: number, seed = 1): Buffer {
  const bytes = Buffer.alloc(length);
  for (let at = 0, value = seed; at < length; at++) {
    value = (value * 1_103_515_245 + 12_345) & 0x7fffffff;
    bytes[at] = value >> 16;
  }
  return bytes;
}

async function ended(
  { call }: Connection<typeof contentContract>,
  job: Parameters<Connection<typeof contentContract>["call"]["startJob"]>[0],
): Promise<JobStatus> {
  const { jobId } = await call.startJob(job);
  for (;;) {
    const status = await call.job({ jobId, waitMs: 1_000 });
    if (status.state !== "running") return status;
  }
}

test("bytes that are put come back, whole and in ranges, by CID, SHA-256 and name", async () => {
  const content = await start();
  const { socketPath } = content;
  for (const size of [0, 1, 16_384, 16_385, 65_536, 1_000_000]) {
    const bytes = makeBytes(size);
    const put = await putBytes({ socketPath, bytes: [bytes], namespace: "acme", name: `app/${size}` });
    assert.deepEqual([put.sizeBytes, put.addedBytes], [size, size]);
    for (const object of [put.cid, `sha256:${put.sha256}`, `app/${size}`]) {
      const got = await getBytes({ socketPath, object, namespace: "acme" });
      assert.deepEqual([got.cid, got.sizeBytes, got.lengthBytes], [put.cid, size, size]);
      assert.deepEqual(await readAll(got.bytes), bytes);
    }
    if (size < 2) continue;
    const part = await getBytes({ socketPath, object: put.cid, range: { start: size - 2, end: size - 1 } });
    assert.deepEqual(await readAll(part.bytes), bytes.subarray(size - 2, size - 1));
    assert.equal(part.sizeBytes, size);
  }
  await kill(content);
});

test("a file that is put in chunks comes back, and what two files have in common is stored once", async () => {
  const content = await start();
  const { socketPath } = content;
  const file = makeBytes(3_000_000);
  const changed = Buffer.concat([file.subarray(0, 1_500_000), Buffer.from("!"), file.subarray(1_500_000)]);
  const first = await putBytes({ socketPath, bytes: [file], name: "one", chunked: "true" });
  assert.ok((first.chunks ?? 0) > 5);
  assert.equal(first.addedBytes, file.length);
  const second = await putBytes({ socketPath, bytes: [changed], name: "two", chunked: "true" });
  assert.ok(second.addedBytes < 2_000_000, String(second.addedBytes));
  assert.deepEqual(await readAll((await getBytes({ socketPath, object: "two" })).bytes), changed);
  const part = await getBytes({ socketPath, object: "two", range: { start: 1_499_999, end: 1_500_002 } });
  assert.deepEqual([part.cid, part.sizeBytes, part.lengthBytes], [second.cid, changed.length, 3]);
  assert.deepEqual(await readAll(part.bytes), changed.subarray(1_499_999, 1_500_002));
  const manifest = await getBytes({ socketPath, object: "two", manifest: "true" });
  assert.ok(manifest.sizeBytes < 10_000);
  await readAll(manifest.bytes);
  const other = putBytes({ socketPath, bytes: [file], expected: second.cid, chunked: "true" });
  await assert.rejects(other, { code: "content_mismatch" });
  await kill(content);
});

test("what is refused is told with its code, and leaves nothing behind", async () => {
  const content = await start({ quotas: [{ namespace: "small", maxBytes: 100_000 }] });
  const { socketPath } = content;
  const put = (bytes: Iterable<Uint8Array>, more: object = {}) => putBytes({ socketPath, bytes, ...more });
  const { cid } = await put([makeBytes(10)]);
  const many = () => Array.from({ length: 400 }, (_, at) => makeBytes(65_536, at));
  await assert.rejects(put(many(), { namespace: "small" }), { code: "quota_exceeded" });
  await assert.rejects(put(many(), { expected: cid }), { code: "content_mismatch" });
  await assert.rejects(put(many(), { expected: "nonsense" }), { code: "invalid_request" });
  await assert.rejects(put(many(), { namespace: "No Such" }), { code: "invalid_request" });
  await assert.rejects(put([], { name: cid }), { code: "invalid_request" });
  await assert.rejects(getBytes({ socketPath, object: "nothing" }), { code: "object_not_found" });
  await assert.rejects(getBytes({ socketPath, object: cid, range: { start: 10 } }), {
    code: "range_invalid",
  });
  using connection = await connect(content);
  const { call } = connection;
  await assert.rejects(call.setQuota({ namespace: "small", maxBytes: null }), { code: "invalid_request" });
  await assert.rejects(call.startJob({ kind: "verify", object: "nothing" }), { code: "object_not_found" });
  const place = await ended(connection, { kind: "place", object: cid, dataShards: 2, parityShards: 1 });
  assert.deepEqual([place.state, place.failure?.code], ["failed", "too_few_devices"]);
  const more = { kind: "place", object: cid, dataShards: 30, parityShards: 3 } as const;
  await assert.rejects(call.startJob(more), { code: "invalid_request" });
  const { details } = await call.status(undefined);
  assert.deepEqual([details.objects, details.bytes], [1, 10]);
  assert.equal((await call.list({})).length, 1);
  await kill(content);
});

test("a client that leaves in the middle leaves nothing behind, on its way in or out", async () => {
  const content = await start();
  const { socketPath } = content;
  const asked = request({ socketPath, path: "/objects", method: "PUT" });
  asked.on("error", () => {});
  asked.write(makeBytes(3_000_000));
  await sleep(100);
  asked.destroy();
  const { cid } = await putBytes({ socketPath, bytes: [makeBytes(20_000_000, 2)] });
  const got = await getBytes({ socketPath, object: cid });
  for await (const _ of got.bytes) break;
  using connection = await connect(content);
  for (let left = 100; ; left--) {
    const files = readdirSync(join(content.dataDir, "content/objects"), { recursive: true });
    if (files.filter((name) => String(name).endsWith(".data")).length === 1) break;
    assert.ok(left > 0, files.join());
    await sleep(20);
  }
  assert.equal((await connection.call.status(undefined)).details.objects, 1);
  await kill(content);
});

test("what was acknowledged is there after kill -9, each with its receipt in a log that holds together", async () => {
  let content = await start();
  const { dataDir } = content;
  const acknowledged: { cid: string; receipt: string }[] = [];
  for (let round = 0; round < 3; round++) {
    const { socketPath } = content;
    const puts = Array.from({ length: 40 }, async (_, at) => {
      const bytes = [makeBytes(50_000, round * 100 + at)];
      const put = await putBytes({ socketPath, bytes, name: `o${at}` }).catch(() => null); // cut off by the kill
      if (put !== null) acknowledged.push(put);
    });
    for (let left = 10_000; acknowledged.length < (round + 1) * 10; left--) {
      assert.ok(left > 0);
      await sleep(1);
    }
    await kill(content);
    await Promise.all(puts);
    content = await start({}, dataDir);
  }
  assert.ok(acknowledged.length > 0);
  for (const { cid } of acknowledged) {
    const got = await getBytes({ socketPath: content.socketPath, object: cid });
    assert.equal((await readAll(got.bytes)).length, 50_000);
  }
  const { receipts } = await verifyAudit(join(dataDir, "audit/content"));
  assert.ok(receipts >= acknowledged.length);
  await kill(content);
});

test("a damaged leaf is never given, is named by verify and scrub, and restored where the object is placed", async () => {
  const devices = ["a", "b", "c"].map((name) => ({ name, folder: join(folder, `device-${name}`) }));
  for (const device of devices) mkdirSync(device.folder);
  const content = await start({ devices });
  const { socketPath, dataDir } = content;
  using connection = await connect(content);
  const bytes = makeBytes(1_000_000);
  const { cid } = await putBytes({ socketPath, bytes: [bytes], name: "app" });
  const placed = await ended(connection, { kind: "place", object: "app", dataShards: 2, parityShards: 1 });
  assert.deepEqual([placed.state, placed.failure], ["done", null]);
  assert.match(String(placed.receipt), /^bafi/);
  const files = readdirSync(join(dataDir, "content/objects"), { recursive: true }).map(String);
  const path = join(dataDir, "content/objects", files.find((name) => name.endsWith(".data")) ?? "");
  const spoiled = readFileSync(path);
  spoiled[3 * 65_536 + 5] = (spoiled[3 * 65_536 + 5] ?? 0) ^ 1;
  writeFileSync(path, spoiled);
  const got = await getBytes({ socketPath, object: "app" });
  await assert.rejects(readAll(got.bytes), { code: "disconnected" });
  await assert.rejects(getBytes({ socketPath, object: "app", range: { start: 200_000 } }), {
    code: "object_damaged",
  });
  const verified = await ended(connection, { kind: "verify", object: "app" });
  const found = { cid, part: "data", firstLeaf: 3, leaves: 1 };
  assert.ok(verified.result?.kind === "verify");
  assert.deepEqual(verified.result.damage, [found]);
  assert.deepEqual((await connection.call.status(undefined)).state, "degraded");
  const scrubbed = await ended(connection, { kind: "scrub", maxBytesPerSecond: 1_000_000_000 });
  assert.ok(scrubbed.result?.kind === "scrub");
  assert.deepEqual([scrubbed.result.damage, scrubbed.result.repaired], [[found], 1]);
  assert.deepEqual(await readAll((await getBytes({ socketPath, object: "app" })).bytes), bytes);
  const failed = (await connection.call.check(undefined)).filter(({ outcome }) => outcome === "failed");
  assert.deepEqual(failed, []);
  await kill(content);
});

test("a scrub that finds a damaged record, which cannot be repaired, leaves its receipt", async () => {
  const device = { name: "a", folder: join(folder, "device-record") };
  mkdirSync(device.folder);
  const before = await start({ devices: [device] });
  const { cid } = await putBytes({ socketPath: before.socketPath, bytes: [makeBytes(100_000)], name: "app" });
  {
    using connection = await connect(before);
    await ended(connection, { kind: "place", object: "app", dataShards: 1, parityShards: 0 });
  }
  await kill(before);
  const database = new DatabaseSync(join(before.dataDir, "content/store.db"));
  database.exec("UPDATE object SET seal = x'00'");
  database.close();
  const content = await start({ devices: [device] }, before.dataDir);
  using connection = await connect(content);
  const scrubbed = await ended(connection, { kind: "scrub", maxBytesPerSecond: 1_000_000_000 });
  assert.deepEqual([scrubbed.state, scrubbed.failure], ["done", null]);
  assert.match(String(scrubbed.receipt), /^bafi/);
  const damage = [{ cid, part: "record", firstLeaf: 0, leaves: 0 }];
  assert.deepEqual(scrubbed.result?.kind === "scrub" && scrubbed.result.damage, damage);
  await kill(content);
});

test("objects that nothing keeps are collected, and the space comes back; what is named or pinned stays", async () => {
  const content = await start();
  const { socketPath } = content;
  using connection = await connect(content);
  const { call } = connection;
  const named = await putBytes({ socketPath, bytes: [makeBytes(100_000, 1)], name: "kept" });
  const pinned = await putBytes({ socketPath, bytes: [makeBytes(100_000, 2)], pin: "hot" });
  const loose = await putBytes({ socketPath, bytes: [makeBytes(100_000, 3)] });
  const explained = await call.explain({ subject: "object", name: loose.cid });
  assert.match(explained.result, /nothing keeps it/);
  assert.equal((await call.explain({ subject: "object", name: "kept" })).result, "kept");
  await sleep(5);
  const first = await ended(connection, { kind: "gc", graceMs: 0 });
  assert.ok(first.result?.kind === "gc");
  assert.deepEqual([first.result.removed, first.result.kept], [1, 2]);
  await assert.rejects(call.stat({ object: loose.cid }), { code: "object_not_found" });
  assert.equal((await call.unlink({ name: "kept" })).cid, named.cid);
  await call.unpin({ object: pinned.cid });
  await assert.rejects(call.unpin({ object: pinned.cid }), { code: "object_not_found" });
  await sleep(5);
  await ended(connection, { kind: "gc", graceMs: 0 });
  const { details } = await call.status(undefined);
  assert.deepEqual([details.objects, details.bytes], [0, 0]);
  assert.ok(details.collectedAt !== null);
  await kill(content);
});

test("metrics tell of objects, bytes and what was found", async () => {
  const content = await start();
  const { socketPath } = content;
  await putBytes({ socketPath, bytes: [makeBytes(1_000)] });
  const metrics = await new Promise<string>((resolve, reject) => {
    const asked = request({ socketPath, path: "/metrics" }, (response) => {
      readAll(response).then((body) => resolve(body.toString()), reject);
    });
    asked.on("error", reject).end();
  });
  assert.match(metrics, /^catalyst_content_objects 1$/m);
  assert.match(metrics, /^catalyst_content_bytes 1000$/m);
  assert.match(metrics, /^catalyst_content_puts_total\{new="true"\} 1$/m);
  await kill(content);
});
