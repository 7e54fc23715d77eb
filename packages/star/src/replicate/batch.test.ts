import assert from "node:assert/strict";
import { hash, randomBytes } from "node:crypto";
import { once } from "node:events";
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { type ServiceError, status } from "@grpc/grpc-js";
import {
  HandshakeRequestSchema,
  ReadFilesRequestSchema,
  type ReadFilesResponse,
  ReplicateFilesRequestSchema,
  type ReplicateFilesResponse,
  type ReplicateRequest,
  ReplicateRequestSchema,
} from "../../generated/orbit/v1/orbit_pb.js";
import { Jail } from "../jail/jail.ts";
import { authSecret, startTestStar, startWholeStar, TestClient, withStatus } from "../test-star.ts";
import { mintTransferToken } from "../transfer-token.ts";
import { Replicator, type ReplicatorParts } from "./replicator.ts";
import { grpcHost, TestSource } from "./test-source.ts";

type Wanted = MessageInitShape<typeof ReplicateRequestSchema>;

/** A source, a destination, and a caller with a session there. */
async function started(t: TestContext) {
  const [a, b] = [await startWholeStar(t), await startWholeStar(t)];
  const client = new TestClient(b.address.url.replace("http://", ""));
  t.after(() => client[Symbol.dispose]());
  const { sessionId } = await client.call("Handshake", create(HandshakeRequestSchema, { starToken: "star" }));
  const order = (name: string, wanted: Wanted = {}): Wanted => ({
    sourceStarUrl: a.address.url,
    remotePath: join(a.folder, name),
    localPath: join(b.folder, name),
    transferToken: mintTransferToken(authSecret, join(a.folder, name)),
    ...wanted,
  });
  const replicateFiles = (files: readonly Wanted[]): Promise<ReplicateFilesResponse[]> =>
    Array.fromAsync(
      client.stream("ReplicateFiles", create(ReplicateFilesRequestSchema, { files: [...files] })),
    );
  return { a, b, client, order, replicateFiles, begin: () => client.use(sessionId) };
}

const sha256 = (bytes: Uint8Array) => hash("sha256", bytes);

test("Files of a call come whole, and the source is asked for all of them at once", async (t) => {
  const { a, b, order, replicateFiles, begin } = await started(t);
  begin();
  const sizes = [0, 1, 4_096, 65_536, 65_537, 400_000, 3_000_000, 17];
  const files = sizes.map((size, at) => ({ name: `d/f${at}`, bytes: randomBytes(size) }));
  mkdirSync(join(a.folder, "d"));
  for (const { name, bytes } of files) writeFileSync(join(a.folder, name), bytes);
  const told = await replicateFiles(
    files.map(({ name, bytes }) => order(name, { expectedSize: BigInt(bytes.length) })),
  );
  assert.deepEqual(told.map(({ file }) => file).sort(), [...files.keys()]);
  for (const { file, answer } of told) {
    const { name, bytes } = files[file] as (typeof files)[number];
    assert.deepEqual([answer?.checksum, answer?.bytesTransferred], [sha256(bytes), BigInt(bytes.length)]);
    assert.ok(readFileSync(join(b.folder, name)).equals(bytes), name);
  }
  // A stream for each would have been a question for each, and their order by chance.
  const asked = a.events.told.filter((each) => each.startsWith("readRequested"));
  assert.deepEqual(
    asked,
    files.map(({ name }) => `readRequested ${join(a.folder, name)}`),
  );
});

test("A file of a call that cannot be replicated has the status that ReplicateFile has, and leaves the others alone", async (t) => {
  const { a, b, client, order, replicateFiles, begin } = await started(t);
  begin();
  for (const name of ["good", "short", "linked", "other", "last"]) writeFileSync(join(a.folder, name), name);
  mkdirSync(join(b.folder, "linked"));
  const orders = [
    order("good"),
    order("missing"),
    order("short", { expectedSize: 99n }),
    order("other", { transferToken: mintTransferToken("another secret", join(a.folder, "other")) }),
    order("linked"),
    order("good", { localPath: "/etc/passwd" }),
    order("good", { localPath: join(b.folder, "away"), sourceStarUrl: "ftp://nowhere" }),
    order("good", { localPath: join(b.folder, "x"), expectedChecksum: new Uint8Array(3) }),
    order("last"),
  ];
  const told = await replicateFiles(orders);
  assert.equal(told.length, orders.length);
  const expected = [
    status.OK,
    status.NOT_FOUND,
    status.DATA_LOSS,
    status.PERMISSION_DENIED,
    status.FAILED_PRECONDITION,
    status.PERMISSION_DENIED,
    status.INVALID_ARGUMENT,
    status.INVALID_ARGUMENT,
    status.OK,
  ];
  assert.deepEqual(
    told.toSorted((one, other) => one.file - other.file).map((each) => each.status),
    expected,
  );
  for (const [at, wanted] of orders.entries()) {
    const told = client.call("ReplicateFile", create(ReplicateRequestSchema, wanted));
    if (expected[at] === status.OK) await told;
    else await assert.rejects(told, withStatus(expected[at] as number));
  }
});

