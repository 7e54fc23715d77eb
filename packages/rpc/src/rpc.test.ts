import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import type { Logger } from "@catalyst/telemetry";
import { newWebSocketRpcSession } from "capnweb";
import { WebSocket } from "ws";
import { z } from "zod";
import { connectRpc } from "./connection.ts";
import { defineContract, defineMethod } from "./contract.ts";
import { RpcError } from "./errors.ts";
import { keepConnected } from "./link.ts";
import { processMethods } from "./process.ts";
import { serveRpc } from "./server.ts";

const folder = mkdtempSync(join(tmpdir(), "catalyst-rpc-"));
after(() => rmSync(folder, { recursive: true }));
let sockets = 0;
const freshSocket = () => join(folder, `${sockets++}.sock`);

const silent = { warn() {}, error() {}, info() {}, debug() {} } as unknown as Logger;

const contract = defineContract({
  name: "test",
  versions: [2, 1],
  methods: {
    ...processMethods(z.object({ calls: z.int() })),
    double: defineMethod(z.object({ value: z.int() }), z.object({ value: z.int() })),
    wrong: defineMethod(z.undefined(), z.object({ value: z.int() })),
    refuse: defineMethod(z.undefined(), z.undefined()),
    crash: defineMethod(z.undefined(), z.undefined()),
    never: defineMethod(z.undefined(), z.undefined()),
  },
});

function serve(socketPath: string, name = "test", drain: () => Promise<undefined> = async () => undefined) {
  return serveRpc({
    socketPath,
    process: "gateway",
    release: "1.2.3",
    contract: { ...contract, name },
    logger: silent,
    http: (incoming, response) => {
      if (incoming.url === "/crash") throw new TypeError("a defect");
      if (incoming.url !== "/healthz") return false;
      response.end("ok");
      return true;
    },
    implementation: {
      status: () => ({
        process: "gateway",
        release: "1.2.3",
        pid: process.pid,
        startedAt: new Date().toISOString(),
        state: "ready" as const,
        reasons: [],
        details: { calls: 1 },
      }),
      check: () => [],
      explain: () => {
        throw new RpcError("not_explainable", "nothing to explain here");
      },
      drain,
      double: ({ value }) => ({ value: value * 2 }),
      wrong: () => ({ value: "seven" }) as unknown as { value: number },
      refuse: () => {
        throw new RpcError("service_not_found", "no service is called x");
      },
      crash: () => {
        throw new TypeError("a defect");
      },
      never: () => new Promise<undefined>(() => undefined),
    },
  });
}

const rejectsWith =
  (code: string, pattern = /./) =>
  (error: unknown) => {
    assert.ok(error instanceof RpcError);
    assert.equal(error.code, code);
    assert.match(error.message, pattern);
    return true;
  };

test("a call is answered, and the connection says who answers", async () => {
  const path = freshSocket();
  await using server = await serve(path);
  using connection = await connectRpc(path, contract);
  assert.deepEqual(await connection.call.double({ value: 21 }), { value: 42 });
  assert.equal(connection.peer.pid, process.pid);
  assert.equal(connection.peer.release, "1.2.3");
  assert.equal(server.connections(), 1);
});

test("the socket is open to its owner alone, and is removed when the server ends", async () => {
  const path = freshSocket();
  const server = await serve(path);
  assert.equal(statSync(path).mode & 0o777, 0o600);
  await server[Symbol.asyncDispose]();
  assert.equal(existsSync(path), false);
});

test("an error of the callee crosses the socket with its code; a defect crosses as internal", async () => {
  const path = freshSocket();
  await using _ = await serve(path);
  using connection = await connectRpc(path, contract);
  await assert.rejects(connection.call.refuse(undefined), rejectsWith("service_not_found", /called x/));
  await assert.rejects(connection.call.crash(undefined), rejectsWith("internal", /a defect/));
  await assert.rejects(connection.call.wrong(undefined), rejectsWith("internal", /does not fit/));
});

test("the caller's own mistake is refused before it is sent", async () => {
  const path = freshSocket();
  await using _ = await serve(path);
  using connection = await connectRpc(path, contract);
  await assert.rejects(connection.call.double({ value: 1.5 }), rejectsWith("invalid_request"));
});

test("the callee checks what a foreign caller sends", async () => {
  const path = freshSocket();
  await using _ = await serve(path);
  const socket = new WebSocket(`ws+unix://${path}:/rpc`);
  await once(socket, "open");
  const session = newWebSocketRpcSession(socket as unknown as globalThis.WebSocket) as unknown as Record<
    string,
    (input: unknown) => Promise<unknown>
  >;
  const answered = await session["double"]?.({ value: "7", extra: { constructor: 1 } });
  assert.partialDeepStrictEqual(answered, { ok: false, code: "invalid_request" });
  assert.match((answered as { message: string }).message, /^value [^\n✖]+$/);
  await assert.rejects(async () => session["unlisted"]?.(undefined));
  socket.close();
});

