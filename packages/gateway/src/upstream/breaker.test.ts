import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { scopeOf } from "../testing/test-gateway.ts";
import { failureOf, query, withService } from "../testing/test-upstream.ts";
import { admit, type Breaker, closedBreaker, step } from "./breaker.ts";

const options = { enabled: true, failureRatio: 0.5, minRequests: 10, windowMs: 1_000, openMs: 200 };
const open: Breaker = { kind: "open", until: 200 };

describe("a breaker", () => {
  it("opens when, of enough requests within the window, the given share has failed", () => {
    const outcome = fc.record({ failed: fc.boolean(), afterMs: fc.integer({ min: 0, max: 300 }) });
    fc.assert(
      fc.property(fc.array(outcome, { maxLength: 60 }), (outcomes) => {
        let breaker = closedBreaker(0);
        let now = 0;
        const seen: { at: number; failed: boolean }[] = [];
        for (const { failed, afterMs } of outcomes) {
          now += afterMs;
          seen.push({ at: now, failed });
          breaker = step(breaker, { by: "call", what: failed ? "failed" : "succeeded" }, now, options);
          const failures = (withinMs: number) =>
            seen.filter(({ at, failed }) => failed && at > now - withinMs);
          const all = (withinMs: number) => seen.filter(({ at }) => at > now - withinMs);
          if (breaker.kind === "closed") continue;
          // The window is kept in halves, each of which goes on until a request comes: that much longer it may be.
          const longest = 1.5 * options.windowMs;
          assert.ok(failed && all(longest).length >= options.minRequests);
          assert.ok(failures(longest).length * 2 >= all(options.windowMs / 2).length);
          return;
        }
      }),
    );
  });

  it("opens at once when there are nothing but failures", () => {
    let breaker = closedBreaker(0);
    for (let i = 0; i < options.minRequests; i++) {
      assert.equal(breaker.kind, "closed");
      breaker = step(breaker, { by: "call", what: "failed" }, i, options);
    }
    assert.deepEqual(breaker, { kind: "open", until: options.minRequests - 1 + options.openMs });
  });

  it("forgets failures that are older than the window", () => {
    let breaker = closedBreaker(0);
    for (let i = 0; i < 9; i++) breaker = step(breaker, { by: "call", what: "failed" }, i, options);
    breaker = step(breaker, { by: "call", what: "failed" }, 1_100, options);
    assert.equal(breaker.kind, "closed");
  });

  it("refuses while it is open, then lets one request at a time try", () => {
    assert.equal(admit(open, 199), "refuse");
    assert.equal(admit(open, 200), "probe");
    const probing = step(open, { by: "probe", what: "sent" }, 200, options);
    assert.equal(admit(probing, 201), "refuse");
    const dropped = step(probing, { by: "probe", what: "dropped" }, 202, options);
    assert.equal(admit(dropped, 203), "probe");
  });

  it("closes when that request succeeds, and opens again when it fails", () => {
    const probing = step(open, { by: "probe", what: "sent" }, 200, options);
    assert.equal(step(probing, { by: "probe", what: "succeeded" }, 210, options).kind, "closed");
    assert.deepEqual(step(probing, { by: "probe", what: "failed" }, 210, options), {
      kind: "open",
      until: 410,
    });
  });

  it("is never stuck: whatever happened, a request that succeeds after openMs closes it", () => {
    const what = fc.constantFrom("sent", "succeeded", "failed", "dropped");
    const event = fc.record({ by: fc.constantFrom("call", "probe"), what, afterMs: fc.nat({ max: 300 }) });
    fc.assert(
      fc.property(fc.array(event), (events) => {
        let breaker = closedBreaker(0);
        let now = 0;
        let probing = false;
        for (const { by, what, afterMs } of events) {
          now += afterMs;
          // Only what was admitted is sent, and only the request that was sent as a try ends as one.
          if (what === "sent" && admit(breaker, now) !== by) continue;
          if (by === "probe" && what !== "sent" && !probing) continue;
          probing = by === "probe" ? what === "sent" : probing;
          breaker = step(breaker, { by, what }, now, options);
        }
        if (probing) breaker = step(breaker, { by: "probe", what: "dropped" }, now, options);
        now += options.openMs;
        const by = admit(breaker, now);
        assert.notEqual(by, "refuse");
        if (by === "refuse") return;
        for (const what of ["sent", "succeeded"] as const)
          breaker = step(breaker, { by, what }, now, options);
        assert.equal(breaker.kind, "closed");
      }),
    );
  });
});

describe("a service that fails", () => {
  const settings = { options: { retries: 0, breaker: { minRequests: 5, openMs: 1_000 } } };

  it("is left alone, told so with when it is tried again, and asked again once it answers", async () => {
    let asked = 0;
    let well = false;
    await withService(
      (response) => {
        asked += 1;
        response.writeHead(well ? 200 : 503).end(`{"data":{"a":1}}`.slice(well ? 0 : 5));
      },
      async ({ upstream, target, breaker, failures }) => {
        const ask = () => upstream.execute(target, query, scopeOf());
        for (let i = 0; i < 5; i++) await failureOf(ask());
        const { code, message } = await failureOf(ask());
        assert.equal(code, "service_unavailable");
        assert.match(message, /^fails too often to be sent the request: it is tried again in [01]\.\d s$/);
        assert.equal(asked, 5);
        assert.equal(
          failures.reasonOf("reviews"),
          "requests fail: answered 503 to the request; so many that it is left alone but for one every 1000 ms",
        );
        await upstream
          .execute(target, { ...query, label: "schema request" }, scopeOf())
          .catch(() => undefined);
        assert.equal(asked, 6, "requests for the schema go through");
        well = true;
        await new Promise((resolve) => setTimeout(resolve, 1_010));
        assert.deepEqual(await ask(), { data: { a: 1 } });
        assert.deepEqual(breaker, ["open", "half_open", "closed"]);
        assert.equal(failures.reasonOf("reviews"), null);
      },
      settings,
    );
  });

  it("is not left alone for errors of GraphQL, nor for answers that are none", () =>
    withService(
      (response) =>
        response.writeHead(response.req.url === "/graphql" ? 200 : 404).end(`{"errors":[{"message":"no"}]}`),
      async ({ upstream, target, breaker }) => {
        for (let i = 0; i < 30; i++) await upstream.execute(target, query, scopeOf());
        for (let i = 0; i < 30; i++) await upstream.execute({ ...target, path: "/" }, query, scopeOf());
        assert.deepEqual(breaker, []);
      },
      settings,
    ));

  it("is asked at once when it was declared anew", () =>
    withService(
      (response) => response.writeHead(503).end(),
      async ({ upstream, target }) => {
        for (let i = 0; i < 6; i++) await failureOf(upstream.execute(target, query, scopeOf()));
        upstream.forget("reviews");
        const { message } = await failureOf(upstream.execute(target, query, scopeOf()));
        assert.equal(message, "answered 503 to the request");
      },
      settings,
    ));
});
