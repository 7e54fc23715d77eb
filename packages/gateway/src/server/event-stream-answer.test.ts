import assert from "node:assert/strict";
import { connect } from "node:net";
import { describe, it } from "node:test";
import { json, post, withShop } from "../testing/test-shop.ts";
import { until } from "../testing/test-until.ts";
import { readEventStream } from "../upstream/event-stream.ts";

describe("a subscription over server-sent events", () => {
  const query = "subscription { reviewAdded { body product { name } } }";
  const accept = "text/event-stream";
  const add = 'mutation { addReview(productId: "2", body: "New") { id } }';

  for (const method of ["POST", "GET"] as const) {
    it(`begins by ${method} and delivers joined events`, () =>
      withShop(async (shop) => {
        const leave = new AbortController();
        const response =
          method === "GET"
            ? await fetch(`${shop.url}?query=${encodeURIComponent(query)}`, {
                headers: { accept },
                signal: leave.signal,
              })
            : await fetch(shop.url, {
                method,
                headers: { ...json, accept },
                body: JSON.stringify({ query }),
                signal: leave.signal,
              });
        assert.match(response.headers.get("content-type") ?? "", /^text\/event-stream/);
        assert.ok(response.body);
        await until(() => shop.reviews.open === 1);
        await shop.query(add);
        for await (const { event, data } of readEventStream(response.body, 10_000)) {
          assert.equal(event, "next");
          assert.deepEqual(JSON.parse(data), {
            data: { reviewAdded: { body: "New", product: { name: "Rope" } } },
          });
          break;
        }
        leave.abort();
      }));
  }

  it("is ended at its service when the client leaves", () =>
    withShop(async (shop) => {
      const leave = new AbortController();
      const body = JSON.stringify({ query });
      await fetch(shop.url, { method: "POST", headers: { ...json, accept }, body, signal: leave.signal });
      await until(() => shop.reviews.open === 1);
      leave.abort();
      await until(() => shop.reviews.open === 0);
      await until(() => shop.log.some(({ msg }) => msg === "request"));
    }));

  it("answers a query with one event, and what is not executed with its errors", () =>
    withShop(async (shop) => {
      for (const [query, expected] of [
        ["{ product(id: 2) { name } }", /"data":{"product":{"name":"Rope"}}/],
        ["{ nope }", /GRAPHQL_VALIDATION_FAILED/],
      ] as const) {
        const response = await post(shop, { query }, { accept });
        const text = await response.text();
        assert.match(text, expected);
        assert.match(text, /event: complete\ndata: \n\n$/);
      }
    }));

  it("gives signs of life while it is quiet", () =>
    withShop(
      async (shop) => {
        const leave = new AbortController();
        const headers = { ...json, accept };
        const body = JSON.stringify({ query });
        const response = await fetch(shop.url, { method: "POST", headers, body, signal: leave.signal });
        assert.ok(response.body);
        for await (const chunk of response.body) {
          assert.match(new TextDecoder().decode(chunk), /^:\n\n/);
          break;
        }
        leave.abort();
      },
      { subscriptions: { keepAliveMs: 20 } },
    ));

  it("is cut off when its reader lets more than maxBufferedBytes wait, and its service is left", () =>
    withShop(
      async (shop) => {
        const { hostname, port } = new URL(shop.url);
        const socket = connect({ host: hostname, port: Number(port) }).pause();
        const body = JSON.stringify({ query });
        socket.write(
          `POST /graphql HTTP/1.1\r\nhost: x\r\naccept: ${accept}\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
        );
        await until(() => shop.reviews.open === 1);
        const long = "x".repeat(500_000);
        const isCut = () => shop.log.some((line) => line["code"] === "SLOW_READER");
        for (let i = 0; i < 100 && !isCut(); i++) {
          await shop.query(`mutation { addReview(productId: "2", body: "${long}") { id } }`);
        }
        assert.ok(isCut());
        await until(() => shop.reviews.open === 0);
        socket.destroy();
      },
      { subscriptions: { maxBufferedBytes: 100_000 } },
    ));
});
