import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { queryObjects } from "node:v8";
import { openGateway, type TestGateway } from "./testing/test-gateway.ts";
import { serveProducts, serveRaw, serveReviews } from "./testing/test-services.ts";
import { until } from "./testing/test-until.ts";
import { readEventStream, type StreamEvent } from "./upstream/event-stream.ts";

type Events = AsyncGenerator<StreamEvent, void, undefined>;

async function subscribe(shop: TestGateway): Promise<Events> {
  const query = "subscription { reviewAdded { body product { name } } }";
  const headers = { "content-type": "application/json", accept: "text/event-stream" };
  const response = await fetch(shop.url, { method: "POST", headers, body: JSON.stringify({ query }) });
  assert.ok(response.body);
  return readEventStream(response.body, 100_000);
}

/** Objects in memory that are in use. What the process has compiled is none, which grows for a long time. */
function counts(): { readonly objects: number; readonly promises: number } {
  const of = (what: typeof Object | typeof Promise) => Number(queryObjects(what, { format: "count" }));
  return { objects: of(Object), promises: of(Promise) };
}

/** How many more objects there are for each time that a step is done. */
async function growthOf(
  times: number,
  step: (time: number) => Promise<void>,
): Promise<ReturnType<typeof counts>> {
  // More than the history and the generations that are kept.
  for (let time = 0; time < 40; time++) await step(time);
  const before = counts();
  for (let time = 0; time < times; time++) await step(time);
  const after = counts();
  return {
    objects: (after.objects - before.objects) / times,
    promises: (after.promises - before.promises) / times,
  };
}

describe("a gateway that runs for long", () => {
  it("keeps nothing of a schema that was replaced, also where subscriptions are quiet", async () => {
    await using products = await serveProducts();
    await using reviews = await serveReviews();
    let swaps = 0;
    await using swapping = await serveRaw((_, response) => {
      const sdl = `type Query { swap${swaps}: Int }`;
      response.end(JSON.stringify({ data: { _service: { sdl } } }));
    });
    await using shop = await openGateway();
    await shop.apply({ products, reviews, swapping });
    const subscriptions = await Promise.all(Array.from({ length: 5 }, () => subscribe(shop)));
    const endings = subscriptions.map((events) => events.next());
    await until(() => reviews.open === 5);
    const growth = await growthOf(60, async () => {
      swaps += 1;
      await shop.gateway.refresh("swapping");
      assert.ok((await shop.query("{ products { name } }")).data);
      shop.log.length = 0;
      products.seen.length = 0;
    });
    assert.equal(shop.gateway.report().generation, swaps + 1);
    assert.ok(growth.promises < 1, `${growth.promises} more promises for each schema`);
    assert.ok(growth.objects < 10, `${growth.objects} more objects for each schema`);
    assert.equal(reviews.open, 5);
    await shop.gateway.drain();
    for (const { value } of await Promise.all(endings)) assert.match(value?.data ?? "", /DRAINING/);
  });

  it("keeps nothing of a subscription's events that were delivered", async () => {
    await using products = await serveProducts();
    await using reviews = await serveReviews();
    await using shop = await openGateway();
    await shop.apply({ products, reviews });
    const events = await subscribe(shop);
    const first = events.next();
    await until(() => reviews.open === 1);
    const deliver = async () => {
      await shop.query('mutation { addReview(productId: "1", body: "good") { id } }');
      shop.log.length = 0;
    };
    await deliver();
    await first;
    const growth = await growthOf(100, async () => {
      const next = events.next();
      await deliver();
      assert.match((await next).value?.data ?? "", /good/);
    });
    assert.ok(growth.promises < 0.5, `${growth.promises} more promises for each event`);
    await events.return();
  });
});
