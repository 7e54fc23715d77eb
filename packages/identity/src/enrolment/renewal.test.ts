import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { backdateMs, certificateLifetimes } from "../certificate/authority.ts";
import { type Renewal, renewalNeed, renewalStep, startRenewal } from "./renewal.ts";

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;
const lifeAt = (now: number) => ({
  notBefore: now - backdateMs,
  notAfter: now + certificateLifetimes.leafMs,
});

/** A node in virtual time: it asks when that is due, and the root authority answers while it is there. */
function live(until: number, isThere: (now: number) => boolean, stepMs = minuteMs / 2) {
  let renewal: Renewal = startRenewal(lifeAt(0));
  let renewals = 0;
  let attempts = 0;
  for (let now = 0; now <= until; now += stepMs) {
    const need = renewalNeed(renewal, now);
    if (need.kind === "expired") return { endedAt: need.since, renewals, attempts };
    if (need.kind === "none") continue;
    attempts += 1;
    if (isThere(now)) renewals += 1;
    renewal = renewalStep(
      renewal,
      isThere(now) ? { kind: "renewed", ...lifeAt(now) } : { kind: "failed", at: now },
    );
  }
  return { endedAt: null, renewals, attempts };
}

test("a node renews at half of its certificates' life, for as long as its root is there", () => {
  const { endedAt, renewals, attempts } = live(30 * 24 * hourMs, () => true);
  assert.equal(endedAt, null);
  assert.equal(renewals, 60);
  assert.equal(attempts, renewals);
});

test("a node lives for 11 h 59 min at least and a day at most after its root went away", () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 10 * 24 * hourMs }), (goneAt) => {
      const { endedAt } = live(14 * 24 * hourMs, (now) => now < goneAt);
      assert.ok(endedAt !== null);
      const left = endedAt - goneAt;
      assert.ok(left >= 12 * hourMs - minuteMs, `${left / hourMs} h`);
      assert.ok(left <= 24 * hourMs);
    }),
    { numRuns: 100 },
  );
});

test("a root that is away for 11 hours at any time ends no node", () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 5 * 24 * hourMs }), (from) => {
      const { endedAt } = live(8 * 24 * hourMs, (now) => now < from || now >= from + 11 * hourMs);
      assert.equal(endedAt, null);
    }),
    { numRuns: 100 },
  );
});

test("a node whose root is away asks after 1, 2, 4, 8 minutes and then every 15", () => {
  const asked: number[] = [];
  live(14 * hourMs, (now) => {
    asked.push(now);
    return false;
  });
  const times = asked.filter((now, at) => asked.indexOf(now) === at);
  const pauses = times.slice(1, 8).map((now, at) => (now - (times[at] ?? 0)) / minuteMs);
  assert.deepEqual(pauses, [1, 2, 4, 8, 15, 15, 15]);
});

test("an expired certificate is not renewed: its node joins again", () => {
  const renewal = startRenewal(lifeAt(0));
  const end = certificateLifetimes.leafMs;
  assert.deepEqual(renewalNeed(renewal, end), { kind: "expired", since: end });
  assert.equal(renewalNeed(renewal, end - 1).kind, "renew");
});

test("a clock that was set back puts no renewal off", () => {
  const failed = renewalStep(startRenewal(lifeAt(0)), { kind: "failed", at: 20 * hourMs });
  assert.equal(renewalNeed(failed, 13 * hourMs).kind, "renew");
});
