import assert from "node:assert/strict";
import type { ServerResponse } from "node:http";
import { describe, it } from "node:test";
import { scopeOf } from "../testing/test-gateway.ts";
import { failureOf, mutation, query, withService } from "../testing/test-upstream.ts";
import { RetryBudget } from "./retry.ts";

const ok = `{"data":{"a":1}}`;

/** Fails the first request in some way, and answers from the second on. */
function onceBad(bad: (response: ServerResponse) => unknown): (response: ServerResponse) => void {
  let asked = 0;
  return (response) => {
    asked += 1;
    if (asked === 1) bad(response);
    else response.end(ok);
  };
}

const options = { retries: 1 };

describe("a query", () => {
  for (const [what, bad] of [
    ["answered 502", (r: ServerResponse) => r.writeHead(502).end()],
    ["answered 503", (r: ServerResponse) => r.writeHead(503).end()],
    ["asked for a second of patience", (r: ServerResponse) => r.writeHead(503, { "retry-after": "1" }).end()],
    ["broke the connection before a byte", (r: ServerResponse) => r.destroy()],
  ] as const) {
    it(`is sent again when the service ${what}`, () =>
      withService(
        onceBad(bad),
        async (parts) => {
          assert.deepEqual(await parts.upstream.execute(parts.target, query, scopeOf()), { data: { a: 1 } });
          assert.equal(parts.retried, 1);
          assert.deepEqual(parts.outcomes, ["ok"]);
        },
        { options },
      ));
  }

  for (const [what, bad] of [
    ["answered 500", (r: ServerResponse) => r.writeHead(500).end()],
    ["answered 404", (r: ServerResponse) => r.writeHead(404).end()],
    [
      "asked for more patience than there is",
      (r: ServerResponse) => r.writeHead(503, { "retry-after": "9" }).end(),
    ],
    ["broke the connection in the middle", (r: ServerResponse) => r.write("{", () => r.destroy())],
  ] as const) {
    it(`is not sent again when the service ${what}`, () =>
      withService(
        onceBad(bad),
        async (parts) => {
          await failureOf(parts.upstream.execute(parts.target, query, scopeOf()));
          assert.equal(parts.retried, 0);
        },
        { options },
      ));
  }

  it("is not sent again when its time would be over", () =>
    withService(
      onceBad((response) => setTimeout(() => response.writeHead(503).end(), 90)),
      async (parts) => {
        await failureOf(parts.upstream.execute(parts.target, query, scopeOf()));
        assert.equal(parts.retried, 0);
      },
      { options, target: { timeoutMs: 100 } },
    ));
});

describe("a mutation", () => {
  it("is not sent again, whatever the service answered", () =>
    withService(
      onceBad((response) => response.writeHead(503).end()),
      async (parts) => {
        await failureOf(parts.upstream.execute(parts.target, mutation, scopeOf()));
        assert.equal(parts.retried, 0);
      },
      { options },
    ));

  it("is sent again when nothing of it was sent, because nothing listened", () =>
    withService(
      (response) => response.end(ok),
      async (parts) => {
        await parts.service.stop();
        await failureOf(parts.upstream.execute(parts.target, mutation, scopeOf()));
        assert.equal(parts.retried, 1);
      },
      { options },
    ));
});

describe("retries", () => {
  it("are a fifth of the requests at the most, after the first ten", () => {
    const budget = new RetryBudget();
    let spent = 0;
    for (let request = 0; request < 1_000; request++) {
      budget.earn();
      if (budget.spend()) spent += 1;
    }
    assert.ok(spent <= 1_000 / 5 + 10 && spent >= 1_000 / 5, `${spent}`);
  });

  it("of a service that is sick do not become a storm", async () => {
    let asked = 0;
    await withService(
      (response) => {
        asked += 1;
        response.writeHead(503).end();
      },
      async ({ upstream, target }) => {
        const all = Array.from({ length: 200 }, (_, i) =>
          failureOf(upstream.execute(target, { ...query, variables: { i } }, scopeOf())),
        );
        await Promise.all(all);
        assert.ok(asked <= 200 + 40 + 10, `${asked} requests for 200`);
      },
      { options: { retries: 3, breaker: { enabled: false } } },
    );
  });
});
