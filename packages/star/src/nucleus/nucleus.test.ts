import assert from "node:assert/strict";
import { hash, randomBytes } from "node:crypto";
import { existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { Server, status } from "@grpc/grpc-js";
import {
  FileEntrySchema,
  HandshakeResponseSchema,
  ReadHeaderResponseSchema,
  type ReplicateRequest,
  ReplicateResponseSchema,
} from "../../generated/orbit/v1/orbit_pb.js";
import { listen } from "../connection/listen.ts";
import { StarError } from "../errors.ts";
import type { SourceProvider } from "../replicate/source.ts";
import { StarSources } from "../replicate/star-sources.ts";
import { starService } from "../service.ts";
import { authSecret, slowedSources, startWholeStar } from "../test-star.ts";
import { Nucleus } from "./nucleus.ts";
import type { FileProgress } from "./replication.ts";

function nucleus(t: TestContext, secret = authSecret): Nucleus {
  const made = new Nucleus({ authSecret: secret });
  t.after(() => made[Symbol.asyncDispose]());
  return made;
}

/** A file at a star, and its SHA-256. */
function put({ folder }: { readonly folder: string }, name: string, bytes = randomBytes(300_000)) {
  writeFileSync(join(folder, name), bytes);
  return { bytes, checksum: hash("sha256", bytes) };
}

test("A file goes from star to star past the Nucleus, which says how long it was and its SHA-256", async (t) => {
  const [a, b] = [await startWholeStar(t), await startWholeStar(t)];
  const { bytes, checksum } = put(a, "file");
  const done = await nucleus(t).replicate({ from: a.at("file"), to: b.at("new/folder/file"), verify: true });
  assert.deepEqual(done, { bytes: 300_000, resumed: 0, checksum, relayed: 0 });
  assert.deepEqual(readFileSync(join(b.folder, "new/folder/file")), bytes);
});

test("Mode and time go along when they are given, and what is expected is held to", async (t) => {
  const [a, b] = [await startWholeStar(t), await startWholeStar(t)];
  const { checksum } = put(a, "file");
  const of = nucleus(t);
  const expectedChecksum = Buffer.from(checksum, "hex");
  await of.replicate({
    from: a.at("file"),
    to: b.at("file"),
    mode: 0o640,
    modifiedAt: 1_700_000_000,
    expectedSize: 300_000,
    expectedChecksum,
  });
  const stats = statSync(join(b.folder, "file"));
  assert.deepEqual([stats.mode & 0o777, stats.mtimeMs], [0o640, 1_700_000_000_000]);
  for (const wrong of [{ expectedSize: 300_001 }, { expectedChecksum: randomBytes(32) }]) {
    await assert.rejects(of.replicate({ from: a.at("file"), to: b.at("other"), ...wrong }), {
      status: status.DATA_LOSS,
    });
  }
  assert.ok(!existsSync(join(b.folder, "other")));
});

test("What a star refuses comes with its code, its status and the star that said it", async (t) => {
  const [a, b] = [await startWholeStar(t), await startWholeStar(t)];
  put(a, "file");
  const order = { from: a.at("file"), to: b.at("file") };
  const { PERMISSION_DENIED, NOT_FOUND, UNAUTHENTICATED, UNAVAILABLE } = status;
  const stranger = { ...b.at("file"), star: { ...b.address, token: "wrong" } };
  const nobody = { star: { url: "127.0.0.1:1", token: "star" }, path: "file" };
  const outside = { star: b.address, path: "../file" };
  const cases = [
    [{ ...order, to: stranger }, "star_refused", UNAUTHENTICATED, b],
    [{ ...order, from: a.at("none") }, "path_missing", NOT_FOUND, a],
    [{ ...order, to: outside }, "path_outside", PERMISSION_DENIED, b],
    [{ ...order, to: nobody }, "star_unreachable", UNAVAILABLE, { address: nobody.star }],
    [{ ...order, from: nobody, relay: "never" }, "source_unreachable", UNAVAILABLE, { address: nobody.star }],
  ] as const;
  for (const [given, code, of, { address }] of cases) {
    await assert.rejects(nucleus(t).replicate(given), (error: StarError) => {
      assert.deepEqual([error.code, error.status], [code, of], error.message);
      assert.equal(error.message.split(address.url).length, 2, error.message);
      assert.doesNotMatch(error.message, /NOT_FOUND|PERMISSION_DENIED|UNAVAILABLE|[a-z]+_[a-z]+: /);
      return true;
    });
  }
  await assert.rejects(nucleus(t, "another secret").replicate(order), { code: "token_invalid" });
  // By way of the Nucleus too: who is not reached is the source, not what stands in for it.
  await assert.rejects(nucleus(t).replicate({ ...order, from: nobody }), /^StarError: 127\.0\.0\.1:1: /);
});

test("Where the destination does not reach the source the Nucleus carries the bytes, and says so; not where it may not", async (t) => {
  const a = await startWholeStar(t);
  const reaching = new StarSources();
  const cut: SourceProvider = {
    open: (source, range) => {
      if (source.url !== a.address.url) return reaching.open(source, range);
      throw new StarError("source_unreachable", "no way there", { status: status.UNAVAILABLE });
    },
    [Symbol.asyncDispose]: () => reaching[Symbol.asyncDispose](),
  };
  const b = await startWholeStar(t, cut);
  const { checksum } = put(a, "file", randomBytes(5_000_000));
  const told: string[] = [];
  const order = { from: a.at("file"), to: b.at("file"), onRelay: (why: string) => told.push(why) };
  await assert.rejects(nucleus(t).replicate({ ...order, relay: "never" }), { status: status.UNAVAILABLE });
  assert.deepEqual(await nucleus(t).replicate(order), {
    bytes: 5_000_000,
    resumed: 0,
    checksum,
    relayed: 5_000_000,
  });
  assert.deepEqual(told, ["the destination does not reach the source"]);
});

test("A relay that is asked for carries the bytes, with ranges and resumption as the source has them", async (t) => {
  const [a, b] = [await startWholeStar(t), await startWholeStar(t)];
  const { checksum } = put(a, "file", randomBytes(1_000_000));
  const done = await nucleus(t).replicate({ from: a.at("file"), to: b.at("file"), relay: "always" });
  assert.deepEqual(done, { bytes: 1_000_000, resumed: 0, checksum, relayed: 1_000_000 });
  assert.ok(a.events.told.some((each) => each.startsWith("readCompleted")));
});

/** A star of the time before ReadStream and ReplicateFile: it lists folders and gives headers. */
async function oldStar(t: TestContext, bytes: Uint8Array) {
  const { Handshake, ScanDirectory, ReadHeader } = starService;
  const server = new Server();
  server.addService(
    { Handshake, ScanDirectory, ReadHeader },
    {
      Handshake: (_call: unknown, respond: (error: null, value: unknown) => void) =>
        respond(null, create(HandshakeResponseSchema, { accepted: true, sessionId: "old" })),
      ScanDirectory: (call: { request: { path: string }; write(value: unknown): void; end(): void }) => {
        if (["/data", "."].includes(call.request.path))
          call.write(create(FileEntrySchema, { name: "file", size: BigInt(bytes.length) }));
        call.end();
      },
      ReadHeader: (call: { request: { length: number } }, respond: (error: null, value: unknown) => void) =>
        respond(null, create(ReadHeaderResponseSchema, { data: bytes.subarray(0, call.request.length) })),
    },
  );
  const { port, stop } = await listen({ grpc: server }, "127.0.0.1", 0);
  t.after(() => stop(0));
  return { url: `127.0.0.1:${port}`, token: "star" };
}

test("A source that is too old for ReadStream is read by the Nucleus, and one of a destination that is too old is told", async (t) => {
  const b = await startWholeStar(t);
  const bytes = randomBytes(9_000_000);
  const old = { star: await oldStar(t, bytes), path: "/data/file" };
  for (const path of [old.path, "file"]) {
    const done = await nucleus(t).replicate({ from: { ...old, path }, to: b.at("file") });
    assert.deepEqual(done, {
      bytes: 9_000_000,
      resumed: 0,
      checksum: hash("sha256", bytes),
      relayed: 9_000_000,
    });
  }
  put(b, "other");
  await assert.rejects(nucleus(t).replicate({ from: b.at("other"), to: old }), { code: "star_outdated" });
});

test("Who wants to hear it is told how far a file is, with what was there before, and the answer is the same", async (t) => {
  const a = await startWholeStar(t);
  const b = await startWholeStar(t, slowedSources(40));
  const { checksum } = put(a, "file", randomBytes(4_000_000));
  const told: FileProgress[] = [];
  const order = { from: a.at("file"), to: b.at("file"), onProgress: (now: FileProgress) => told.push(now) };
  const done = await nucleus(t).replicate(order);
  assert.deepEqual(done, { bytes: 4_000_000, resumed: 0, checksum, relayed: 0 });
  assert.ok(told.length >= 2 && told.length <= 40, `${told.length} times`);
  for (const [at, { bytes, totalBytes }] of told.entries()) {
    assert.equal(totalBytes, 4_000_000);
    assert.ok(bytes > (told[at - 1]?.bytes ?? 0) && bytes <= 4_000_000);
  }
  await assert.rejects(nucleus(t).replicate({ ...order, from: a.at("none") }), { code: "path_missing" });
  const gone = new AbortController();
  const cut = { ...order, to: b.at("cut"), signal: gone.signal, onProgress: () => gone.abort() };
  await assert.rejects(nucleus(t).replicate(cut), { code: "cancelled" });
  const resumed: FileProgress[] = [];
  const going = {
    ...order,
    to: b.at("cut"),
    resume: true,
    onProgress: (now: FileProgress) => resumed.push(now),
  };
  const deadline = performance.now() + 5_000;
  while (b.events.told.filter((each) => each.startsWith("replicationFailed")).length < 2) {
    assert.ok(performance.now() < deadline);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  const { resumed: kept } = await nucleus(t).replicate(going);
  assert.ok(kept > 0 && (resumed[0]?.bytes ?? 0) > kept, `${kept}, then ${resumed[0]?.bytes}`);
});

/** A destination that knows none of our codes, and answers these words the first time. */
async function foreignDestination(t: TestContext, words: string) {
  const { Handshake, ReplicateFile } = starService;
  const server = new Server();
  type Respond = (error: null, value: unknown) => void;
  const urls: string[] = [];
  server.addService(
    { Handshake, ReplicateFile },
    {
      Handshake: (_: unknown, respond: Respond) =>
        respond(null, create(HandshakeResponseSchema, { accepted: true, sessionId: "s" })),
      ReplicateFile: ({ request }: { request: ReplicateRequest }, respond: Respond) => {
        urls.push(request.sourceStarUrl);
        const isFirst = urls.length === 1;
        respond(
          null,
          create(ReplicateResponseSchema, { success: !isFirst, errorMessage: isFirst ? words : "" }),
        );
      },
    },
  );
  const { port, stop } = await listen({ grpc: server }, "127.0.0.1", 0);
  t.after(() => stop(0));
  return { urls, at: { star: { url: `127.0.0.1:${port}`, token: "star" }, path: "/file" } };
}

test("A destination of another make is helped by what its words say, and told of where they say something else", async (t) => {
  const a = await startWholeStar(t);
  for (const words of ["Failed to connect to source", "source: unknown method ReadStream"]) {
    const { urls, at } = await foreignDestination(t, words);
    await nucleus(t).replicate({ from: a.at("file"), to: at });
    assert.equal(urls.length, 2);
    assert.notEqual(urls[1], a.address.url);
  }
  const { urls, at } = await foreignDestination(t, "disk on fire");
  await assert.rejects(nucleus(t).replicate({ from: a.at("file"), to: at }), {
    code: "star_failed",
    message: `${at.star.url}: disk on fire`,
  });
  assert.equal(urls.length, 1);
});

test("Bytes are taken from several stars that have the same file, and from none that has another one", async (t) => {
  const [a, b, c] = [await startWholeStar(t), await startWholeStar(t), await startWholeStar(t)];
  const { bytes, checksum } = put(a, "file", randomBytes(30_000_000));
  put(b, "copy", bytes);
  const expectedChecksum = Buffer.from(checksum, "hex");
  const order = { from: a.at("file"), sources: [b.at("copy")], to: c.at("file"), expectedChecksum };
  const done = await nucleus(t).replicate(order);
  assert.equal(done.checksum, checksum);
  for (const { events } of [a, b]) assert.ok(events.told.some((each) => each.startsWith("readAuthorised")));
  put(b, "copy");
  assert.equal((await nucleus(t).replicate(order)).checksum, checksum);
  const { expectedChecksum: _, ...unbound } = order;
  await assert.rejects(nucleus(t).replicate(unbound), { code: "content_mismatch", message: /copy$/ });
});

test("A command that is given up ends at the destination too, which keeps nothing under the final name", async (t) => {
  const [a, b] = [await startWholeStar(t), await startWholeStar(t)];
  put(a, "file", randomBytes(50_000_000));
  const gone = new AbortController();
  const replicating = nucleus(t).replicate({ from: a.at("file"), to: b.at("file"), signal: gone.signal });
  const deadline = performance.now() + 5_000;
  while (!a.events.told.some((each) => each.startsWith("readAuthorised")) && performance.now() < deadline) {
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  gone.abort();
  await assert.rejects(replicating, { code: "cancelled" });
  while (!b.events.told.some((each) => each.startsWith("replicationFailed"))) {
    assert.ok(performance.now() < deadline, "the destination goes on");
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  assert.ok(!existsSync(join(b.folder, "file")));
});
