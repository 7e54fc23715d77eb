import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { socketProbe } from "./socket-probe.ts";

const folder = mkdtempSync(join(tmpdir(), "catalyst-probe-"));
after(() => rmSync(folder, { recursive: true }));

test("a process is ready when it says so with 200; else what it says is the reason", async () => {
  const answers: [number, string][] = [
    [200, "LIVE"],
    [503, JSON.stringify({ ready: false, reasons: ["no schema", "draining"] })],
    [503, "PRE_INITIALIZING\n"],
    [503, ""],
    [503, "[]"],
  ];
  const left = [...answers];
  const server = createServer((_request, response) => {
    const [status, body] = left.shift() ?? [500, ""];
    response.writeHead(status).end(body);
  }).listen(join(folder, "a.sock"));
  await once(server, "listening");
  const probe = socketProbe(join(folder, "a.sock"), "/readyz");
  const seen = [];
  for (const _ of answers) seen.push(await probe());
  assert.deepEqual(seen, [
    { ready: true, reason: null },
    { ready: false, reason: "no schema; draining" },
    { ready: false, reason: "PRE_INITIALIZING" },
    { ready: false, reason: "not ready" },
    { ready: false, reason: "[]" },
  ]);
  server.close();
});

test("a process that does not answer is told by a failure, and an endless answer is one too", async () => {
  await assert.rejects(socketProbe(join(folder, "absent.sock"), "/readyz")(), { code: "unreachable" });
  const server = createServer((_request, response) => {
    const write = () => {
      while (!response.destroyed && response.write(Buffer.alloc(65_536)));
    };
    response.on("drain", write);
    write();
  }).listen(join(folder, "endless.sock"));
  await once(server, "listening");
  await assert.rejects(socketProbe(join(folder, "endless.sock"), "/readyz")(), { code: "invalid_response" });
  server.close();
});
