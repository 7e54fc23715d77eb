import assert from "node:assert/strict";
import { hash, randomBytes } from "node:crypto";
import { mkdirSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { status } from "@grpc/grpc-js";
import { blake3 } from "hash-wasm";
import {
  HandshakeRequestSchema,
  HashRequestSchema,
  ReadHeaderRequestSchema,
  ReadStreamRequestSchema,
  ReplicateRequestSchema,
  ScanRequestSchema,
} from "../../generated/orbit/v1/orbit_pb.js";
import { authSecret, startTestStar, TestClient, withStatus } from "../test-star.ts";
import { mintTransferToken } from "../transfer-token.ts";

const handshake = (starToken: string) => create(HandshakeRequestSchema, { starToken });

/** A star with a file, and a caller that has a session. */
async function started(parts: Parameters<typeof startTestStar>[0] = {}) {
  const star = await startTestStar(parts);
  const { sessionId } = await star.client.call("Handshake", handshake("star"));
  star.client.use(sessionId);
  const bytes = randomBytes(200_000);
  const path = join(star.folder, "file.bin");
  writeFileSync(path, bytes);
  return { star, bytes, path, token: mintTransferToken(authSecret, path) };
}

test("A wrong token is answered with accepted = false, and the right one with a session of the caller's own", async () => {
  await using star = await startTestStar();
  assert.deepEqual(
    await star.client
      .call("Handshake", handshake("wrong"))
      .then(({ accepted, sessionId }) => [accepted, sessionId]),
    [false, ""],
  );
  const [one, other] = [
    await star.client.call("Handshake", handshake("star")),
    await star.client.call("Handshake", handshake("star")),
  ];
  assert.ok(one.accepted && other.accepted && one.sessionId !== other.sessionId);
});

test("Every call but Handshake and ReadStream needs a session", async () => {
  await using star = await startTestStar();
  const { client } = star;
  const path = "file.bin";
  for (const session of [null, "", "made-up"]) {
    if (session !== null) client.use(session);
    const refused = withStatus(status.UNAUTHENTICATED);
    await assert.rejects(client.call("ReadHeader", create(ReadHeaderRequestSchema, { path })), refused);
    await assert.rejects(client.call("CalculateHash", create(HashRequestSchema, { path })), refused);
    await assert.rejects(
      client.call("ReplicateFile", create(ReplicateRequestSchema, { localPath: path })),
      refused,
    );
    await assert.rejects(
      Array.fromAsync(client.stream("ScanDirectory", create(ScanRequestSchema, { path }))),
      refused,
    );
  }
});

test("ReadStream gives a file of 200 KB in chunks of 64 KiB, and says in the first how long it is", async () => {
  const { star, bytes, path, token } = await started();
  await using _ = star;
  const messages = await star.client.read({ path, transferToken: token });
  assert.deepEqual(
    messages.map(({ chunk }) => chunk.length),
    [65_536, 65_536, 65_536, 3_392],
  );
  assert.deepEqual(Buffer.concat(messages.map(({ chunk }) => chunk)), bytes);
  assert.deepEqual([messages[0]?.offset, messages[0]?.totalSize], [0n, 200_000n]);
  assert.deepEqual(
    messages.slice(1).map(({ offset, totalSize }) => offset ?? totalSize),
    [undefined, undefined, undefined],
  );
  assert.deepEqual(star.events.told.slice(1), [
    `readRequested ${path}`,
    `readAuthorised ${path}`,
    `readCompleted ${path} 200000`,
  ]);
});

test("ReadStream gives the range that was asked for, cut off at the end, and refuses one behind it", async () => {
  const { star, bytes, path, token } = await started();
  await using _ = star;
  for (const [offset, length, from, to] of [
    [0n, 1n, 0, 1],
    [65_535n, 65_537n, 65_535, 131_072],
    [199_999n, 0n, 199_999, 200_000],
    [100n, 2n ** 63n, 100, 200_000],
    [200_000n, 0n, 200_000, 200_000],
  ] as const) {
    const messages = await star.client.read({ path, transferToken: token, offset, length });
    assert.deepEqual(
      Buffer.concat(messages.map(({ chunk }) => chunk)),
      bytes.subarray(from, to),
      `${offset} ${length}`,
    );
    assert.deepEqual([messages[0]?.offset, messages[0]?.totalSize], [offset, 200_000n]);
  }
  await assert.rejects(
    star.client.read({ path, transferToken: token, offset: 200_001n }),
    withStatus(status.OUT_OF_RANGE),
  );
});

test("A bad, expired, other file's or other issuer's token is PERMISSION_DENIED, and nothing of the file is looked at", async () => {
  const { star, path, token } = await started();
  await using _ = star;
  const old = Math.floor(Date.now() / 1_000) - 3_700;
  const refused = [
    ["", path],
    ["nonsense", path],
    [`${token}x`, path],
    [mintTransferToken("other secret", path), path],
    [mintTransferToken(authSecret, path, { now: old }), path],
    [token, `${star.folder}/other.bin`],
    [mintTransferToken(authSecret, "/etc/passwd"), "/etc/passwd"],
  ] as const;
  for (const [transferToken, asked] of refused) {
    await assert.rejects(
      star.client.read({ path: asked, transferToken }),
      withStatus(status.PERMISSION_DENIED),
      asked,
    );
  }
  assert.equal(star.events.told.filter((each) => each.startsWith("readAuthorised")).length, 1);
});

test("A token's jti is one replication: again and in parallel from the same place, not for another expiry", async () => {
  const { star, path } = await started();
  await using _ = star;
  const transferToken = mintTransferToken(authSecret, path, { jti: "one" });
  await Promise.all([0n, 100n, 1_000n].map((offset) => star.client.read({ path, transferToken, offset })));
  const copied = mintTransferToken(authSecret, path, { jti: "one", lifeSeconds: 7_200 });
  await assert.rejects(
    star.client.read({ path, transferToken: copied }),
    withStatus(status.PERMISSION_DENIED),
  );
});

test("Escapes are refused by ReadStream and by the calls of a session alike", async () => {
  const { star } = await started();
  await using _ = star;
  symlinkSync("/etc", join(star.folder, "way"));
  symlinkSync("/etc/passwd", join(star.folder, "link"));
  const cases = [
    ["../../etc/passwd", status.PERMISSION_DENIED],
    ["/etc/passwd", status.PERMISSION_DENIED],
    ["way/passwd", status.PERMISSION_DENIED],
    ["link", status.PERMISSION_DENIED],
    ["a\0b", status.INVALID_ARGUMENT],
    ["n".repeat(5_000), status.INVALID_ARGUMENT],
    [".orbit-0123456789abcdef.part", status.INVALID_ARGUMENT],
    ["sub/.orbit-0123456789abcdef.log", status.INVALID_ARGUMENT],
    ["missing", status.NOT_FOUND],
    [".", status.FAILED_PRECONDITION],
  ] as const;
  for (const [path, code] of cases) {
    const transferToken = mintTransferToken(authSecret, path);
    await assert.rejects(star.client.read({ path, transferToken }), withStatus(code));
    await assert.rejects(
      star.client.call("ReadHeader", create(ReadHeaderRequestSchema, { path, length: 1 })),
      withStatus(code),
    );
    await assert.rejects(
      star.client.call("CalculateHash", create(HashRequestSchema, { path })),
      withStatus(code),
    );
  }
});

test("A path that is longer than a refusal's words is refused like another one", async () => {
  const { star } = await started();
  await using _ = star;
  for (const before of ["", "x", "xx"]) {
    const path = `${before}${`${"😀".repeat(62)}/`.repeat(14)}file`;
    const asked = star.client.call("ReadHeader", create(ReadHeaderRequestSchema, { path, length: 1 }));
    await assert.rejects(asked, withStatus(status.NOT_FOUND));
  }
});

test("A folder is listed with files and folders and nothing else", async () => {
  const { star } = await started();
  await using _ = star;
  mkdirSync(join(star.folder, "sub"));
  symlinkSync("file.bin", join(star.folder, "link"));
  for (const kind of ["part", "log"]) writeFileSync(join(star.folder, `.orbit-0123456789abcdef.${kind}`), "");
  for (const path of [star.folder, ".", "/./".replace("/./", `${star.folder}/./`)]) {
    const entries = await Array.fromAsync(
      star.client.stream("ScanDirectory", create(ScanRequestSchema, { path })),
    );
    assert.deepEqual(entries.map(({ name, size, isDir }) => [name, size, isDir]).sort(), [
      ["file.bin", 200_000n, false],
      ["sub", 0n, true],
    ]);
    const age = Date.now() / 1_000 - Number(entries[0]?.modifiedAtTs);
    assert.ok(age >= 0 && age < 60, `${age} s`);
  }
});

test("ReadHeader gives the first bytes, and CalculateHash the BLAKE3 digest of a range", async () => {
  const { star, bytes, path } = await started();
  await using _ = star;
  const header = (length: number) =>
    star.client.call("ReadHeader", create(ReadHeaderRequestSchema, { path, length }));
  for (const length of [0, 16, 500_000])
    assert.deepEqual(Buffer.from((await header(length)).data), bytes.subarray(0, length));
  await assert.rejects(header(1024 * 1024 + 1), withStatus(status.INVALID_ARGUMENT));
  for (const [offset, length, to] of [
    [0n, 0n, 200_000],
    [100n, 100_000n, 100_100],
    [7n, 0n, 200_000],
  ] as const) {
    const { hash: digest } = await star.client.call(
      "CalculateHash",
      create(HashRequestSchema, { path, offset, length }),
    );
    assert.deepEqual(
      Buffer.from(digest),
      Buffer.from(await blake3(bytes.subarray(Number(offset), to)), "hex"),
    );
  }
});

test("A receiver that reads slowly gets everything", async () => {
  const { star, path } = await started();
  await using _ = star;
  const bytes = randomBytes(8_000_000);
  writeFileSync(path, bytes);
  const digest = hash("sha256", bytes);
  const stream = star.client.stream(
    "ReadStream",
    create(ReadStreamRequestSchema, { path, transferToken: mintTransferToken(authSecret, path) }),
  );
  const chunks: Uint8Array[] = [];
  for await (const { chunk } of stream) {
    chunks.push(chunk);
    if (chunks.length % 20 === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  }
  assert.equal(hash("sha256", Buffer.concat(chunks)), digest);
});

test("A file that shrinks or is written to while it is read ends with ABORTED, and never as if it were whole", async () => {
  for (const change of [
    (path: string) => truncateSync(path, 1_000),
    (path: string) => writeFileSync(path, randomBytes(30_000_000)),
  ]) {
    const { star, path } = await started();
    await using _ = star;
    writeFileSync(path, randomBytes(30_000_000));
    const stream = star.client.stream(
      "ReadStream",
      create(ReadStreamRequestSchema, { path, transferToken: mintTransferToken(authSecret, path) }),
    );
    let isFirst = true;
    const reading = (async () => {
      for await (const _message of stream) {
        if (isFirst) change(path);
        isFirst = false;
      }
    })();
    await assert.rejects(reading, withStatus(status.ABORTED));
  }
});

test("A receiver that is gone, and one that takes nothing, leave no file open", async () => {
  const { star, path, token } = await started({ idleMs: 50 });
  await using _ = star;
  truncateSync(path, 50_000_000);
  const request = create(ReadStreamRequestSchema, { path, transferToken: token });
  const left = star.client.stream("ReadStream", request).on("error", () => {});
  left.once("data", () => left.cancel());
  const idle = star.client.stream("ReadStream", request).on("error", () => {});
  idle.once("data", () => idle.pause());
  const deadline = performance.now() + 5_000;
  const failed = () => star.events.told.filter((each) => each.startsWith("readFailed"));
  while (failed().length < 2 && performance.now() < deadline)
    await new Promise((resolve) => setTimeout(resolve, 10));
  assert.equal(failed().length, 2, star.events.told.join("\n"));
  idle.cancel();
  using other = new TestClient(star.url.slice("http://".length));
  const messages = await other.read({ path, transferToken: token, length: 10n });
  assert.equal(messages[0]?.chunk.length, 10);
});

test("CalculateHash of an empty file is the published digest of nothing", async () => {
  const { star, path } = await started();
  await using _ = star;
  writeFileSync(path, "");
  const { hash: digest } = await star.client.call("CalculateHash", create(HashRequestSchema, { path }));
  const published = "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262";
  assert.equal(Buffer.from(digest).toString("hex"), published);
});
