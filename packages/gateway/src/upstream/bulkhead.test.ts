import assert from "node:assert/strict";
import type { ServerResponse } from "node:http";
import { it } from "node:test";
import { scopeOf } from "../testing/test-gateway.ts";
import { until } from "../testing/test-until.ts";
import { failureOf, query, withService } from "../testing/test-upstream.ts";

const options = { retries: 0, dedupe: false, connections: 8, perService: { concurrency: 2, queue: 2 } };

it("one service gets so many requests at a time, as many wait for their turn, and more are refused at once", async () => {
  const waiting: ServerResponse[] = [];
  await withService(
    (response) => waiting.push(response),
    async ({ upstream, target, service }) => {
      const four = Array.from({ length: 4 }, () => upstream.execute(target, query, scopeOf()));
      const { code, message } = await failureOf(upstream.execute(target, query, scopeOf()));
      assert.equal(code, "service_unavailable");
      assert.equal(message, "has too many requests already to be sent the request");
      await until(() => waiting.length === 2);
      assert.equal(service.open, 2);
      for (let answered = 0; answered < 4; answered++) {
        await until(() => waiting.length > 0);
        waiting.shift()?.end(`{"data":{"a":1}}`);
      }
      assert.equal((await Promise.all(four)).length, 4);
    },
    { options },
  );
});

it("who waits for a turn and gives up, or has no time left, leaves the place to others", async () => {
  const waiting: ServerResponse[] = [];
  await withService(
    (response) => waiting.push(response),
    async ({ upstream, target, breaker }) => {
      const leaver = new AbortController();
      const running = [1, 2].map(() => upstream.execute(target, query, scopeOf()));
      const left = failureOf(upstream.execute(target, query, scopeOf({ signal: leaver.signal })));
      const late = failureOf(upstream.execute({ ...target, timeoutMs: 50 }, query, scopeOf()));
      leaver.abort();
      assert.equal((await left).message, "was not waited for: the request was cancelled");
      assert.equal((await late).message, "did not answer the request within 50 ms");
      const next = upstream.execute(target, query, scopeOf());
      for (let answered = 0; answered < 3; answered++) {
        await until(() => waiting.length > 0);
        waiting.shift()?.end(`{"data":{"a":1}}`);
      }
      assert.equal((await Promise.all([...running, next])).length, 3);
      assert.deepEqual(breaker, []);
    },
    { options },
  );
});

it("a service that does not answer leaves the others their connections", async () => {
  await withService(
    (response, request) =>
      request.headers.host?.startsWith("slow.") ? undefined : response.end(`{"data":{}}`),
    async ({ upstream, target }) => {
      const slow = { ...target, name: "slow", host: "slow.acme.catalyst.internal", timeoutMs: 500 };
      const stuck = Array.from({ length: 20 }, () => failureOf(upstream.execute(slow, query, scopeOf())));
      const started = performance.now();
      for (let i = 0; i < 20; i++) await upstream.execute(target, query, scopeOf());
      assert.ok(performance.now() - started < 400, "they wait for nobody");
      await Promise.all(stuck);
    },
    { options },
  );
});
