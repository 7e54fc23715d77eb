import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import {
  type NodeUnderTest,
  plainService,
  type Subscriber,
  subscribeBySse,
  subscribeByWebSocket,
} from "@catalyst/harness";
import { organisation } from "./organisation.ts";

const query = "subscription { ticks }";

/** A service that counts in the subscriptions of all, from the moment when each of them begins. */
const ticking = () =>
  plainService("ticking", "type Query { now: Int! } type Subscription { ticks: Int! }", {
    Query: { now: () => 0 },
    Subscription: {
      ticks: {
        subscribe: async function* () {
          for (let ticks = 0; ; ticks++) {
            yield { ticks };
            await sleep(20);
          }
        },
      },
    },
  });

const both = (node: NodeUnderTest) =>
  Promise.all([subscribeBySse(node.endpoint, query), subscribeByWebSocket(node.endpoint, query)]);

const ticksOf = ({ results }: Subscriber) =>
  results.flatMap(({ data }) => (data === undefined || data === null ? [] : [Number(data["ticks"])]));

test("A subscription through a node that is restarted ends with what to do, loses no event before, and can be had again", async (t) => {
  await using service = await ticking();
  await using two = await organisation([{}, { services: [service.declaration] }]);
  const [n1] = two.nodes;
  assert.ok(n1);
  const isServed = async () => (await n1.query("{ now }")).body.errors === undefined;
  await n1.until("the service of the other node", 20_000, isServed);
  const open = await both(n1);
  await n1.until("events", 10_000, () => open.every(({ results }) => results.length > 5));
  assert.equal(await n1.stop(), 0);
  for (const subscriber of open) {
    const ticks = ticksOf(subscriber);
    t.diagnostic(`${subscriber.transport}: ${ticks.length} events, then ${subscriber.ended}`);
    assert.deepEqual(
      ticks,
      ticks.map((_, index) => index),
      `${subscriber.transport} lost an event`,
    );
    assert.match(JSON.stringify(subscriber.results.at(-1)), /"DRAINING"/, subscriber.transport);
    assert.equal(subscriber.ended, "complete", subscriber.transport);
  }
  await n1.restart();
  await n1.until("the service of the other node again", 20_000, isServed);
  const again = await both(n1);
  await n1.until("events again", 10_000, () => again.every(({ results }) => results.length > 5));
  for (const subscriber of again) subscriber[Symbol.dispose]();
});
