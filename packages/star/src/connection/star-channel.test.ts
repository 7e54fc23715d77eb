import assert from "node:assert/strict";
import { once } from "node:events";
import { constants, createServer, type Http2Session, type ServerHttp2Stream } from "node:http2";
import { type AddressInfo, createServer as createTcpServer, type Socket } from "node:net";
import { type TestContext, test } from "node:test";
import { status } from "@grpc/grpc-js";
import { TlsIdentity } from "./credentials.ts";
import { StarChannel } from "./star-channel.ts";
import { parseStarUrl } from "./star-url.ts";

const grpc = { ":status": 200, "content-type": "application/grpc" };

/** A star that answers each call as this test says, and a channel to it. */
async function answering(t: TestContext, answer: (stream: ServerHttp2Stream) => void) {
  const server = createServer();
  const sessions: Http2Session[] = [];
  server.on("session", (session) => sessions.push(session));
  server.on("stream", (stream: ServerHttp2Stream) => {
    stream.on("error", () => undefined);
    stream.resume().on("end", () => answer(stream));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const channel = new StarChannel(parseStarUrl(`127.0.0.1:${port}`), new TlsIdentity());
  t.after(() => {
    channel.close();
    for (const session of sessions) session.destroy();
    server.close();
  });
  return { channel, sessions, port };
}

/** What a call comes to: the bytes of its messages, the status and its words. */
async function outcome(channel: StarChannel) {
  const pieces: Buffer[] = [];
  const { promise, resolve } = Promise.withResolvers<[status, string]>();
  channel.call(
    "/orbit.v1.StarService/ReadStream",
    Buffer.from("request"),
    {},
    {
      onPiece: (bytes) => pieces.push(bytes),
      onEnd: (code, details) => resolve([code, details]),
    },
  );
  const [code, details] = await promise;
  return { text: Buffer.concat(pieces).toString(), code: status[code], details };
}

function withTrailers(
  stream: ServerHttp2Stream,
  trailers: Record<string, string>,
  ...messages: string[]
): void {
  stream.respond(grpc, { waitForTrailers: true });
  stream.on("wantTrailers", () => stream.sendTrailers(trailers));
  for (const message of messages) {
    const head = Buffer.alloc(5);
    head.writeUInt32BE(message.length, 1);
    stream.write(Buffer.concat([head, Buffer.from(message)]));
  }
  stream.end();
}

test("A call ends with the status that its answer says, and its words in any script", async (t) => {
  const { channel } = await answering(t, (stream) =>
    withTrailers(stream, { "grpc-status": "7", "grpc-message": "%E4%B8%8D 100%" }, "one", "two"),
  );
  assert.deepEqual(await outcome(channel), { text: "onetwo", code: "PERMISSION_DENIED", details: "不 100%" });
});

test("A status without an answer, and a status that nobody knows, are taken too", async (t) => {
  const { channel } = await answering(t, (stream) =>
    stream.respond({ ...grpc, "grpc-status": "99", "grpc-message": "odd" }, { endStream: true }),
  );
  assert.deepEqual(await outcome(channel), { text: "", code: "UNKNOWN", details: "odd" });
});

test("What is no answer of gRPC comes to the status that HTTP's stands for, and its body is left alone", async (t) => {
  const { channel } = await answering(t, (stream) => {
    stream.respond({ ":status": 503, "content-type": "text/html" });
    stream.end("<h1>no</h1>");
  });
  const { text, code, details } = await outcome(channel);
  assert.deepEqual([text, code], ["", "UNAVAILABLE"]);
  assert.match(details, /503, text\/html/);
});

test("A stream that is reset, and one that ends without a status, come to statuses of gRPC", async (t) => {
  const resets = [
    [constants.NGHTTP2_REFUSED_STREAM, "UNAVAILABLE"],
    [constants.NGHTTP2_ENHANCE_YOUR_CALM, "RESOURCE_EXHAUSTED"],
    [constants.NGHTTP2_INTERNAL_ERROR, "INTERNAL"],
    [constants.NGHTTP2_NO_ERROR, "INTERNAL"],
  ] as const;
  const codes = resets.map(([code]) => code);
  const { channel } = await answering(t, (stream) => {
    const code = codes.shift() ?? constants.NGHTTP2_NO_ERROR;
    stream.respond(grpc);
    if (code === constants.NGHTTP2_NO_ERROR) stream.end();
    else stream.close(code);
  });
  for (const [, expected] of resets) assert.equal((await outcome(channel)).code, expected);
});

test("An answer that ends inside of a message is not whole, whatever its status says", async (t) => {
  const { channel } = await answering(t, (stream) => {
    stream.respond(grpc, { waitForTrailers: true });
    stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
    stream.end(Buffer.from([0, 0, 0, 0, 9, 1]));
  });
  assert.equal((await outcome(channel)).code, "INTERNAL");
});

test("Without a connection a call ends with UNAVAILABLE and why; the next call makes another one", async (t) => {
  const { channel, sessions } = await answering(t, (stream) => {
    if (sessions.length === 1) sessions[0]?.destroy();
    else withTrailers(stream, { "grpc-status": "0" }, "here");
  });
  assert.equal((await outcome(channel)).code, "UNAVAILABLE");
  assert.deepEqual(await outcome(channel), { text: "here", code: "OK", details: "" });
  assert.equal(sessions.length, 2);
  const nobody = new StarChannel(parseStarUrl("127.0.0.1:1"), new TlsIdentity());
  const { code, details } = await outcome(nobody);
  assert.equal(code, "UNAVAILABLE");
  assert.match(details, /ECONNREFUSED/);
});

test("A star that says goodbye is not asked again over that connection, and what is under way goes on", async (t) => {
  const { channel, sessions } = await answering(t, (stream) => {
    if (sessions.length === 1) sessions[0]?.goaway();
    setTimeout(() => withTrailers(stream, { "grpc-status": "0" }, `over ${sessions.length}`), 50);
  });
  const begun = outcome(channel);
  await new Promise((resolve) => setTimeout(resolve, 25));
  assert.equal((await outcome(channel)).code, "OK");
  assert.equal((await begun).code, "OK");
  assert.equal(sessions.length, 2);
});

test("Who is paused holds the star back, and loses nothing", async (t) => {
  let sent = 0;
  const message = "x".repeat(100_000);
  const { channel } = await answering(t, (stream) => {
    stream.respond(grpc, { waitForTrailers: true });
    stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
    const head = Buffer.alloc(5);
    head.writeUInt32BE(message.length, 1);
    const send = () => {
      for (; sent < 60; ) {
        sent += 1;
        if (!stream.write(Buffer.concat([head, Buffer.from(message)]))) {
          stream.once("drain", send);
          return;
        }
      }
      stream.end();
    };
    send();
  });
  let received = 0;
  const { promise, resolve } = Promise.withResolvers<status>();
  const call = channel.call(
    "/a/b",
    Buffer.alloc(0),
    {},
    {
      onPiece: (bytes) => {
        if (received === 0) {
          call.pause();
          setTimeout(() => {
            assert.ok(sent < 30, `${sent} messages were sent to who takes none`);
            call.resume();
          }, 300);
        }
        received += bytes.length;
      },
      onEnd: (code) => resolve(code),
    },
  );
  assert.equal(await promise, status.OK);
  assert.equal(received, 60 * message.length);
});

test("What came before the connection failed, and was not taken yet, is missed: the answer is not whole", async (t) => {
  const { channel, sessions } = await answering(t, (stream) => {
    withTrailers(stream, { "grpc-status": "0" }, ...Array.from({ length: 6 }, () => "x".repeat(60_000)));
    setTimeout(() => sessions[0]?.socket.resetAndDestroy(), 200);
  });
  const { promise, resolve } = Promise.withResolvers<status>();
  const call = channel.call(
    "/a/b",
    Buffer.alloc(0),
    {},
    {
      onPiece: () => {
        call.pause();
        setTimeout(() => call.resume(), 400).unref();
      },
      onEnd: (code) => resolve(code),
    },
  );
  assert.equal(await promise, status.UNAVAILABLE);
});

test("No text but a status of gRPC's, in an answer of gRPC's, says that all is well", async (t) => {
  const answers: [Record<string, string | number>, string][] = [
    [{ ...grpc, "grpc-status": "" }, "UNKNOWN"],
    [{ ...grpc, "grpc-status": "0x0" }, "UNKNOWN"],
    [{ ":status": 404, "content-type": "text/html", "grpc-status": "0" }, "UNIMPLEMENTED"],
    [{ ":status": 200, "content-type": "application/grpc-web", "grpc-status": "0" }, "UNKNOWN"],
    [{ ":status": 200, "content-type": "application/grpc+proto", "grpc-status": "0" }, "OK"],
    [{ ":status": 200, "content-type": "application/grpc;charset=utf-8", "grpc-status": "0" }, "OK"],
  ];
  const left = answers.values();
  const { channel } = await answering(t, (stream) => {
    stream.respond(left.next().value?.[0], { endStream: true });
  });
  for (const [headers, expected] of answers)
    assert.equal((await outcome(channel)).code, expected, JSON.stringify(headers));
});

test("A connection that says nothing is left when its calls are given up, and no socket of it stays open", async (t) => {
  const sockets = new Set<Socket>();
  const server = createTcpServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => undefined).on("close", () => sockets.delete(socket));
    socket.resume();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => server.close());
  const { port } = server.address() as AddressInfo;
  for (const scheme of ["http", "https"]) {
    const channel = new StarChannel(parseStarUrl(`${scheme}://127.0.0.1:${port}`), new TlsIdentity());
    for (let attempt = 0; attempt < 3; attempt++) {
      const ended = Promise.withResolvers<void>();
      const call = channel.call(
        "/a/b",
        Buffer.alloc(0),
        {},
        { onPiece: () => undefined, onEnd: () => ended.resolve() },
      );
      await new Promise((resolve) => setTimeout(resolve, 50));
      call.cancel(status.CANCELLED, "no more is wanted");
      await ended.promise;
    }
    channel.close();
  }
  const deadline = performance.now() + 5_000;
  while (sockets.size > 0 && performance.now() < deadline)
    await new Promise((resolve) => setTimeout(resolve, 10));
  assert.equal(sockets.size, 0);
});

test("A channel that is closed while it connects ends its calls, and nothing else", async (t) => {
  const { channel: _, port } = await answering(t, (stream) => stream.close());
  for (let round = 0; round < 60; round++) {
    const channel = new StarChannel(parseStarUrl(`127.0.0.1:${port}`), new TlsIdentity());
    const ended = outcome(channel);
    if (round % 2 === 0) await new Promise((resolve) => setImmediate(resolve));
    if (round % 3 === 0) await new Promise((resolve) => setTimeout(resolve, 1));
    channel.close();
    await ended;
  }
});
