import assert from "node:assert/strict";
import { once } from "node:events";
import type { IncomingMessage } from "node:http";
import { describe, it } from "node:test";
import { WebSocket } from "ws";
import type { TestGateway } from "../testing/test-gateway.ts";
import { withShop } from "../testing/test-shop.ts";
import { openSocket, type TestSocket } from "../testing/test-socket.ts";
import { until } from "../testing/test-until.ts";

const added = "subscription { reviewAdded { body product { name } } }";
const add = (body: string) => `mutation { addReview(productId: "1", body: "${body}") { id } }`;

function subscribe(client: TestSocket, id: string, query: string, variables?: object): void {
  client.send({ id, type: "subscribe", payload: { query, variables } });
}

describe("GraphQL over WebSocket", () => {
  it("runs queries and mutations, each with its answer and a complete", () =>
    withShop(async (shop) => {
      await using client = await openSocket(shop);
      subscribe(client, "q", "query ($id: ID!) { product(id: $id) { name } }", { id: "2" });
      assert.deepEqual(await client.next(), {
        id: "q",
        type: "next",
        payload: { data: { product: { name: "Rope" } } },
      });
      assert.deepEqual(await client.next(), { type: "complete", id: "q" });
      subscribe(client, "m", add("Over a socket"));
      assert.equal((await client.next())["type"], "next");
    }));

  it("delivers a subscription's joined events until the client completes it, which ends it at its service", () =>
    withShop(async (shop) => {
      await using client = await openSocket(shop);
      subscribe(client, "s", added);
      await until(() => shop.reviews.open === 1);
      for (const body of ["one", "two"]) {
        await shop.query(add(body));
        const payload = { data: { reviewAdded: { body, product: { name: "Anvil" } } } };
        assert.deepEqual(await client.next(), { id: "s", type: "next", payload });
      }
      client.send({ id: "s", type: "complete" });
      await until(() => shop.reviews.open === 0);
      subscribe(client, "s", "{ __typename }");
      assert.equal((await client.next())["id"], "s");
    }));

  it("answers what is not executed with an error of that operation, and goes on", () =>
    withShop(async (shop) => {
      await using client = await openSocket(shop, {});
      for (const [query, code] of [
        ["{ nope }", "GRAPHQL_VALIDATION_FAILED"],
        ["{", "GRAPHQL_PARSE_FAILED"],
      ] as const) {
        subscribe(client, "x", query);
        const { id, type, payload } = await client.next();
        const [error] = payload as { extensions: { code: string } }[];
        assert.deepEqual([id, type, error?.extensions.code], ["x", "error", code]);
      }
      client.send({ type: "ping" });
      assert.deepEqual(await client.next(), { type: "pong" });
    }));

  it("forwards the headers of the upgrade request, and nothing of what connection_init says", () =>
    withShop(async (shop) => {
      await using client = await openSocket(shop, { headers: { authorization: "Bearer t" }, init: false });
      client.send({ type: "connection_init", payload: { authorization: "Bearer other", "x-api-key": "k" } });
      await client.next();
      subscribe(client, "q", "{ products { name } }");
      await client.next();
      const [{ headers } = { headers: {} as IncomingMessage["headers"] }] = shop.products.seen;
      assert.equal(headers.authorization, "Bearer t");
      assert.equal(headers["x-api-key"], undefined);
    }));

  it("runs no more operations at a time than maxOperations", () =>
    withShop(
      async (shop) => {
        await using client = await openSocket(shop);
        for (const id of ["1", "2", "3"]) subscribe(client, id, added);
        const { id, type, payload } = await client.next();
        assert.deepEqual([id, type], ["3", "error"]);
        assert.match(JSON.stringify(payload), /TOO_MANY_OPERATIONS/);
      },
      { websocket: { maxOperations: 2 } },
    ));

  for (const [what, messages, code] of [
    ["says nothing for initTimeoutMs", [], 4408],
    ["subscribes before it has begun", [{ id: "1", type: "subscribe", payload: { query: "{ a }" } }], 4401],
    ["begins twice", [{ type: "connection_init" }, { type: "connection_init" }], 4429],
    ["sends what is no JSON", ["{"], 4400],
    ["sends what is no message", [{ type: "hello" }], 4400],
    ["sends a number", [7], 4400],
    [
      "leaves out the id",
      [{ type: "connection_init" }, { type: "subscribe", payload: { query: "{a}" } }],
      4400,
    ],
    [
      "sends an operation without a query string",
      [{ id: "1", type: "subscribe", payload: { query: 1 } }],
      4400,
    ],
    [
      "uses an id twice",
      [
        { type: "connection_init" },
        ...Array(2).fill({ id: "1", type: "subscribe", payload: { query: added } }),
      ],
      4409,
    ],
    ["sends more than maxBodyBytes at a time", [`{"type":"${"x".repeat(3_000)}"}`], 1009],
  ] as const) {
    it(`closes with ${code} when a client ${what}`, () =>
      withShop(
        async (shop) => {
          await using client = await openSocket(shop, { init: false });
          for (const message of messages) client.send(message);
          assert.equal((await client.closed)[0], code);
        },
        { maxBodyBytes: 2_000, websocket: { initTimeoutMs: messages.length === 0 ? 50 : 10_000 } },
      ));
  }

  it("cuts off a client that does not answer a ping, and no other", () =>
    withShop(
      async (shop) => {
        await using quiet = await openSocket(shop);
        await using alive = await openSocket(shop);
        // A paused client reads no ping.
        quiet.socket.pause();
        await until(() => openSockets(shop) === 1);
        subscribe(alive, "q", "{ __typename }");
        assert.equal((await alive.next())["type"], "next");
        quiet.socket.resume();
      },
      { subscriptions: { keepAliveMs: 100 } },
    ));

  it("ends subscriptions and closes with 1001 when the gateway shuts down, after what runs has its answer", () =>
    withShop(async (shop) => {
      await using client = await openSocket(shop);
      await using idle = await openSocket(shop);
      subscribe(client, "s", added);
      await until(() => shop.reviews.open === 1);
      const drained = shop.gateway.drain();
      assert.equal((await idle.closed)[0], 1001);
      assert.match(JSON.stringify(await client.next()), /DRAINING/);
      assert.equal((await client.closed)[0], 1001);
      await drained;
    }));
});

