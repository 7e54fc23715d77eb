import assert from "node:assert/strict";
import { once } from "node:events";
import {
  Agent,
  createServer,
  type IncomingMessage,
  type RequestListener,
  request,
  type ServerResponse,
} from "node:http";
import { text } from "node:stream/consumers";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { createLogger } from "@catalyst/telemetry";
import { LogLines } from "../test/log-lines.ts";
import { EventLog, OrchestratorDouble, silent } from "../test/orchestrator-double.ts";
import { SdkError } from "./errors.ts";
import type { FetchHandler } from "./fetch-listener.ts";
import { requestIdOf } from "./request-id.ts";
import { type RunningService, type ServeOptions, serveService } from "./service.ts";

const nowhere = "/nonexistent/catalyst.sock";

type Given = Partial<Omit<ServeOptions, "handler" | "listener">> & {
  readonly handler?: FetchHandler;
  readonly listener?: (request: IncomingMessage, response: ServerResponse) => unknown;
};

const answerHere: RequestListener = (_, response) => void response.end("here");

function serve({ handler, listener = answerHere, ...options }: Given = {}): Promise<RunningService> {
  return serveService({
    name: "products",
    protocol: "http",
    socket: nowhere,
    logger: silent,
    signals: false,
    ...options,
    ...(handler === undefined ? { listener } : { handler }),
  });
}

/** Sends a GET and resolves with the answer's head; its body is still to be read. */
async function get(
  port: number,
  path: string,
  headers: Record<string, string> = {},
): Promise<IncomingMessage> {
  const call = request({ port, path, headers, agent: false }).end();
  const [response] = await once(call, "response");
  return response as IncomingMessage;
}

test("a service listens, is registered with its URL, and is gone from the node before it stops listening", async () => {
  await using node = new OrchestratorDouble();
  await node.start();
  const service = await serve({
    socket: node.socket,
    protocol: "graphql",
    timeoutMs: 3_000,
    subscriptions: "sse",
    graceMs: 200,
  });
  await service.registration.ready;
  const { port } = service;
  assert.equal(service.url, `http://127.0.0.1:${port}/graphql`);
  assert.equal(node.calls.length, 1);
  assert.partialDeepStrictEqual(node.calls[0], {
    kind: "lease",
    service: {
      name: "products",
      protocol: "graphql",
      url: service.url,
      timeoutMs: 3_000,
      subscriptions: "sse",
    },
    ttlMs: 15_000,
  });
  const closing = service.close();
  while (node.leases.size > 0) await sleep(5);
  const late = await get(port, "/");
  assert.equal(late.headers.connection, "close");
  assert.equal(await text(late), "here");
  await closing;
  await service.closed;
  await assert.rejects(get(port, "/"), { code: "ECONNREFUSED" });
});

test("a request in flight is finished, an event stream is ended, and then the service is closed", async () => {
  const [arrived, answering] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const listener = async (incoming: IncomingMessage, response: ServerResponse) => {
    if (incoming.url === "/events") {
      response.setHeader("content-type", "text/event-stream");
      response.write("data: 1\n\n");
      return;
    }
    arrived.resolve();
    await answering.promise;
    response.end("slow but whole");
  };
  const service = await serve({ listener });
  const events = await get(service.port, "/events");
  const slow = get(service.port, "/slow");
  await arrived.promise;
  const closing = service.close();
  assert.equal(await text(events), "data: 1\n\n");
  answering.resolve();
  assert.equal(await text(await slow), "slow but whole");
  await closing;
});

test("a client that keeps its connection does not hold up the end", async () => {
  const begun = Promise.withResolvers<ServerResponse>();
  const service = await serve({
    listener: (_, response) => {
      response.write("begun, ");
      begun.resolve(response);
    },
  });
  const agent = new Agent({ keepAlive: true });
  const [response] = (await once(request({ port: service.port, agent }).end(), "response")) as [
    IncomingMessage,
  ];
  const since = performance.now();
  const closing = service.close();
  await sleep(50);
  (await begun.promise).end("ended");
  assert.equal(await text(response), "begun, ended");
  await closing;
  assert.ok(performance.now() - since < 2_000);
  agent.destroy();
});

test("an event stream of a Fetch handler is ended too, and its source is cancelled", async () => {
  let cancelled = false;
  const lines = new LogLines();
  const fetch = () => {
    const body = new ReadableStream({
      start: (controller) => controller.enqueue(new TextEncoder().encode("data: 1\n\n")),
      cancel: () => {
        cancelled = true;
      },
    });
    return new Response(body, { headers: { "content-type": "text/event-stream" } });
  };
  const service = await serve({
    handler: { fetch },
    logger: createLogger({ process: "t", destination: lines }),
  });
  const events = await get(service.port, "/events");
  const closing = service.close();
  assert.equal(await text(events), "data: 1\n\n");
  await closing;
  assert.equal(cancelled, true);
  assert.deepEqual(lines.withLevel("error"), []);
});

