import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { networkOf } from "./half-open.ts";
import { Rate, RatePerKey } from "./rate.ts";

const limit = fc.record({
  burst: fc.integer({ min: 1, max: 20 }),
  intervalMs: fc.integer({ min: 1, max: 1_000 }),
});

test("in any time no more happens than the bucket held and what came into it, and whoever waits as told is let in", () => {
  fc.assert(
    fc.property(limit, fc.array(fc.nat(2_000), { maxLength: 100 }), (given, gaps) => {
      const rate = new Rate(given);
      const taken: number[] = [];
      let now = 1e9 + 0.25;
      for (const gap of gaps) {
        now += gap;
        const wait = rate.take(now);
        if (wait === 0) taken.push(now);
        else {
          assert.ok(Number.isInteger(wait) && wait <= given.intervalMs);
          now += wait;
          assert.equal(rate.take(now), 0);
          taken.push(now);
        }
      }
      taken.forEach((from, at) => {
        taken.slice(at).forEach((until, further) => {
          const allowed = given.burst + (until - from) / given.intervalMs;
          assert.ok(further + 1 <= allowed + 0.5, `${further + 1} in ${until - from} ms`);
        });
      });
    }),
  );
});

test("each key has a rate of its own; those that have rested are forgotten, and of the others the oldest beyond 4,096", () => {
  const rates = new RatePerKey({ burst: 1, intervalMs: 100 });
  assert.equal(rates.take("a", 0), 0);
  assert.equal(rates.take("b", 50), 0);
  assert.equal(rates.take("a", 60), 40);
  assert.equal(rates.take("c", 1_000), 0);
  assert.deepEqual([...rates.rates.keys()], ["c"]);
  for (let at = 0; at < 10_000; at++) rates.take(`k${at}`, 1_001);
  assert.equal(rates.rates.size, 4_096);
});

test("all addresses of a /64 of IPv6 count as one, each of IPv4 alone", () => {
  for (const [address, network] of [
    ["192.0.2.1", "192.0.2.1"],
    ["::ffff:192.0.2.1", "::ffff:192.0.2.1"],
    ["::1", "0:0:0:0::/64"],
    ["2001:db8::1", "2001:db8:0:0::/64"],
    ["2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"],
    ["2001::a:b:c:d:e:f", "2001:0:a:b::/64"],
    ["nowhere", "nowhere"],
  ] as const) {
    assert.equal(networkOf(address), network);
  }
});