function openSockets(shop: TestGateway): number {
  return shop.gateway.open.sockets;
}

describe("an upgrade request", () => {
  const refused = async (shop: TestGateway, protocol: string[], headers = {}, path = "/graphql") => {
    const socket = new WebSocket(new URL(path, shop.url.replace("http", "ws")), protocol, { headers });
    const [, response] = (await once(socket, "unexpected-response")) as [unknown, IncomingMessage];
    const text = (await response.toArray()).join("");
    return [response.statusCode, JSON.parse(text).errors[0].extensions.code];
  };
  const ours = ["graphql-transport-ws"];

  it("is refused with a reason where it is wrong", () =>
    withShop(
      async (shop) => {
        assert.deepEqual(await refused(shop, ours, {}, "/other"), [404, "NOT_FOUND"]);
        assert.deepEqual(await refused(shop, ["graphql-ws"]), [400, "BAD_REQUEST"]);
        const elsewhere = { origin: "https://evil.example" };
        assert.deepEqual(await refused(shop, ours, elsewhere), [403, "ORIGIN_NOT_ALLOWED"]);
        for (const origin of [new URL(shop.url).origin, "https://app.example"]) {
          await using _client = await openSocket(shop, { headers: { origin } });
        }
        await using _first = await openSocket(shop);
        await until(() => openSockets(shop) === 1);
        assert.deepEqual(await refused(shop, ours), [503, "TOO_MANY_SOCKETS"]);
        await shop.gateway.drain();
        assert.deepEqual(await refused(shop, ours), [503, "DRAINING"]);
      },
      { websocket: { maxSockets: 1, origins: ["https://app.example"] } },
    ));
});
