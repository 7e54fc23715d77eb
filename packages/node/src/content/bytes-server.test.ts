import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { putBytes, socketPath } from "@catalyst/rpc";
import { createLogger, createMetrics } from "@catalyst/telemetry";
import { createBytesServer } from "./bytes-server.ts";
import { type ContentEvents, createContentEvents } from "./events.ts";
import type { ObjectService } from "./object-service.ts";

const folder = mkdtempSync(join(tmpdir(), "catalyst-bytes-"));
const running = new Set<ChildProcess>();
after(() => {
  for (const child of running) child.kill("SIGKILL");
  rmSync(folder, { recursive: true });
});

function silentEvents(): ContentEvents {
  return createContentEvents(createLogger({ process: "content", level: "silent" }), createMetrics());
}

/** A content process that serves its operations endpoints over TCP too. */
async function start(): Promise<{ child: ChildProcess; socketPath: string; telemetry: string }> {
  const dataDir = mkdtempSync(join(folder, "d-"));
  const source = (name: string) => JSON.stringify(join(import.meta.dirname, name));
  const program = `
    const { loadConfig } = await import("@catalyst/config");
    const { nodeConfig } = await import(${source("../options.ts")});
    const { runContent } = await import(${source("content.ts")});
    const flags = [{ flag: "--telemetry-listen", value: "127.0.0.1:0" }];
    await runContent(loadConfig(nodeConfig, { flags }).value, ${JSON.stringify(dataDir)});
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
  const telemetry = /"telemetry":"([^"]+)"/.exec(words)?.[1] ?? "";
  return { child, socketPath: socketPath(dataDir, "content"), telemetry };
}

/** What is answered to a request as it is, up to the end of the connection. */
async function ask(path: string, request: string): Promise<string> {
  const socket = connect(path);
  let answer = "";
  socket.on("data", (bytes) => {
    answer += bytes;
  });
  socket.write(request);
  await once(socket, "close");
  return answer;
}

test("objects are put and got on the socket of the process's owner, and never over TCP", async () => {
  const { socketPath, telemetry } = await start();
  await putBytes({ socketPath, bytes: [Buffer.from("ours")], name: "ours" });
  for (const init of [{}, { method: "PUT", body: "theirs" }]) {
    const answer = await fetch(`http://${telemetry}/objects?object=ours`, init);
    assert.equal(answer.status, 404);
    await answer.text();
  }
  assert.equal((await fetch(`http://${telemetry}/healthz`)).status, 200);
});

test("a method, or a target, that is not served is refused, and ends nothing", async () => {
  const { socketPath, child } = await start();
  for (const method of ["DELETE", "POST", "PATCH", "OPTIONS", "TRACE", "PROPFIND"]) {
    const answer = await ask(
      socketPath,
      `${method} /objects HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`,
    );
    assert.match(answer, /^HTTP\/1.1 400 .*allow: GET, HEAD, PUT/s, method);
  }
  for (const target of ["//", "http://[", "http://:x", "/%", "*", "?", "/objects/", "/objects%00"]) {
    const answer = await ask(socketPath, `GET ${target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`);
    assert.match(answer, /^HTTP\/1.1 40[04] /, target);
  }
  assert.equal(child.exitCode, null);
});

test("who sends nothing for long, or takes nothing, is cut off; who is slow is not", async () => {
  const ends: string[] = [];
  const objects = {
    put: async (bytes: AsyncIterable<Uint8Array>) => {
      let sizeBytes = 0;
      try {
        for await (const piece of bytes) sizeBytes += piece.length;
      } finally {
        ends.push(`put ${sizeBytes}`);
      }
      return { sizeBytes };
    },
    open: async () => ({
      cid: "c",
      sizeBytes: 1e9,
      read: async function* () {
        try {
          for (;;) yield Buffer.alloc(1_000_000);
        } finally {
          ends.push("get");
        }
      },
    }),
  } as unknown as ObjectService;
  const serve = createBytesServer({ objects, events: silentEvents(), stalledMs: 300 });
  const server = createServer((request, response) => void serve(request, response));
  const path = join(folder, "stalled.sock");
  await new Promise<void>((resolve) => server.listen(path, resolve));
  const head = "PUT /objects HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\nConnection: close\r\n\r\n";
  const slow = connect(path);
  slow.write(head);
  for (let sent = 0; sent < 10; sent++) {
    await sleep(60);
    slow.write("x");
  }
  await once(slow.resume(), "close");
  const stalled = connect(path);
  stalled.write(`${head}123`);
  await once(stalled.resume(), "close");
  const taker = connect(path);
  taker.write("GET /objects?object=x HTTP/1.1\r\nHost: x\r\n\r\n");
  taker.once("readable", () => taker.read(1));
  for (let left = 100; ends.length < 3; left--) {
    assert.ok(left > 0, ends.join());
    await sleep(50);
  }
  taker.destroy();
  assert.deepEqual(ends, ["put 10", "put 3", "get"]);
  server.close();
});

test("as many objects come in at once as may, and one more is told to try again later", async () => {
  const gate = Promise.withResolvers<void>();
  const answer = { cid: "c", sizeBytes: 0, sha256: "", addedBytes: 0, chunks: null, receipt: "r" };
  const objects = { put: () => gate.promise.then(() => answer) } as unknown as ObjectService;
  const serve = createBytesServer({ objects, events: silentEvents() });
  const server = createServer((request, response) => void serve(request, response));
  const socketPath = join(folder, "many.sock");
  await new Promise<void>((resolve) => server.listen(socketPath, resolve));
  const puts = Array.from({ length: 128 }, () => putBytes({ socketPath, bytes: [] }));
  await sleep(200);
  await assert.rejects(putBytes({ socketPath, bytes: [] }), { name: "RpcError", code: "busy" });
  gate.resolve();
  assert.equal((await Promise.all(puts)).length, 128);
  assert.equal((await putBytes({ socketPath, bytes: [] })).cid, "c");
  server.close();
});