test("a request that does not end is cut off after the time for draining", async () => {
  const lines = new LogLines();
  const logger = createLogger({ process: "products", destination: lines });
  const arrived = Promise.withResolvers<void>();
  const service = await serve({ listener: () => arrived.resolve(), drainMs: 50, logger });
  const hanging = get(service.port, "/");
  await arrived.promise;
  const cut = assert.rejects(hanging, { code: "ECONNRESET" });
  await service.close();
  await cut;
  assert.equal(lines.find("closed")?.["cut"], 1);
});

test("/healthz says what the service says of itself, and 503 when that is not well", async () => {
  let healthy = true;
  await using service = await serve({ health: () => ({ healthy, detail: "as I said" }) });
  const well = await get(service.port, "/healthz");
  assert.deepEqual([well.statusCode, JSON.parse(await text(well))], [200, { healthy, detail: "as I said" }]);
  healthy = false;
  assert.equal((await get(service.port, "/healthz")).resume().statusCode, 503);
});

test("one line is logged per request, with the id that Envoy gave it and without its query", async () => {
  const lines = new LogLines();
  const logger = createLogger({ process: "products", destination: lines });
  await using service = await serve({ logger });
  (await get(service.port, "/a?token=secret", { "x-request-id": "from-envoy" })).resume();
  (await get(service.port, "/healthz")).resume();
  await lines.until(() => lines.find("request") !== undefined);
  assert.partialDeepStrictEqual(lines.find("request"), {
    requestId: "from-envoy",
    method: "GET",
    path: "/a",
    status: 200,
  });
  assert.equal(JSON.stringify(lines.all).includes("secret"), false);
  assert.equal(lines.all.filter(({ msg }) => msg === "request").length, 1);
});

test("a handler that fails answers 500 with the request id, and the next request is served", async () => {
  const lines = new LogLines();
  const logger = createLogger({ process: "products", destination: lines });
  const listener = async (incoming: IncomingMessage, response: ServerResponse) => {
    if (incoming.url === "/bad") throw new TypeError("a defect");
    response.end("good");
  };
  await using service = await serve({ listener, logger });
  const bad = await get(service.port, "/bad", { "x-request-id": "r1" });
  assert.equal(bad.statusCode, 500);
  assert.deepEqual(JSON.parse(await text(bad)), { error: "The service failed.", requestId: "r1" });
  assert.equal(await text(await get(service.port, "/")), "good");
  assert.equal(lines.find("the handler failed")?.["requestId"], "r1");
});

test("a service whose node is away serves, and says so in one line", async () => {
  const lines = new LogLines();
  await using service = await serve({ logger: createLogger({ process: "products", destination: lines }) });
  await sleep(300);
  assert.equal(await text(await get(service.port, "/")), "here");
  const warnings = lines.withLevel("warn");
  assert.equal(warnings.length, 1);
  assert.match(String(warnings[0]?.["msg"]), /waiting for the node: nothing answers on/);
});

test("a service that the configuration declares goes on serving without a lease", async () => {
  await using node = new OrchestratorDouble();
  node.refusal = { code: "service_declared", message: "products comes from the configuration" };
  await node.start();
  const log = new EventLog();
  await using service = await serve({ socket: node.socket, onEvent: log.add });
  await log.seen("refused");
  assert.equal(await text(await get(service.port, "/")), "here");
});

test("a port in use and a name that is none are errors with a code, and nothing is left listening", async () => {
  const other = createServer().listen(0, "127.0.0.1");
  await once(other, "listening");
  const { port } = other.address() as { port: number };
  const isError = (code: string) => (error: unknown) => error instanceof SdkError && error.code === code;
  await assert.rejects(serve({ port }), isError("listen_failed"));
  await assert.rejects(serve({ port: 70_000 }), isError("listen_failed"));
  other.close();
  await once(other, "close");
  await assert.rejects(serve({ name: "No Name", port }), isError("declaration_invalid"));
  await assert.rejects(get(port, "/"), { code: "ECONNREFUSED" });
});

test("a Fetch handler finds the id under which the request is logged", async () => {
  const lines = new LogLines();
  const handler = (incoming: Request) => new Response(requestIdOf(incoming));
  await using service = await serve({ handler, logger: createLogger({ process: "t", destination: lines }) });
  const id = await text(await get(service.port, "/"));
  await lines.until(() => lines.find("request") !== undefined);
  assert.equal(lines.find("request")?.["requestId"], id);
});

test("a request without an id is given one, the same at every call", async () => {
  const seen: string[] = [];
  await using service = await serve({
    listener: (incoming, response) => {
      seen.push(requestIdOf(incoming), requestIdOf(incoming));
      response.end();
    },
  });
  (await get(service.port, "/")).resume();
  (await get(service.port, "/", { "x-request-id": "x".repeat(300) })).resume();
  const [first, again, second] = seen;
  assert.match(first ?? "", /^[0-9a-f-]{36}$/);
  assert.equal(first, again);
  assert.match(second ?? "", /^[0-9a-f-]{36}$/);
  assert.equal(requestIdOf(new Request("http://a/", { headers: { "x-request-id": "r2" } })), "r2");
});
