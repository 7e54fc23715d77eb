import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { describe, it } from "node:test";
import type { TestGateway } from "../testing/test-gateway.ts";
import { post, withShop } from "../testing/test-shop.ts";
import { openSocket } from "../testing/test-socket.ts";
import { until } from "../testing/test-until.ts";

/** How long another client waits for its answer. */
async function waitOfOthers(shop: TestGateway): Promise<number> {
  const started = performance.now();
  const { errors } = await shop.query("{ products { name } }");
  assert.equal(errors, undefined);
  return performance.now() - started;
}

async function openRaw(shop: TestGateway, text: string): Promise<Socket> {
  const { hostname, port } = new URL(shop.url);
  const socket = connect({ host: hostname, port: Number(port) });
  socket.on("error", () => undefined);
  await once(socket, "connect");
  socket.write(text);
  return socket;
}

const head = (length: number) =>
  `POST /graphql HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: ${length}\r\n\r\n`;

const chunkedHead =
  "POST /graphql HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n";

// The waits are a hundredth of these bounds on a quiet machine.
describe("a gateway under attack answers others, and is bounded in memory, with", () => {
  it("bodies of ten megabytes, with their length in front and without, each of which is refused", () =>
    withShop(async (shop) => {
      const megabyte = Buffer.alloc(1_000_000, "x");
      const before = process.memoryUsage().arrayBuffers;
      const send = async (chunked: boolean): Promise<string> => {
        const socket = await openRaw(shop, chunked ? chunkedHead : head(10_000_000));
        for (let i = 0; i < 10; i++) {
          if (chunked) socket.write(`${megabyte.length.toString(16)}\r\n`);
          socket.write(megabyte);
          if (chunked) socket.write("\r\n");
        }
        const [answer] = await once(socket, "data");
        socket.destroy();
        return String(answer);
      };
      const refused = Promise.all(Array.from({ length: 20 }, (_, i) => send(i % 2 === 0)));
      assert.ok((await waitOfOthers(shop)) < 2_000);
      for (const answer of await refused) assert.match(answer, /^HTTP\/1.1 413 .*BODY_TOO_LONG/s);
      assert.ok(process.memoryUsage().arrayBuffers - before < 60_000_000);
    }));

  it("two hundred bodies that never come, each of which is given up after bodyTimeoutMs", () =>
    withShop(
      async (shop) => {
        const sockets = await Promise.all(Array.from({ length: 200 }, () => openRaw(shop, `${head(900)}{`)));
        assert.ok((await waitOfOthers(shop)) < 2_000);
        await Promise.all(sockets.map((socket) => socket.toArray()));
        const timedOut = shop.log.filter(({ status }) => status === 408);
        assert.equal(timedOut.length, 200);
      },
      { bodyTimeoutMs: 500 },
    ));

  it("a thousand idle WebSockets, which are gone when they close", () =>
    withShop(async (shop) => {
      const before = process.memoryUsage().rss;
      const clients = [];
      for (let i = 0; i < 20; i++) {
        clients.push(...(await Promise.all(Array.from({ length: 50 }, () => openSocket(shop)))));
      }
      assert.equal(shop.gateway.open.sockets, 1_000);
      assert.ok((await waitOfOthers(shop)) < 2_000);
      // Both ends of each are in this process.
      assert.ok(process.memoryUsage().rss - before < 150_000_000);
      await Promise.all(clients.map((client) => client[Symbol.asyncDispose]()));
      await until(() => shop.gateway.open.sockets === 0);
    }));

  it("batches of the longest operations that are parsed, each refused or answered", () =>
    withShop(async (shop) => {
      const fields = Array.from({ length: 2_000 }, (_, i) => `a${i}: products { name }`).join(" ");
      const batch = (i: number) =>
        Array.from({ length: 10 }, (_, at) => ({ query: `{ ${fields} } # ${i} ${at}` }));
      const answers = Promise.all(Array.from({ length: 5 }, (_, i) => post(shop, batch(i))));
      assert.ok((await waitOfOthers(shop)) < 5_000);
      for (const response of await answers) {
        const text = await response.text();
        assert.match(text, /GRAPHQL_PARSE_FAILED|TOO_MANY/);
      }
      assert.equal(shop.reviews.seen.length, 0);
    }));

  it("a WebSocket that subscribes and completes ten thousand times", () =>
    withShop(async (shop) => {
      await using client = await openSocket(shop);
      const query = "subscription { reviewAdded { body } }";
      for (let i = 0; i < 10_000; i++) {
        client.send({ id: String(i), type: "subscribe", payload: { query } });
        client.send({ id: String(i), type: "complete" });
      }
      client.send({ type: "ping" });
      assert.ok((await waitOfOthers(shop)) < 5_000);
      for (let message = await client.next(); message["type"] !== "pong"; message = await client.next());
      await until(() => shop.reviews.open === 0 && shop.gateway.open.subscriptions === 0);
    }));
});
