import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import type { Duplex } from "node:stream";
import { test } from "node:test";
import { NodeUnderTest, plainService, subscribeBySse, type TestService } from "@catalyst/harness";

/** Says something short, as a server does (RFC 6455 §5.2). */
function say(socket: Duplex, message: object): void {
  const text = Buffer.from(JSON.stringify(message));
  assert.ok(text.length < 126);
  socket.write(Buffer.concat([Buffer.from([0x81, text.length]), text]));
}

/** What a client says in one frame: masked, and shorter than 64 KiB. */
function heard(frame: Buffer): { type?: string } {
  if ((frame[0] ?? 0) !== 0x81) return {};
  const at = ((frame[1] ?? 0) & 0x7f) === 126 ? 4 : 2;
  const mask = frame.subarray(at, at + 4);
  const text = frame.subarray(at + 4).map((byte, i) => byte ^ (mask[i % 4] ?? 0));
  return JSON.parse(Buffer.from(text).toString());
}

/** A front of a service that has subscriptions over WebSocket alone: it counts to three. */
async function serveOverWebSocket(behind: TestService): Promise<AsyncDisposable & { readonly port: number }> {
  const server = createServer(async (request, response) => {
    if (request.headers.accept === "text/event-stream") return void response.writeHead(406).end();
    const body = Buffer.concat(await request.toArray());
    const answer = await fetch(`http://127.0.0.1:${behind.port}/graphql`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body,
    });
    response.writeHead(answer.status).end(await answer.text());
  });
  server.on("upgrade", (request, socket) => {
    const key = `${request.headers["sec-websocket-key"]}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`;
    const accept = createHash("sha1").update(key).digest("base64");
    const head = ["HTTP/1.1 101 Switching Protocols", "upgrade: websocket", "connection: upgrade"];
    head.push(`sec-websocket-accept: ${accept}`, "sec-websocket-protocol: graphql-transport-ws");
    socket.write(`${head.join("\r\n")}\r\n\r\n`);
    socket.on("data", (frame: Buffer) => {
      const { type } = heard(frame);
      if (type === "connection_init") say(socket, { type: "connection_ack" });
      if (type !== "subscribe") return;
      for (const n of [1, 2, 3]) say(socket, { id: "1", type: "next", payload: { data: { counted: n } } });
      say(socket, { id: "1", type: "complete" });
    });
    socket.on("error", () => socket.destroy());
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    port,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      server.close();
    },
  };
}

test("a service that has subscriptions over WebSocket alone is subscribed to through Envoy", async () => {
  await using behind = await plainService(
    "counter",
    "type Query { n: Int! } type Subscription { counted: Int! }",
    {},
  );
  await using front = await serveOverWebSocket(behind);
  const url = `http://127.0.0.1:${front.port}/graphql`;
  await using node = await NodeUnderTest.start({ services: [{ ...behind.declaration, url }] });
  await node.until("it is served", 10_000, async () => (await node.services())[0]?.state === "serving");
  using subscriber = await subscribeBySse(node.endpoint, "subscription { counted }");
  await node.until("it is complete", 5_000, async () => subscriber.ended !== null);
  assert.equal(subscriber.ended, "complete");
  assert.deepEqual(
    subscriber.results,
    [1, 2, 3].map((counted) => ({ data: { counted } })),
  );
});
