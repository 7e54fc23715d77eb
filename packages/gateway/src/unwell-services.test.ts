import assert from "node:assert/strict";
import type { ServerResponse } from "node:http";
import { describe, it } from "node:test";
import { openGateway, type TestGateway } from "./testing/test-gateway.ts";
import { serveInventory, serveProducts, serveRaw, type TestService } from "./testing/test-services.ts";

const options = {
  schemaPollMs: 60_000,
  upstream: { breaker: { minRequests: 8, openMs: 300 }, perService: { concurrency: 4, queue: 4 } },
};

/** A gateway over two services, the second of which turns into what `answer` makes of it. */
async function withUnwell(
  answer: (response: ServerResponse, count: number) => unknown,
  test: (shop: TestGateway, unwell: TestService) => Promise<void>,
): Promise<void> {
  await using products = await serveProducts();
  await using inventory = await serveInventory();
  await using shop = await openGateway(options);
  await shop.apply({ products, inventory }, { inventory: { timeoutMs: 200 } });
  let count = 0;
  await using unwell = await serveRaw((request, response) => {
    request.resume().on("end", () => answer(response, count++));
  });
  shop.egress.routes.set("inventory", unwell.port);
  await test(shop, unwell);
}

/** Asks both services many times at once; says how long the answers of each took at the longest, and their codes. */
async function load(shop: TestGateway) {
  const timed = async (query: string) => {
    const started = performance.now();
    const { data, errors } = await shop.query(query);
    return { data, code: errors?.[0]?.extensions?.["code"], ms: performance.now() - started };
  };
  const unwell = Array.from({ length: 20 }, (_, i) => timed(`{ stock(sku: "${i}") { count } }`));
  const well = Array.from({ length: 20 }, (_, i) => timed(`{ product(id: "1") { name } a${i}: __typename }`));
  return { well: await Promise.all(well), unwell: await Promise.all(unwell) };
}

describe("while a service is unwell, the others answer as they do", () => {
  for (const [what, answer] of [
    ["does not answer", () => undefined],
    ["answers a byte at a time", (r: ServerResponse) => void setInterval(() => r.write(" "), 20).unref()],
    ["refuses", (r: ServerResponse) => r.writeHead(503).end()],
    ["breaks every connection", (r: ServerResponse) => r.destroy()],
    ["answers with what is no GraphQL", (r: ServerResponse) => r.end("<html>")],
    ["answers with other types than its schema has", (r: ServerResponse) => r.end(`{"data":{"stock":[1]}}`)],
    [
      "answers every other time",
      (r: ServerResponse, n: number) => (n % 2 ? r.destroy() : r.end(`{"data":{}}`)),
    ],
  ] as const) {
    it(`because it ${what}`, () =>
      withUnwell(answer, async (shop) => {
        const { well, unwell } = await load(shop);
        for (const { data, code, ms } of well) {
          assert.deepEqual((data as { product: unknown } | undefined)?.product, { name: "Anvil" });
          assert.equal(code, undefined);
          assert.ok(ms < 1_500, `${ms} ms`);
        }
        for (const { ms } of unwell) assert.ok(ms < 2_500, `${ms} ms`);
        const codes = new Set(unwell.map(({ code }) => code).filter((code) => code !== undefined));
        for (const code of codes) assert.match(String(code), /^SERVICE_/);
      }));
  }

  it("and one that fails is left alone, says so in the report, and is back when it is well", () =>
    withUnwell(
      (response) => response.writeHead(503).end(),
      async (shop) => {
        for (let i = 0; i < 10; i++) await shop.query(`{ stock(sku: "${i}") { count } }`);
        const started = performance.now();
        const { errors } = await shop.query(`{ stock(sku: "1") { count } }`);
        assert.ok(performance.now() - started < 150, "nobody waits for it");
        assert.equal(errors?.[0]?.extensions?.["code"], "SERVICE_UNAVAILABLE");
        assert.match(
          errors?.[0]?.message ?? "",
          /^Service "inventory" fails too often to be sent the request: it is /,
        );
        const reasonNow = () =>
          shop.gateway.report().services.find(({ name }) => name === "inventory")?.reason;
        assert.match(
          reasonNow() ?? "",
          /^requests fail: .*; so many that it is left alone but for one every 300 ms$/,
        );
        assert.match(
          await shop.metrics.text(),
          /gateway_breaker_transitions_total\{service="inventory",state="open"\} 1/,
        );
        await using inventory = await serveInventory();
        shop.egress.routes.set("inventory", inventory.port);
        await new Promise((resolve) => setTimeout(resolve, 350));
        const { data } = await shop.query(`{ stock(sku: "1") { count } }`);
        assert.deepEqual(JSON.parse(JSON.stringify(data)), { stock: { count: 5 } });
        assert.equal(reasonNow(), null);
      },
    ));
});