test("A call of more than a thousand files is refused before any of them is looked at", async (t) => {
  const { a, replicateFiles, begin } = await started(t);
  begin();
  const many = Array.from({ length: 1_001 }, () => ({}));
  await assert.rejects(replicateFiles(many), withStatus(status.INVALID_ARGUMENT));
  using source = new TestClient(a.address.url.replace("http://", ""));
  const read = source.stream("ReadFiles", create(ReadFilesRequestSchema, { files: many }));
  await assert.rejects(Array.fromAsync(read), withStatus(status.INVALID_ARGUMENT));
  assert.ok(!a.events.told.some((each) => each.startsWith("readRequested")));
});

test("ReplicateFiles needs a session, and ReadFiles a token for each file", async (t) => {
  const { a, order, replicateFiles } = await started(t);
  await assert.rejects(replicateFiles([order("file")]), withStatus(status.UNAUTHENTICATED));
  writeFileSync(join(a.folder, "file"), "bytes");
  const path = join(a.folder, "file");
  const files = [
    { path, transferToken: "none" },
    { path, transferToken: mintTransferToken(authSecret, path) },
    { path: `${a.folder}/../etc`, transferToken: mintTransferToken(authSecret, `${a.folder}/../etc`) },
  ];
  using source = new TestClient(a.address.url.replace("http://", ""));
  const told: ReadFilesResponse[] = await Array.fromAsync(
    source.stream("ReadFiles", create(ReadFilesRequestSchema, { files })),
  );
  assert.deepEqual(
    told.map((each) => [
      each.file,
      each.status,
      each.isLast,
      Buffer.from(each.message?.chunk ?? []).toString(),
    ]),
    [
      [0, status.PERMISSION_DENIED, true, ""],
      [1, status.OK, true, "bytes"],
      [2, status.PERMISSION_DENIED, true, ""],
    ],
  );
  assert.match(told[0]?.details ?? "", /^token_invalid: /);
});

/** A destination over a folder of its own that is commanded without a star in front of it. */
function destination(
  t: TestContext,
  sources: ReplicatorParts["sources"],
  options: NonNullable<ReplicatorParts["options"]> = {},
) {
  const folder = mkdtempSync(join(tmpdir(), "catalyst-batch-"));
  const replicator = new Replicator({ jail: Jail.open([folder]), options, ...(sources ? { sources } : {}) });
  t.after(async () => {
    await replicator[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true });
  });
  return { folder, replicator };
}

test("A source that knows no ReadFiles is asked for each file alone", async (t) => {
  await using host = grpcHost();
  const { folder, replicator } = destination(t, host.provider);
  const source = new TestSource(randomBytes(9_000));
  const { url, path, token } = await host.add(source);
  const requests = ["one", "two", "three"].map((localPath, at) =>
    create(ReplicateRequestSchema, {
      ...{ sourceStarUrl: url, remotePath: path, localPath, transferToken: `${token}${at}` },
    }),
  );
  using batch = replicator.batch(requests);
  const done = await Promise.all(
    requests.map((_, file) => batch.replicate(file, new AbortController().signal)),
  );
  assert.deepEqual(new Set(done.map(({ checksum }) => checksum)), new Set([sha256(source.bytes)]));
  assert.ok(existsSync(join(folder, "three")));
});

test("Files that nobody takes hold up none of those behind them, however many", {
  timeout: 15_000,
}, async (t) => {
  const { a, b, order, replicateFiles, begin } = await started(t);
  begin();
  const names = Array.from({ length: 200 }, (_, at) => `f${at}`);
  for (const name of names) writeFileSync(join(a.folder, name), randomBytes(200_000));
  for (const name of names.slice(0, 150)) mkdirSync(join(b.folder, name));
  const told = await replicateFiles(names.map((name) => order(name)));
  assert.equal(told.filter((each) => each.status === status.FAILED_PRECONDITION).length, 150);
  assert.equal(told.filter((each) => each.answer?.success).length, 50);
});

