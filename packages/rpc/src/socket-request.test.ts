import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type RequestListener } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { requestSocket } from "./socket-request.ts";

const folder = mkdtempSync(join(tmpdir(), "catalyst-request-"));
after(() => rmSync(folder, { recursive: true }));
let sockets = 0;

async function serve(listener: RequestListener) {
  const socketPath = join(folder, `${sockets++}.sock`);
  const server = createServer(listener).listen(socketPath);
  await once(server, "listening");
  const close = () => {
    server.closeAllConnections();
    return new Promise<void>((resolve) => server.close(() => resolve()));
  };
  return { socketPath, [Symbol.asyncDispose]: close };
}

test("an answer comes whole, whatever its status", async () => {
  await using server = await serve((request, response) => {
    response.writeHead(503).end(`${request.method} ${request.url}`);
  });
  const { socketPath } = server;
  const answer = await requestSocket({ socketPath, path: "/a?b", method: "POST", timeoutMs: 1_000 });
  assert.deepEqual(answer, { status: 503, body: "POST /a?b" });
});

test("an answer that is too long is refused when it is, and not read to its end", async () => {
  let written = 0;
  await using server = await serve((_request, response) => {
    const write = () => {
      while (!response.destroyed && response.write(Buffer.alloc(65_536))) written += 65_536;
    };
    response.on("drain", write);
    write();
  });
  const asked = { socketPath: server.socketPath, path: "/", timeoutMs: 5_000, maxBytes: 1_000_000 };
  await assert.rejects(requestSocket(asked), { code: "invalid_response" });
  assert.ok(written < 10_000_000, `${written} bytes were taken`);
});

test("an answer that does not come, or not to its end, ends the wait in time", async () => {
  await using silent = await serve(() => undefined);
  await using slow = await serve((_request, response) => void response.write("a"));
  for (const { socketPath } of [silent, slow]) {
    await assert.rejects(requestSocket({ socketPath, path: "/", timeoutMs: 50 }), { code: "timeout" });
  }
});

test("a process that is not there, and one that goes away, are told apart", async () => {
  const absent = join(folder, "absent.sock");
  await assert.rejects(requestSocket({ socketPath: absent, path: "/", timeoutMs: 1_000 }), {
    code: "unreachable",
  });
  await using dying = await serve((_request, response) => {
    response.writeHead(200, { "content-length": 10 }).write("a", () => response.destroy());
  });
  const asked = { socketPath: dying.socketPath, path: "/", timeoutMs: 1_000 };
  await assert.rejects(requestSocket(asked), { code: "disconnected" });
});
