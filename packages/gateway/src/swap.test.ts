import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { openGateway, type TestGateway } from "./testing/test-gateway.ts";
import { serveInventory, serveProducts, serveReviews } from "./testing/test-services.ts";
import { until } from "./testing/test-until.ts";
import { readEventStream, type StreamEvent } from "./upstream/event-stream.ts";

const added = "subscription { reviewAdded { body product { name } } }";
const add = (body: string) => `mutation { addReview(productId: "1", body: "${body}") { id } }`;

async function subscribe(shop: TestGateway): Promise<AsyncGenerator<StreamEvent, void, undefined>> {
  const headers = { "content-type": "application/json", accept: "text/event-stream" };
  const response = await fetch(shop.url, { method: "POST", headers, body: JSON.stringify({ query: added }) });
  assert.ok(response.body);
  return readEventStream(response.body, 100_000);
}

async function untilMetric(shop: TestGateway, line: RegExp): Promise<void> {
  let text = "";
  const read = async () => {
    text = await shop.metrics.text();
  };
  await until(() => {
    void read();
    return line.test(text);
  });
}

describe("a change of schemas", () => {
  it("fails no mutation in flight, and none runs twice", async () => {
    await using products = await serveProducts(0, 15);
    await using inventory = await serveInventory();
    await using shop = await openGateway();
    await shop.apply({ products });
    let running = true;
    let sent = 0;
    const worker = async () => {
      while (running) {
        sent += 1;
        const name = `n${sent}`;
        const { data, errors } = await shop.query(`mutation { rename(id: 1, name: "${name}") { id } }`);
        assert.deepEqual({ data, errors }, { data: { rename: { id: "1" } }, errors: undefined });
      }
    };
    const workers = Array.from({ length: 8 }, worker);
    for (let swap = 0; swap < 20; swap++) {
      await shop.apply(swap % 2 === 0 ? { products, inventory } : { products });
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    running = false;
    await Promise.all(workers);
    assert.equal(shop.gateway.report().generation, 21);
    assert.ok(sent > 50, `${sent} mutations`);
    assert.equal(products.seen.filter(({ query }) => query.includes("rename")).length, sent);
    await until(() => shop.log.filter(({ msg }) => msg === "request").length === sent);
  });

  it("ends no subscription, which goes on joining what it joined", async () => {
    await using products = await serveProducts();
    await using reviews = await serveReviews();
    await using inventory = await serveInventory();
    await using shop = await openGateway();
    await shop.apply({ products, reviews });
    const events = await subscribe(shop);
    const first = events.next();
    await until(() => reviews.open === 1);
    await shop.apply({ products, reviews, inventory });
    assert.equal(shop.gateway.report().generation, 2);
    await shop.query(add("after"));
    assert.deepEqual(JSON.parse((await first).value?.data ?? ""), {
      data: { reviewAdded: { body: "after", product: { name: "Anvil" } } },
    });
    await until(() => shop.gateway.report().generation === 2);
    await untilMetric(shop, /gateway_generations 1\n/);
    assert.match(await shop.metrics.text(), /subscription_moves_total\{outcome="moved"\} 1/);
    await events.return();
    await until(() => reviews.open === 0);
    await untilMetric(shop, /gateway_running 0/);
  });

  it("ends a subscription whose fields are gone, with an error that names them", async () => {
    await using reviews = await serveReviews();
    await using products = await serveProducts();
    await using shop = await openGateway();
    await shop.apply({ products, reviews });
    const events = Array.fromAsync(await subscribe(shop));
    await until(() => reviews.open === 1);
    await shop.apply({ products });
    const [error, complete] = await events;
    const [gone] = JSON.parse(error?.data ?? "").errors;
    assert.equal(gone.extensions.code, "SUBSCRIPTION_FIELDS_GONE");
    assert.match(gone.message, /Subscription/);
    assert.equal(complete?.event, "complete");
    await until(() => reviews.open === 0);
    await untilMetric(shop, /gateway_running 0/);
  });
});

describe("draining", () => {
  it("refuses new requests and updates, ends subscriptions, and waits for what runs", async () => {
    await using products = await serveProducts(0, 200);
    await using reviews = await serveReviews();
    await using shop = await openGateway({ drainMs: 60_000 });
    await shop.apply({ products, reviews });
    const events = Array.fromAsync(await subscribe(shop));
    const running = shop.query('mutation { rename(id: 1, name: "Last") { name } }');
    await until(() => products.open === 1);
    const drained = shop.gateway.drain();
    const refused = await shop.query("{ __typename }");
    assert.equal(refused.errors?.[0]?.extensions?.["code"], "DRAINING");
    await assert.rejects(shop.apply({ products }), { code: "draining" });
    assert.deepEqual((await running).data, { rename: { name: "Last" } });
    await drained;
    assert.equal(JSON.parse((await events)[0]?.data ?? "").errors[0].extensions.code, "DRAINING");
  });

  it("does not wait when nothing runs", async () => {
    await using products = await serveProducts();
    await using shop = await openGateway({ drainMs: 60_000 });
    await shop.apply({ products });
    await shop.gateway.drain();
  });
});