/** A way to a star that can be cut: who comes again afterwards gets through. It rests so many ms after each piece of what the star says. */
async function wayTo(t: TestContext, url: string, restMs = 0) {
  const sockets = new Set<Socket>();
  const server = createServer((here) => {
    const there = connect(Number(new URL(url).port), "127.0.0.1");
    for (const socket of [here, there]) {
      sockets.add(socket);
      socket.on("error", () => undefined);
    }
    here.pipe(there).pipe(here);
    there.on("data", () => {
      if (restMs === 0) return;
      there.pause();
      setTimeout(() => there.resume(), restMs);
    });
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const cut = () => {
    for (const socket of sockets) socket.destroy();
    sockets.clear();
  };
  t.after(() => {
    cut();
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, cut };
}

/** So many files of 100 KB, by their names. */
function fill(folder: string, count: number): readonly string[] {
  const names = Array.from({ length: count }, (_, at) => `f${at}`);
  for (const name of names) writeFileSync(join(folder, name), randomBytes(100_000));
  return names;
}

function orderOf(sourceStarUrl: string, name: string): ReplicateRequest {
  const transferToken = mintTransferToken(authSecret, name);
  return create(ReplicateRequestSchema, { sourceStarUrl, remotePath: name, localPath: name, transferToken });
}

test("A source that goes down in the middle of a batch is tried again, file by file", {
  timeout: 30_000,
}, async (t) => {
  await using source = await startTestStar();
  const way = await wayTo(t, source.url);
  const { folder, replicator } = destination(t, undefined);
  const names = fill(source.folder, 40);
  const requests = names.map((name) => orderOf(way.url, name));
  using batch = replicator.batch(requests);
  const signal = new AbortController().signal;
  for (const file of names.slice(0, 5).keys()) await batch.replicate(file, signal);
  way.cut();
  for (const file of names.keys()) if (file >= 5) await batch.replicate(file, signal);
  for (const name of names)
    assert.ok(readFileSync(join(folder, name)).equals(readFileSync(join(source.folder, name))), name);
});

test("On a slow line files wait for those before them in their batch, and none is asked for again", async (t) => {
  await using source = await startTestStar();
  const way = await wayTo(t, source.url, 40);
  const { folder, replicator } = destination(t, undefined, { silentMs: 500 });
  const names = fill(source.folder, 20);
  const requests = names.map((name) => orderOf(way.url, name));
  using batch = replicator.batch(requests);
  const began = performance.now();
  await Promise.all(requests.map((_, file) => batch.replicate(file, new AbortController().signal)));
  assert.ok(performance.now() - began > 600, "nobody waited for long");
  assert.equal(readdirSync(folder).length, names.length);
  assert.equal(source.events.told.filter((each) => each.startsWith("readRequested")).length, names.length);
});

test("A file that changes while it is read ends with ABORTED, and those behind it come", async () => {
  await using source = await startTestStar({ chunkBytes: 4_096 });
  const names = ["before", "changing", "behind"];
  for (const name of names) writeFileSync(join(source.folder, name), randomBytes(2_000_000));
  const files = names.map((path) => ({ path, transferToken: mintTransferToken(authSecret, path) }));
  const ends = new Map<number, number>();
  const stream = source.client.stream("ReadFiles", create(ReadFilesRequestSchema, { files }));
  for await (const { file, isLast, status: code } of stream as AsyncIterable<ReadFilesResponse>) {
    if (file === 1 && !ends.has(-1)) {
      ends.set(-1, 0);
      appendFileSync(join(source.folder, "changing"), "more");
    }
    if (isLast) ends.set(file, code);
  }
  assert.deepEqual([ends.get(0), ends.get(1), ends.get(2)], [status.OK, status.ABORTED, status.OK]);
});

test("Who gives up a batch ends what it began: no stream stays, and what stands is whole", async (t) => {
  const { a, b, client, order, begin } = await started(t);
  begin();
  const names = Array.from({ length: 100 }, (_, at) => `f${at}`);
  for (const name of names) writeFileSync(join(a.folder, name), randomBytes(200_000));
  const files = names.map((name) => order(name));
  const call = client.stream("ReplicateFiles", create(ReplicateFilesRequestSchema, { files }));
  await assert.rejects(
    (async () => {
      for await (const _ of call as AsyncIterable<ReplicateFilesResponse>) call.cancel();
    })(),
    (error: ServiceError) => error.code === status.CANCELLED,
  );
  const deadline = performance.now() + 5_000;
  const ended = () => {
    const begun = b.events.told.filter((each) => each.startsWith("replicationStarted")).length;
    const over = b.events.told.filter((each) => /^replication(Completed|Failed)/.test(each)).length;
    return begun === over && begun < names.length;
  };
  while (!ended()) {
    assert.ok(performance.now() < deadline, b.events.told.slice(-5).join("\n"));
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  for (const name of readdirSync(b.folder).filter((name) => !name.startsWith(".orbit-")))
    assert.ok(readFileSync(join(b.folder, name)).equals(readFileSync(join(a.folder, name))), name);
});
