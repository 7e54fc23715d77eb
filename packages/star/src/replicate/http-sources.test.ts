import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { create } from "@bufbuild/protobuf";
import { Server, type ServerWritableStream } from "@grpc/grpc-js";
import {
  type ReadStreamRequest,
  type ReadStreamResponse,
  ReadStreamResponseSchema,
  ReplicateRequestSchema,
} from "../../generated/orbit/v1/orbit_pb.js";
import { TlsIdentity } from "../connection/credentials.ts";
import { listen } from "../connection/listen.ts";
import { StarError } from "../errors.ts";
import { Jail } from "../jail/jail.ts";
import { Nucleus } from "../nucleus/nucleus.ts";
import { createStarServer } from "../server/star.ts";
import { starService } from "../service.ts";
import { Sessions } from "../sessions.ts";
import { TestAuthority } from "../test-authority.ts";
import { authSecret, notingEvents, startWholeStar } from "../test-star.ts";
import { mintTransferToken } from "../transfer-token.ts";
import { Replicator } from "./replicator.ts";
import type { SourceStream } from "./source.ts";
import { StarSources } from "./star-sources.ts";
import { realDisk, type TargetDisk } from "./target-disk.ts";

async function bytesOf(stream: SourceStream): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for (let message = await stream.next(); message !== null; message = await stream.next())
    pieces.push(Buffer.from(message.chunk));
  return Buffer.concat(pieces);
}

const whole = { offset: 0, length: 0 };

