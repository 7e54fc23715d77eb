import assert from "node:assert/strict";
import type { IncomingMessage, ServerResponse } from "node:http";
import { describe, it } from "node:test";
import { scopeOf } from "../testing/test-gateway.ts";
import { until } from "../testing/test-until.ts";
import { failureOf, mutation, query, withService } from "../testing/test-upstream.ts";

/** Answers when told to, each request with its number. */
function held() {
  const waiting: ServerResponse[] = [];
  const seen: IncomingMessage[] = [];
  return {
    waiting,
    seen,
    answer: (response: ServerResponse, request: IncomingMessage) => {
      seen.push(request);
      waiting.push(response);
    },
    release: () => {
      for (const [n, response] of waiting.splice(0).entries()) {
        response.setHeader("set-cookie", `a=${n}`);
        response.end(JSON.stringify({ data: { n } }));
      }
    },
  };
}

const asks = (authorization: string, more: Record<string, string> = {}) =>
  scopeOf({ headers: { authorization, ...more } });

describe("equal queries of one caller", () => {
  it("are sent once while one is under way, and each gets a result of its own", () => {
    const { answer, release, seen } = held();
    return withService(answer, async (parts) => {
      const { upstream, target } = parts;
      const all = [
        upstream.execute(target, query, asks("a", { traceparent: "1" })),
        upstream.execute(target, query, asks("a", { traceparent: "2" })),
      ];
      await until(() => seen.length === 1);
      release();
      const [one, other] = await Promise.all(all);
      assert.deepEqual(one, { data: { n: 0 } });
      assert.deepEqual(one, other);
      assert.notEqual(one?.data, other?.data);
      assert.equal(parts.shared, 1);
      assert.equal(seen.length, 1);
    });
  });

  it("are sent once also when headers of another service go to the client", () => {
    const { answer, release, seen } = held();
    return withService(
      answer,
      async (parts) => {
        const all = [1, 2].map(() => parts.upstream.execute(parts.target, query, asks("a")));
        await until(() => seen.length === 1);
        release();
        await Promise.all(all);
        assert.equal(parts.shared, 1);
      },
      { headers: { response: [{ name: "set-cookie", services: ["users"] }] } },
    );
  });

  it("are given up when nobody waits for the answer any more, and not before", () => {
    const { answer, waiting, release } = held();
    return withService(answer, async ({ upstream, target, service }) => {
      const leavers = [new AbortController(), new AbortController(), new AbortController()];
      const [first, second, third] = leavers.map(({ signal }) =>
        upstream.execute(target, query, { ...asks("a"), signal }),
      );
      await until(() => waiting.length === 1);
      leavers[0]?.abort();
      await failureOf(first as Promise<unknown>);
      assert.equal(service.open, 1);
      leavers[1]?.abort();
      leavers[2]?.abort();
      await failureOf(second as Promise<unknown>);
      await failureOf(third as Promise<unknown>);
      await until(() => service.open === 0);
      const later = upstream.execute(target, query, asks("a"));
      await until(() => waiting.length === 2);
      release();
      assert.deepEqual(await later, { data: { n: 1 } });
    });
  });

  it("are sent again once a mutation has ended: what is under way may be older", () => {
    const { answer, release, seen } = held();
    const direct = (response: ServerResponse, request: IncomingMessage) =>
      request.url === "/now" ? response.end(`{"data":{}}`) : answer(response, request);
    return withService(direct, async ({ upstream, target }) => {
      const before = upstream.execute(target, query, asks("a"));
      await until(() => seen.length === 1);
      await upstream.execute({ ...target, path: "/now" }, mutation, asks("a"));
      const after = upstream.execute(target, query, asks("a"));
      await until(() => seen.length === 2);
      release();
      assert.deepEqual(await Promise.all([before, after]), [{ data: { n: 0 } }, { data: { n: 1 } }]);
    });
  });
});

describe("queries that are not equal", () => {
  const other = { ...query, variables: { a: 1 } };
  for (const [what, target, request, scope] of [
    ["of another caller", {}, query, asks("b")],
    ["with a header more", {}, query, asks("a", { "accept-language": "de" })],
    ["with other baggage, which may name a tenant", {}, query, asks("a", { baggage: "tenant=b" })],
    ["with a header less", {}, query, scopeOf()],
    ["with other variables", {}, other, asks("a")],
    ["to another service", { host: "other.acme.catalyst.internal" }, query, asks("a")],
    ["for the schema", {}, { ...query, label: "schema request" as const }, asks("a")],
    ["that are mutations", {}, mutation, asks("a")],
  ] as const) {
    it(`are sent each: ${what}`, () => {
      const { answer, release, seen } = held();
      return withService(answer, async (parts) => {
        const first = parts.upstream.execute(parts.target, query, asks("a"));
        const second = parts.upstream.execute({ ...parts.target, ...target }, request, scope);
        await until(() => seen.length === 2);
        release();
        await Promise.all([first, second]);
        assert.equal(parts.shared, 0);
      });
    });
  }

  it("are all, when a header of the answer goes to the client: each gets a cookie of its own", () => {
    const { answer, release, seen } = held();
    return withService(
      answer,
      async (parts) => {
        const sinks = [new Map<string, readonly string[]>(), new Map<string, readonly string[]>()];
        const all = sinks.map((sink) =>
          parts.upstream.execute(parts.target, query, { ...asks("a"), answer: sink }),
        );
        await until(() => seen.length === 2);
        release();
        await Promise.all(all);
        assert.deepEqual(
          sinks.map((sink) => sink.get("set-cookie")),
          [["a=0"], ["a=1"]],
        );
        assert.equal(parts.shared, 0);
      },
      { headers: { response: [{ prefix: "set-", services: ["reviews"] }] } },
    );
  });

  it("are all, when dedupe is off", () => {
    const { answer, release, seen } = held();
    return withService(
      answer,
      async ({ upstream, target }) => {
        const all = [upstream.execute(target, query, asks("a")), upstream.execute(target, query, asks("a"))];
        await until(() => seen.length === 2);
        release();
        await Promise.all(all);
      },
      { options: { dedupe: false } },
    );
  });
});
