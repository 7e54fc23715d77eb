import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { appendFileSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { create } from "@bufbuild/protobuf";
import { ReadStreamRequestSchema } from "../../generated/orbit/v1/orbit_pb.js";
import { authSecret, startTestStar } from "../test-star.ts";
import { mintTransferToken } from "../transfer-token.ts";

type TestStar = Awaited<ReturnType<typeof startTestStar>>;

/** Asks a star for a file, with a token for it unless another one is given. */
function get(
  { url }: TestStar,
  path: string,
  { token = mintTransferToken(authSecret, path), range = "" } = {},
) {
  const headers = { authorization: `Bearer ${token}`, ...(range === "" ? {} : { range }) };
  return fetch(`${url}/file?path=${encodeURIComponent(path)}`, { headers });
}

function fileIn({ folder }: TestStar, name: string, bytes: Uint8Array): string {
  writeFileSync(join(folder, name), bytes);
  return join(folder, name);
}

test("A file is read by GET, whole or a range of it, with what tells of its change", async () => {
  await using star = await startTestStar();
  const bytes = randomBytes(3_000_000);
  const path = fileIn(star, "ä +?#%&.bin", bytes);
  const whole = await get(star, path);
  assert.deepEqual([whole.status, whole.headers.get("accept-ranges")], [200, "bytes"]);
  assert.ok(Buffer.from(await whole.arrayBuffer()).equals(bytes));
  const tag = whole.headers.get("etag");
  assert.match(tag ?? "", /^"[0-9a-f]{32}"$/);
  for (const [range, from, to] of [
    ["bytes=0-0", 0, 1],
    ["bytes=5-", 5, bytes.length],
    ["bytes=1000000-1999999", 1_000_000, 2_000_000],
    ["bytes=2999990-99999999999", 2_999_990, bytes.length],
  ] as const) {
    const part = await get(star, path, { range });
    assert.equal(part.status, 206, range);
    assert.equal(part.headers.get("content-range"), `bytes ${from}-${to - 1}/${bytes.length}`);
    assert.equal(part.headers.get("etag"), tag);
    assert.ok(Buffer.from(await part.arrayBuffer()).equals(bytes.subarray(from, to)), range);
  }
  for (const range of [
    "bytes=9-5",
    "bytes=5-4",
    "bytes=1-0",
    "bytes=-5",
    "bytes=0-1,4-5",
    "lines=1-2",
    "bytes=x-",
  ]) {
    const all = await get(star, path, { range });
    assert.deepEqual([all.status, (await all.arrayBuffer()).byteLength], [200, bytes.length], range);
  }
  assert.equal((await get(star, path, { range: `bytes=${"9".repeat(25)}-` })).status, 416);
  const onCondition = await fetch(`${star.url}/file?path=${encodeURIComponent(path)}`, {
    headers: {
      authorization: `Bearer ${mintTransferToken(authSecret, path)}`,
      range: "bytes=5-",
      "if-range": '"another"',
    },
  });
  assert.deepEqual([onCondition.status, (await onCondition.arrayBuffer()).byteLength], [200, bytes.length]);
  writeFileSync(path, bytes);
  assert.notEqual((await get(star, path, { range: "bytes=0-0" })).headers.get("etag"), tag);
});

test("An empty file is an answer without bytes, and a range of it none", async () => {
  await using star = await startTestStar();
  const path = fileIn(star, "empty", new Uint8Array());
  const whole = await get(star, path);
  assert.deepEqual([whole.status, (await whole.arrayBuffer()).byteLength], [200, 0]);
  assert.equal((await get(star, path, { range: "bytes=0-9" })).status, 416);
});

test("What ReadStream refuses GET refuses too, with the same status and words", async () => {
  await using star = await startTestStar();
  const path = fileIn(star, "file", randomBytes(100));
  mkdirSync(join(star.folder, "folder"));
  symlinkSync(path, join(star.folder, "link"));
  execFileSync("mkfifo", [join(star.folder, "fifo")]);
  const past = Math.floor(Date.now() / 1_000) - 7_200;
  const token = (of: string, secret = authSecret) => mintTransferToken(secret, of);
  const cases: [string, { token?: string; range?: string }, number, string][] = [
    [path, { token: "" }, 403, "token_invalid"],
    [path, { token: "a.b.c" }, 403, "token_invalid"],
    [path, { token: token(path, "another secret") }, 403, "token_invalid"],
    [path, { token: token(`${path}2`) }, 403, "token_mismatch"],
    [path, { token: mintTransferToken(authSecret, path, { now: past }) }, 403, "token_expired"],
    [join(star.folder, "none"), {}, 404, "path_missing"],
    [join(star.folder, "folder"), {}, 409, "file_wanted"],
    [join(star.folder, "link"), {}, 403, "path_outside"],
    [join(star.folder, "fifo"), {}, 403, "file_special"],
    ["/etc/passwd", {}, 403, "path_outside"],
    [`${star.folder}/../x`, {}, 403, "path_outside"],
    ["/dev/null", {}, 403, "path_outside"],
    [`${star.folder}/a\0b`, {}, 400, "path_invalid"],
    [`${star.folder}/${"n".repeat(5_000)}`, {}, 400, "path_invalid"],
    [path, { range: "bytes=101-" }, 416, "range_invalid"],
    [path, { range: "bytes=100-" }, 416, "range_invalid"],
  ];
  for (const [of, how, code, words] of cases) {
    const refused = await get(star, of, how);
    const said = await refused.text();
    assert.deepEqual([refused.status, said.split(":")[0]], [code, words], `${of} ${said}`);
    const request = create(ReadStreamRequestSchema, {
      path: of,
      transferToken: how.token ?? token(of),
      offset: BigInt(/\d+/.exec(how.range ?? "")?.[0] ?? 0),
    });
    if (how.range === "bytes=100-") continue; // An empty range is one without bytes there.
    await assert.rejects(
      Array.fromAsync(star.client.stream("ReadStream", request)),
      (error: { code: number; details: string }) => {
        assert.deepEqual(
          [String(error.code), error.details],
          [refused.headers.get("grpc-status"), said.trim()],
        );
        return true;
      },
    );
  }
  for (const [url, code] of [
    ["/", 404],
    ["/files", 404],
    ["/file", 400],
    ["//evil/file?path=x", 404],
  ] as const)
    assert.equal((await fetch(star.url + url)).status, code, url);
  assert.equal(
    (await fetch(`${star.url}/file?path=x`, { headers: { authorization: "Basic eA==" } })).status,
    403,
  );
});

test("A token's jti is one replication's by whichever way it is shown", async () => {
  await using star = await startTestStar();
  const [one, other] = [fileIn(star, "one", randomBytes(9)), fileIn(star, "other", randomBytes(9))];
  const jti = "j";
  const token = (path: string) => mintTransferToken(authSecret, path, { jti });
  assert.equal((await star.client.read({ path: one, transferToken: token(one) })).length, 1);
  assert.equal((await get(star, one, { token: token(one) })).status, 200);
  assert.match(await (await get(star, other, { token: token(other) })).text(), /^token_reused/);
});

test("A file that changes while it is read breaks off before its last bytes", async () => {
  await using star = await startTestStar();
  const path = fileIn(star, "file", randomBytes(40_000_000));
  const answer = await get(star, path);
  const reader = answer.body?.getReader();
  await reader?.read();
  appendFileSync(path, "more");
  await assert.rejects(async () => {
    while ((await reader?.read())?.done === false);
  });
  assert.ok(star.events.told.some((line) => line.startsWith(`readFailed ${path}`)));
});

test("Many answers follow each other over one connection, also after refusals", async (t) => {
  await using star = await startTestStar();
  const bytes = Buffer.alloc(300_000, "-");
  const path = fileIn(star, "file", bytes);
  const token = mintTransferToken(authSecret, path);
  const socket = connect(Number(new URL(star.url).port), "127.0.0.1");
  t.after(() => socket.destroy());
  let came = "";
  socket.setEncoding("latin1").on("data", (piece: string) => {
    came += piece;
  });
  const count = (words: string) => came.split(words).length - 1;
  const deadline = performance.now() + 10_000;
  for (let round = 1; round <= 5; round++) {
    for (const name of [path, "/none"])
      socket.write(
        `GET /file?path=${encodeURIComponent(name)} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${token}\r\n\r\n`,
      );
    while (count("token_mismatch:") < round || count("-".repeat(bytes.length)) < round) {
      assert.ok(performance.now() < deadline, came.replaceAll("-", ""));
      await sleep(5);
    }
  }
  assert.deepEqual([count("HTTP/1.1 200 OK"), count("HTTP/1.1 403 Forbidden")], [5, 5]);
});

test("What waits for a slow receiver is not written over", async () => {
  await using star = await startTestStar();
  const bytes = Buffer.alloc(48_000_000);
  for (let at = 0; at < bytes.length; at += 4_096) bytes.writeUInt32BE(at, at);
  const path = fileIn(star, "file", bytes);
  const read = async () => {
    const pieces: Uint8Array[] = [];
    for await (const piece of (await get(star, path)).body ?? []) {
      if (pieces.push(piece as Uint8Array) % 50 === 0) await sleep(5);
    }
    return Buffer.concat(pieces);
  };
  for (const came of await Promise.all([read(), read(), read()])) assert.ok(came.equals(bytes));
});

test("A receiver that takes nothing is given up, at the end of a file too, and one that goes away ends its reading", async (t) => {
  await using star = await startTestStar({ idleMs: 300 });
  const large = fileIn(star, "large", randomBytes(60_000_000));
  const ask = (path: string) => {
    const socket = connect(Number(new URL(star.url).port), "127.0.0.1");
    t.after(() => socket.destroy());
    const token = mintTransferToken(authSecret, path);
    socket.write(
      `GET /file?path=${encodeURIComponent(path)} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${token}\r\n\r\n`,
    );
    return socket;
  };
  const until = async (isSo: () => boolean) => {
    const deadline = performance.now() + 10_000;
    for (; !isSo(); await sleep(20)) assert.ok(performance.now() < deadline);
  };
  for (const goes of [false, true]) {
    const before = star.events.told.length;
    const socket = ask(large);
    await once(socket, "readable");
    if (goes) socket.destroy();
    await until(() => star.events.told.slice(before).some((line) => line.startsWith("readFailed")));
  }
  // So much that all of it is read, and not all finds room on the way.
  const resting = ask(fileIn(star, "some", randomBytes(6_500_000)));
  resting.pause();
  await sleep(1_500);
  resting.on("error", () => undefined).resume();
  const ended = once(resting, "close");
  await ended;
  assert.ok(resting.bytesRead < 6_500_000, `${resting.bytesRead}`);
});

test("Nonsense that begins like GET is answered or cut off, and harms nobody else", async () => {
  await using star = await startTestStar();
  const path = fileIn(star, "file", randomBytes(9));
  const port = Number(new URL(star.url).port);
  for (const nonsense of [
    "G",
    "GET\r\n\r\n",
    "GET /file HTTP/9.9\r\n\r\n",
    `GET /file?path=${"%41".repeat(20_000)} HTTP/1.1\r\nHost: x\r\n\r\n`,
    "GET http://[ HTTP/1.1\r\nHost: x\r\n\r\n",
    "GET * HTTP/1.1\r\nHost: x\r\n\r\n",
    "GET /file?path=%FF%00 HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello",
    "GET /file HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n",
  ]) {
    const socket = connect(port, "127.0.0.1");
    socket.end(nonsense);
    socket.resume();
    await once(socket, "close");
  }
  assert.equal((await get(star, path)).status, 200);
  assert.equal(
    (await star.client.read({ path, transferToken: mintTransferToken(authSecret, path) })).length,
    1,
  );
  assert.ok(!star.events.told.some((line) => line.startsWith("failed")), star.events.told.join("\n"));
});