/** A port before a star: each connection is taken there, and may have one to the star. All end with the test. */
async function portBefore(
  t: TestContext,
  star: string,
  take: (socket: Socket, onward: () => Socket) => void,
): Promise<string> {
  const sockets = new Set<Socket>();
  const keep = (socket: Socket) => {
    sockets.add(socket.on("error", () => undefined));
    return socket;
  };
  const server = createServer((socket) =>
    take(keep(socket), () => keep(connect(Number(new URL(star).port), "127.0.0.1"))),
  );
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** Gives what it is told to each connection that begins like GET, and the others to a star. */
function between(
  t: TestContext,
  star: string,
  answer: (socket: Socket, head: string) => void,
): Promise<string> {
  return portBefore(t, star, (socket, toStar) => {
    socket.once("data", (first) => {
      const head = first.toString("latin1");
      if (head.startsWith("GET ")) return void answer(socket, head);
      const onward = toStar();
      onward.write(first);
      socket.pipe(onward).pipe(socket);
    });
  });
}

/** Leads to a star, and tells how many bytes came from it. */
function counting(t: TestContext, star: string, onBytes: (length: number) => void): Promise<string> {
  return portBefore(t, star, (socket, toStar) => {
    const onward = toStar().on("data", ({ length }) => onBytes(length));
    socket.pipe(onward).pipe(socket);
  });
}

/** Says that it would rather send by HTTP, and answers that so. */
async function saying(t: TestContext, answer: (socket: Socket, head: string) => void): Promise<string> {
  const grpc = new Server();
  const turn = (call: ServerWritableStream<ReadStreamRequest, ReadStreamResponse>) => {
    call.write(create(ReadStreamResponseSchema, { http: true }));
    call.end();
  };
  grpc.addService({ ReadStream: starService.ReadStream }, { ReadStream: turn });
  const { port, stop } = await listen({ grpc }, "127.0.0.1", 0);
  t.after(() => stop(0));
  return await between(t, `http://127.0.0.1:${port}`, answer);
}

function sourcesFor(t: TestContext, httpFrom = 1): StarSources {
  const sources = new StarSources({ httpFrom });
  t.after(() => sources[Symbol.asyncDispose]());
  return sources;
}

test("A large file goes by HTTP, and a small one by gRPC, also when it is known that the star serves HTTP", async (t) => {
  const [a, b] = [await startWholeStar(t), await startWholeStar(t)];
  const nucleus = new Nucleus({ authSecret });
  t.after(() => nucleus[Symbol.asyncDispose]());
  const bytes = randomBytes(5_000_000);
  for (const [name, content, isTurned] of [
    ["small", bytes.subarray(0, 1_000_000), false],
    ["large", bytes, true],
    ["smaller", bytes.subarray(0, 999_999), false],
    ["larger", bytes, true],
  ] as const) {
    writeFileSync(join(a.folder, name), content);
    const before = a.events.told.length;
    await nucleus.replicate({ from: a.at(name), to: b.at(name) });
    assert.ok(readFileSync(join(b.folder, name)).equals(content));
    const [turned, completed] = ["readTurned", "readCompleted"].map(
      (event) => a.events.told.slice(before).filter((line) => line.startsWith(event)).length,
    );
    assert.deepEqual([turned, completed], [isTurned ? 1 : 0, 1], name);
  }
});

test("A range of a known length is asked for by HTTP at once", async (t) => {
  const star = await startWholeStar(t);
  const path = join(star.folder, "file");
  const bytes = randomBytes(3_000_000);
  writeFileSync(path, bytes);
  const sources = sourcesFor(t, 1_000_000);
  const source = { url: star.address.url, path, token: mintTransferToken(authSecret, path) };
  for (const [offset, turns] of [
    [0, 1],
    [1_000_000, 0],
    [2_000_000, 0],
  ] as const) {
    const before = star.events.told.length;
    const range = { offset, length: 1_000_000 };
    assert.ok(
      (await bytesOf(sources.open(source, range))).equals(bytes.subarray(offset, offset + 1_000_000)),
    );
    const turned = star.events.told.slice(before).filter((line) => line.startsWith("readTurned"));
    assert.equal(turned.length, turns);
  }
});

test("Of a file that came to its last byte and was not finished nothing is sent again", async (t) => {
  const star = await startWholeStar(t);
  const bytes = randomBytes(5_000_000);
  writeFileSync(join(star.folder, "file"), bytes);
  let sent = 0;
  const url = await counting(t, star.address.url, (length) => (sent += length));
  const folder = mkdtempSync(join(tmpdir(), "catalyst-target-"));
  t.after(() => rmSync(folder, { recursive: true }));
  let isFull = true;
  const disk = {
    ...realDisk(),
    finish: async (...how: Parameters<TargetDisk["finish"]>) => {
      if (isFull) throw new StarError("disk_failed", "the disk says so");
      await realDisk().finish(...how);
    },
  };
  await using replicator = new Replicator({ jail: Jail.open([folder]), disk });
  const path = join(star.folder, "file");
  const replicate = () =>
    replicator.replicate(
      create(ReplicateRequestSchema, {
        ...{ sourceStarUrl: url, remotePath: path, localPath: "file", resume: true },
        transferToken: mintTransferToken(authSecret, path),
      }),
      new AbortController().signal,
    );
  await assert.rejects(replicate(), { code: "disk_failed" });
  assert.ok(sent > bytes.length);
  [isFull, sent] = [false, 0];
  const { resumed } = await replicate();
  assert.equal(resumed, bytes.length);
  assert.ok(sent < 100_000, `${sent} bytes`);
  assert.ok(readFileSync(join(folder, "file")).equals(bytes));
});

test("Where something between lets gRPC through alone the file comes by gRPC", async (t) => {
  const [a, b] = [await startWholeStar(t), await startWholeStar(t)];
  const nucleus = new Nucleus({ authSecret });
  t.after(() => nucleus[Symbol.asyncDispose]());
  const bytes = randomBytes(5_000_000);
  writeFileSync(join(a.folder, "file"), bytes);
  for (const [at, answer] of [
    (socket: Socket) => socket.destroy(),
    (socket: Socket) => socket.end("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"),
    (socket: Socket) => socket.end("SSH-2.0-x\r\n\r\n"),
  ].entries()) {
    const url = await between(t, a.address.url, answer);
    const from = { star: { url, token: "star" }, path: join(a.folder, "file") };
    await nucleus.replicate({ from, to: b.at(`${at}`) });
    assert.ok(readFileSync(join(b.folder, `${at}`)).equals(bytes));
  }
});

test("Where nobody answers by HTTP the next attempt is by gRPC", async (t) => {
  const star = await startWholeStar(t);
  const path = join(star.folder, "file");
  writeFileSync(path, randomBytes(1_000));
  const url = await between(t, star.address.url, () => undefined);
  const sources = sourcesFor(t);
  const source = { url, path, token: mintTransferToken(authSecret, path) };
  const silent = sources.open(source, whole);
  const asked = bytesOf(silent);
  await sleep(2_100);
  silent.cancel();
  await assert.rejects(asked);
  assert.equal((await bytesOf(sources.open(source, whole))).length, 1_000);
});

test("Where the token came from another address than the call's the next attempt is by gRPC", async (t) => {
  const star = await startWholeStar(t);
  const path = join(star.folder, "file");
  writeFileSync(path, randomBytes(1_000));
  const words = "token_reused: the token's jti belongs to another replication";
  const url = await between(t, star.address.url, (socket) =>
    socket.end(`HTTP/1.1 403 Forbidden\r\nContent-Length: ${words.length}\r\ngrpc-status: 7\r\n\r\n${words}`),
  );
  const sources = sourcesFor(t);
  const source = { url, path, token: mintTransferToken(authSecret, path) };
  await assert.rejects(bytesOf(sources.open(source, whole)), { status: 14 });
  assert.equal((await bytesOf(sources.open(source, whole))).length, 1_000);
});

test("Readers hear of it when their sources are closed", async (t) => {
  const url = await saying(t, (socket) =>
    socket.write('HTTP/1.1 200 OK\r\nContent-Length: 10\r\nETag: "00"\r\n\r\n1'),
  );
  const sources = new StarSources({ httpFrom: 1 });
  const reading = bytesOf(sources.open({ url, path: "file", token: "t" }, whole));
  await sleep(100);
  await sources[Symbol.asyncDispose]();
  await assert.rejects(reading, { code: "source_unreachable" });
});

test("Many slow readers get every byte of their files over TLS", async (t) => {
  const authority = await TestAuthority.create(t);
  const folder = mkdtempSync(join(tmpdir(), "catalyst-star-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const bytes = randomBytes(4_000_000);
  const path = join(folder, "file");
  writeFileSync(path, bytes);
  const { grpc, http } = createStarServer({
    ...{ jail: Jail.open([folder]), sessions: new Sessions({ token: "star" }), authSecret, version: "test" },
    events: notingEvents(),
    replicator: { replicate: () => Promise.reject(), batch: () => assert.fail() },
  });
  const tls = await authority.certify("star");
  const { port, stop } = await listen({ grpc, http }, "127.0.0.1", 0, { tls });
  t.after(() => stop(0));
  const identity = new TlsIdentity({ authoritiesFile: authority.authoritiesFile });
  const sources = new StarSources({ identity, httpFrom: 1 });
  t.after(() => sources[Symbol.asyncDispose]());
  const source = { url: `https://127.0.0.1:${port}`, path, token: mintTransferToken(authSecret, path) };
  const read = async () => {
    const stream = sources.open(source, whole);
    let at = 0;
    let count = 0;
    for (let message = await stream.next(); message !== null; message = await stream.next()) {
      if (++count % 3 === 0) await sleep(1);
      assert.ok(bytes.subarray(at, at + message.chunk.length).equals(message.chunk));
      at += message.chunk.length;
    }
    return at;
  };
  const all = await Promise.all(Array.from({ length: 12 }, read));
  assert.deepEqual(new Set(all), new Set([bytes.length]));
});

test("A source that sends by HTTP what nobody would have so is taken at its word no more than once", async (t) => {
  let asked = 0;
  const url = await saying(t, (socket) => {
    asked += 1;
    socket.end("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
  });
  const sources = sourcesFor(t);
  const open = () => bytesOf(sources.open({ url, path: "file", token: "t" }, whole));
  await assert.rejects(open());
  assert.equal((await open()).length, 0); // It says `http` again, and sends nothing.
  assert.equal(asked, 1);
});

test("A source that answers by HTTP and breaks its word is refused", async (t) => {
  const file = 'HTTP/1.1 200 OK\r\nContent-Length: 10\r\nETag: "00"\r\n\r\n';
  const cases: [(socket: Socket) => void, RegExp][] = [
    [(socket) => socket.end(`${file}12345`), /UNAVAILABLE|no connection/],
    [(socket) => socket.write(`${file}12345678901`), /sent more than it said/],
    [(socket) => socket.write("x".repeat(100_000)), /a head without an end/],
    [(socket) => socket.write("HTTP/1.1 200 OK\r\n\r\n"), /without a length/],
    [
      (socket) =>
        socket.write("HTTP/1.1 403 No\r\nContent-Length: 19\r\ngrpc-status: 7\r\n\r\ntoken_expired: late"),
      /^StarError: http.*: late$/,
    ],
  ];
  for (const [answer, words] of cases) {
    const url = await saying(t, answer);
    const sources = sourcesFor(t);
    await assert.rejects(bytesOf(sources.open({ url, path: "file", token: "t" }, whole)), words);
  }
});

test("Nothing of a path or a token ends a line of the request", async (t) => {
  const heads: string[] = [];
  const url = await saying(t, (socket, head) => {
    heads.push(head);
    socket.end();
  });
  const evil = "a\r\nX-Evil: 1\r\n\r\nGET / HTTP/1.1\r\n\ud800";
  const sources = sourcesFor(t);
  const read = (token: string) => bytesOf(sources.open({ url, path: evil, token }, { offset: 5, length: 6 }));
  await assert.rejects(read(evil), { code: "token_invalid" });
  await assert.rejects(read("t"));
  const [first = "", ...fields] = heads.join("").split("\r\n");
  assert.match(first, /^GET \/file\?path=a%0D%0AX-Evil%3A%201\S* HTTP\/1\.1$/);
  assert.deepEqual(fields, [
    `Host: ${new URL(url).host}`,
    "Authorization: Bearer t",
    "Range: bytes=5-10",
    "",
    "",
  ]);
});

test("Bytes stay as they came until the reader asks for the next, and a reader that rests holds the source back", async (t) => {
  const star = await startWholeStar(t);
  const bytes = randomBytes(64_000_000);
  const path = join(star.folder, "file");
  writeFileSync(path, bytes);
  const sources = sourcesFor(t);
  const source = { url: star.address.url, path, token: mintTransferToken(authSecret, path) };
  const stream = sources.open(source, whole);
  let at = 0;
  for (let message = await stream.next(); message !== null; message = await stream.next()) {
    // More comes meanwhile.
    if (at === 0) await sleep(300);
    else if (at % 5 === 0) await sleep(1);
    assert.ok(bytes.subarray(at, at + message.chunk.length).equals(message.chunk));
    at += message.chunk.length;
  }
  assert.equal(at, bytes.length);
  const given = sources.open(source, whole);
  await given.next();
  await sleep(300);
  assert.ok(
    !star.events.told.slice(-1).some((line) => line.startsWith("readCompleted")),
    "all was taken ahead",
  );
  given.cancel();
  await assert.rejects(given.next(), { code: "source_refused" });
});
