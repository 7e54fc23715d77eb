import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { createMetrics } from "./metrics.ts";
import { createOps, type OpsParts } from "./ops.ts";

/** Serves the handler and asks it one thing. */
async function ask(parts: Partial<OpsParts>, path: string, method = "GET") {
  const ops = createOps({ metrics: createMetrics(), ready: () => ({ ready: true, reasons: [] }), ...parts });
  const server = createServer((request, response) => {
    if (!ops(request, response)) response.writeHead(404).end("elsewhere");
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  try {
    const { port } = server.address() as AddressInfo;
    const response = await fetch(`http://127.0.0.1:${port}${path}`, { method });
    return { status: response.status, headers: response.headers, body: await response.text() };
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

test("/readyz says whether the process does its work, and why not", async () => {
  const ready = await ask({}, "/readyz");
  assert.equal(ready.status, 200);
  assert.deepEqual(JSON.parse(ready.body), { ready: true, reasons: [] });
  assert.equal(ready.headers.get("content-type"), "application/json");
  const waiting = await ask(
    { ready: () => ({ ready: false, reasons: ["no schema yet"] }) },
    "/readyz?verbose",
  );
  assert.equal(waiting.status, 503);
  assert.deepEqual(JSON.parse(waiting.body), { ready: false, reasons: ["no schema yet"] });
});

test("/healthz is fine as long as the process answers, unless told otherwise", async () => {
  assert.equal((await ask({ ready: () => ({ ready: false, reasons: [] }) }, "/healthz")).status, 200);
  const stuck = await ask({ live: () => ({ live: false, reasons: ["stuck"] }) }, "/healthz");
  assert.equal(stuck.status, 503);
  assert.deepEqual(JSON.parse(stuck.body), { live: false, reasons: ["stuck"] });
});

test("/metrics answers in Prometheus' text format", async () => {
  const answer = await ask({}, "/metrics");
  assert.equal(answer.status, 200);
  assert.match(answer.headers.get("content-type") ?? "", /^text\/plain; version=0\.0\.4/);
  assert.match(answer.body, /^process_cpu_seconds_total /m);
});

test("Other paths are left to others, also those that every object has", async () => {
  for (const path of ["/", "/healthz/x", "/constructor", "/__proto__"]) {
    assert.equal((await ask({}, path)).body, "elsewhere", path);
  }
});

test("HEAD is answered without a body, and other methods are refused", async () => {
  const head = await ask({}, "/readyz", "HEAD");
  assert.deepEqual([head.status, head.body], [200, ""]);
  assert.ok(Number(head.headers.get("content-length")) > 0);
  const post = await ask({}, "/readyz", "POST");
  assert.deepEqual([post.status, post.headers.get("allow")], [405, "GET, HEAD"]);
});

test("A question that fails is answered 500 with the reason", async () => {
  const answer = await ask(
    {
      ready: () => {
        throw new Error("table is locked");
      },
    },
    "/readyz",
  );
  assert.equal(answer.status, 500);
  assert.match(answer.body, /table is locked/);
});