test("bytes that are no message end that connection and no other", async () => {
  const path = freshSocket();
  await using _ = await serve(path);
  using good = await connectRpc(path, contract);
  const bad = new WebSocket(`ws+unix://${path}:/rpc`);
  await once(bad, "open");
  bad.on("error", () => undefined);
  bad.send("[[[[not a message");
  await once(bad, "close");
  assert.deepEqual(await good.call.double({ value: 1 }), { value: 2 });
});

test("processes without a common interface version refuse each other and say why", async () => {
  const path = freshSocket();
  await using _ = await serve(path);
  await assert.rejects(
    connectRpc(path, { ...contract, versions: [9] }),
    rejectsWith("version_unsupported", /speaks test 2, 1.*asked for test 9/),
  );
  await assert.rejects(connectRpc(path, { ...contract, name: "other" }), rejectsWith("version_unsupported"));
});

test("a call that is not answered in time ends with timeout", async () => {
  const path = freshSocket();
  await using _ = await serve(path);
  using connection = await connectRpc(path, contract);
  await assert.rejects(connection.call.never(undefined, { timeoutMs: 30 }), rejectsWith("timeout", /30 ms/));
});

test("a call ends with disconnected when the process goes away", async () => {
  const path = freshSocket();
  const server = await serve(path);
  using connection = await connectRpc(path, contract);
  const pending = assert.rejects(connection.call.never(undefined), rejectsWith("disconnected"));
  await server[Symbol.asyncDispose]();
  await pending;
  await connection.closed;
});

test("a call that ends the process is answered before the socket closes", async () => {
  const socket = freshSocket();
  const ending = Promise.withResolvers<undefined>();
  const server = await serve(socket, "test", () => ending.promise);
  using connection = await connectRpc(socket, contract);
  const drained = connection.call.drain(undefined);
  await connection.call.double({ value: 1 }); // so that the other one has arrived
  ending.resolve(undefined);
  await server[Symbol.asyncDispose]();
  assert.equal(await drained, undefined);
  await connection.closed;
});

test("where nobody listens the caller is told so", async () => {
  await assert.rejects(connectRpc(freshSocket(), contract), rejectsWith("unreachable"));
});

test("a live process keeps its socket; a dead one's is taken over", async () => {
  const path = freshSocket();
  {
    await using _ = await serve(path);
    await assert.rejects(serve(path), rejectsWith("socket_in_use"));
  }
  const code = `require("node:net").createServer().listen(${JSON.stringify(path)}, () => console.log("up"))`;
  const child = spawn(process.execPath, ["-e", code], { stdio: ["ignore", "pipe", "inherit"] });
  await once(child.stdout, "data");
  child.kill("SIGKILL");
  await once(child, "exit");
  assert.equal(existsSync(path), true);
  await using _ = await serve(path);
  using connection = await connectRpc(path, contract);
  assert.deepEqual(await connection.call.double({ value: 2 }), { value: 4 });
});

test("plain HTTP is served on the same socket, and a defect in it ends one connection, not the process", async () => {
  const path = freshSocket();
  await using _ = await serve(path);
  const get = async (url: string) => {
    const call = request({ socketPath: path, path: url }).end();
    const [response] = await once(call, "response");
    response.resume();
    return response.statusCode as number;
  };
  assert.equal(await get("/healthz"), 200);
  assert.equal(await get("/elsewhere"), 404);
  await assert.rejects(get("/crash"), { code: "ECONNRESET" });
  assert.equal(await get("/healthz"), 200);
});

test("a link connects again when the process returns, and ends with its signal", async () => {
  const path = freshSocket();
  const stop = new AbortController();
  const answers: number[] = [];
  let failures = 0;
  const link = keepConnected(
    path,
    contract,
    { signal: stop.signal, minDelayMs: 5, maxDelayMs: 20, onFailure: () => failures++ },
    async ({ call }) => {
      answers.push((await call.double({ value: answers.length })).value);
    },
  );
  for (let round = 0; round < 3; round++) {
    await using _ = await serve(path);
    while (answers.length <= round) await new Promise((resolve) => setTimeout(resolve, 5));
  }
  stop.abort();
  await link;
  assert.deepEqual(answers, [0, 2, 4]);
  assert.ok(failures >= 2);
});
