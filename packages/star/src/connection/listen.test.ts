import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { ChannelCredentials, Client, Server } from "@grpc/grpc-js";
import { listen } from "./listen.ts";

const same = (bytes: Buffer): Buffer => bytes;
const echo = {
  path: "/test/Echo",
  requestStream: false,
  responseStream: false,
  requestSerialize: same,
  requestDeserialize: same,
  responseSerialize: same,
  responseDeserialize: same,
} as const;

/** A port with a call that answers what it is asked after so long, and files that answer "file" after as long. */
async function serving(t: TestContext, afterMs = 0) {
  const grpc = new Server();
  grpc.addService(
    { Echo: echo },
    {
      Echo: (call: { request: Buffer }, respond: (error: null, answer: Buffer) => void) =>
        void sleep(afterMs).then(() => respond(null, call.request)),
    },
  );
  const { port, stop } = await listen(
    { grpc, http: (_, response) => void sleep(afterMs).then(() => response.end("file")) },
    "127.0.0.1",
    0,
  );
  t.after(() => stop(0));
  const client = new Client(`127.0.0.1:${port}`, ChannelCredentials.createInsecure());
  t.after(() => client.close());
  const ask = (bytes: Buffer) =>
    new Promise<Buffer>((resolve, reject) =>
      client.makeUnaryRequest(echo.path, same, same, bytes, (error, answer) =>
        error === null ? resolve(answer as Buffer) : reject(error),
      ),
    );
  const get = async () => await (await fetch(`http://127.0.0.1:${port}/`)).text();
  return { port, stop, ask, get };
}

test("gRPC and HTTP/1.1 are served at one port, however their first bytes come", async (t) => {
  const { port, ask, get } = await serving(t);
  const answers = [ask(Buffer.from("a")), get(), ask(Buffer.from("b")), get()];
  assert.deepEqual((await Promise.all(answers)).map(String), ["a", "file", "b", "file"]);
  const socket = connect(port, "127.0.0.1");
  for (const byte of "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n") {
    socket.write(byte);
    await sleep(1);
  }
  assert.match((await socket.setEncoding("utf8").toArray()).join(""), /^HTTP\/1\.1 200 [\s\S]*file/);
});

test("A port that stops takes nobody new, lets what is under way end, and drops who rests", async (t) => {
  const { port, stop, ask, get } = await serving(t, 200);
  const silent = connect(port, "127.0.0.1");
  await once(silent, "connect");
  const dropped = once(silent, "close");
  silent.on("error", () => undefined);
  const answers = Promise.all([ask(Buffer.from("a")), get()]);
  await sleep(100);
  const began = performance.now();
  const stopped = stop(10_000);
  assert.deepEqual((await answers).map(String), ["a", "file"]);
  await Promise.all([stopped, dropped]);
  assert.ok(performance.now() - began < 5_000);
  await assert.rejects(get());
});

test("Who connects and leaves without a word is let go at once", async (t) => {
  const { port } = await serving(t);
  const mute = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
  await once(mute, "connect");
  mute.end();
  const began = performance.now();
  await once(mute.resume(), "end");
  assert.ok(performance.now() - began < 5_000);
  mute.destroy();
});

test("Who is still under way when a port's patience ends is cut off", async (t) => {
  const { stop, ask, get } = await serving(t, 5_000);
  const answers = Promise.allSettled([ask(Buffer.from("a")), get()]);
  await sleep(100);
  const began = performance.now();
  await stop(100);
  assert.deepEqual(
    (await answers).map(({ status }) => status),
    ["rejected", "rejected"],
  );
  assert.ok(performance.now() - began < 2_000);
});

test("A port that is taken, or no address of this machine, is a clear error", async (t) => {
  const { port } = await serving(t);
  const again = (host: string) => listen({ grpc: new Server() }, host, port);
  await assert.rejects(again("127.0.0.1"), {
    code: "listen_failed",
    message: `127.0.0.1:${port} cannot be listened at: something listens there already`,
  });
  await assert.rejects(again("192.0.2.1"), { code: "listen_failed", message: /no address of this machine/ });
});

test("A port for gRPC alone says that there are no files", async (t) => {
  const grpc = new Server();
  const { port, stop } = await listen({ grpc }, "127.0.0.1", 0);
  t.after(() => stop(0));
  assert.equal((await fetch(`http://127.0.0.1:${port}/file?path=x`)).status, 404);
});
