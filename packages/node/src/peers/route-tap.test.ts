import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { encodeAttributes, encodeUpdate, Speaker } from "@catalyst/peering";
import type { RouteEventView, RouteWatch } from "@catalyst/rpc";
import fc from "fast-check";
import { RouteTap, type RouteTapOptions } from "./route-tap.ts";
import { EventRing } from "./route-tap-ring.ts";

const domain = "acme.catalyst.internal";
const [n0, n1, n2] = ["n0", "n1", "n2"].map((name) => `${name}.${domain}`) as [string, string, string];
const now = { instant: 0, wall: 1_800_000_000 };

function nextHopOf(node: string) {
  const spiffeId = `spiffe://${domain}/node/${node.split(".")[0]}/envoy`;
  return { host: "192.0.2.1", port: 10_443, sni: node, spiffeId };
}

/** A speaker with two peers, and a tap on it. */
function tapped(options: Partial<RouteTapOptions> = {}) {
  const speaker = new Speaker({ node: n0, domain, nextHop: nextHopOf(n0) });
  for (const peer of [n1, n2]) speaker.step({ kind: "up", peer, domain }, now);
  return { speaker, tap: new RouteTap({ speaker, node: n0, domain }, options) };
}

function announce(speaker: Speaker, peer: string, services: readonly string[], metric = 0): void {
  const attributes = encodeAttributes({
    ...{ organisation: domain, protocol: "http", nextHop: nextHopOf(peer), nodePath: [peer], orgPath: [] },
    ...{ localPref: 100, metric, noExport: false, expiry: null },
    ...{ labels: new Map([["stage", "live"]]), schemaDigest: null, originFact: null },
  });
  const names = services.map((name) => `${name}.${domain}`);
  const announced = { origin: peer, attributes, services: names, healthy: true };
  speaker.step({ kind: "message", peer, bytes: encodeUpdate({ withdrawn: [], announced }) }, now);
}

function show(event: RouteEventView): string {
  if (event.event === "lost") return `lost ${event.count}`;
  if (event.event === "route") return `${event.change} ${event.route.service} from ${event.route.peer}`;
  return event.event === "best" ? `best ${event.service}` : `${event.event} ${event.peer}`;
}

describe("a tap on the routes of a node", () => {
  test("answers a call that waits as soon as something happens, with all of it, and nothing twice", async () => {
    const { speaker, tap } = tapped();
    const first = await tap.watch({});
    assert.deepEqual([first.node, first.events], [n0, []]);
    const waiting = tap.watch({ after: first.next });
    announce(speaker, n1, ["products"], 7);
    const { events, next } = await waiting;
    const route = {
      ...{ service: `products.${domain}`, peer: n1, origin: n1, protocol: "http", healthy: true },
      ...{ nextHop: "192.0.2.1:10443", nodePath: [n1], localPref: 100, metric: 7, labels: { stage: "live" } },
      rule: "default: own organisation",
    };
    const at = "2027-01-15T08:00:00.000Z";
    assert.deepEqual(events, [
      { at, event: "route", change: "announced", route, accepted: true, changed: [], reason: null },
      { at, event: "best", service: route.service, route, criterion: null, alternates: 0 },
    ]);
    const more = tap.watch({ after: next });
    announce(speaker, n1, ["products"], 8);
    const [changed] = (await more).events;
    assert.deepEqual(changed?.event === "route" && [changed.change, changed.changed], [
      "changed",
      ["metric"],
    ]);
    tap[Symbol.dispose]();
  });

  test("gives each what its filter lets through: services by pattern, sessions and routes by peer", async () => {
    const { speaker, tap } = tapped();
    const filters: RouteWatch[] = [
      { service: "products" },
      { service: "s*.acme.*" },
      { peer: "n2" },
      { peer: n1, service: "stock" },
    ];
    const begun: RouteWatch[] = [];
    for (const filter of filters) begun.push({ ...filter, after: (await tap.watch(filter)).next });
    announce(speaker, n1, ["products", "stock"]);
    announce(speaker, n2, ["stock"], 1);
    speaker.step({ kind: "down", peer: n2, retain: false }, now);
    const seen = await Promise.all(begun.map((filter) => tap.watch(filter)));
    const [products, stock] = [`products.${domain}`, `stock.${domain}`];
    assert.deepEqual(
      seen.map(({ events }) => events.map(show)),
      [
        [`announced ${products} from ${n1}`, `best ${products}`, `session_down ${n2}`],
        [
          ...[`announced ${stock} from ${n1}`, `best ${stock}`, `announced ${stock} from ${n2}`],
          ...[`session_down ${n2}`, `swept ${stock} from ${n2}`],
        ],
        [`announced ${stock} from ${n2}`, `session_down ${n2}`, `swept ${stock} from ${n2}`],
        [`announced ${stock} from ${n1}`, `best ${stock}`],
      ],
    );
    tap[Symbol.dispose]();
  });

  test("tells a slow reader how many events it lost, and nobody else loses any", async () => {
    const { speaker, tap } = tapped({ keep: { maxEvents: 10, maxBytes: 1_000_000 } });
    const { next: all } = await tap.watch({});
    const { next: one } = await tap.watch({ service: "s7" });
    announce(
      speaker,
      n1,
      Array.from({ length: 50 }, (_, at) => `s${at}`),
    );
    const slow = await tap.watch({ after: all });
    assert.deepEqual([slow.events.length, slow.events.map(show)[0], slow.next - all], [11, "lost 90", 100]);
    assert.deepEqual((await tap.watch({ service: "s7", after: one })).events.map(show), [
      `announced s7.${domain} from ${n1}`,
      `best s7.${domain}`,
    ]);
    tap[Symbol.dispose]();
  });

  test("gives much in several answers, of which each begins where the one before ended", async () => {
    const { speaker, tap } = tapped({ answer: { maxEvents: 7, maxBytes: 1_000_000 } });
    let { next } = await tap.watch({});
    announce(speaker, n1, ["a", "b", "c", "d", "e"]);
    const seen: string[] = [];
    while (seen.length < 10) {
      const answer = await tap.watch({ after: next });
      assert.ok(answer.events.length <= 7);
      seen.push(...answer.events.map(show));
      next = answer.next;
    }
    assert.deepEqual(seen, [...new Set(seen)]);
    tap[Symbol.dispose]();
  });

  test("is off before anybody asks, and some time after the last call; who comes then is told that something is missing", async () => {
    const { speaker, tap } = tapped({ idleMs: 20, patienceMs: 40 });
    assert.equal(speaker.tap, null);
    const first = await tap.watch({});
    announce(speaker, n1, ["products"]);
    const { next } = await tap.watch({ after: first.next });
    assert.deepEqual(await tap.watch({ after: next }), { node: n0, next, events: [] });
    assert.notEqual(speaker.tap, null);
    const deadline = Date.now() + 5_000;
    while (speaker.tap !== null && Date.now() < deadline) await sleep(5);
    assert.equal(speaker.tap, null);
    announce(speaker, n1, ["products"], 1);
    const missed = await tap.watch({ after: next });
    assert.deepEqual(missed.events.map(show), ["lost null"]);
    announce(speaker, n1, ["products"], 2);
    const { events } = await tap.watch({ after: missed.next });
    assert.equal(events.map(show)[0], `changed products.${domain} from ${n1}`);
    tap[Symbol.dispose]();
  });

  test("refuses more different filters than it keeps events for, and answers everybody when it ends", async () => {
    const { speaker, tap } = tapped({ maxFeeds: 2 });
    const { next: all } = await tap.watch({});
    const { next: one } = await tap.watch({ peer: "n1" });
    await assert.rejects(tap.watch({ peer: "n2" }), { code: "busy" });
    const waiting = [{ after: all }, { after: all }, { peer: "n1", after: one }].map((what) =>
      tap.watch(what),
    );
    tap[Symbol.dispose]();
    for (const { events } of await Promise.all(waiting)) assert.deepEqual(events, []);
    await assert.rejects(tap.watch({ after: all }), { code: "draining" });
    assert.equal(speaker.tap, null);
  });
});

test("a ring gives every event once and in order, or counts it as lost, and keeps within its limits", () => {
  const sizes = fc.array(fc.integer({ min: 1, max: 30 }), { maxLength: 60 });
  const limits = fc.record({
    maxEvents: fc.integer({ min: 1, max: 20 }),
    maxBytes: fc.integer({ min: 1, max: 200 }),
  });
  fc.assert(
    fc.property(
      sizes,
      limits,
      limits,
      fc.nat(1_000),
      fc.integer({ min: 1, max: 7 }),
      (all, keep, answer, begin, every) => {
        const ring = new EventRing<{ number: number; bytes: number }>(keep, begin);
        let [seen, lost] = [begin, 0];
        const drain = () => {
          while (seen < ring.last) {
            const reading = ring.read(seen, answer);
            assert.ok(reading.events.length > 0 && reading.events.length <= answer.maxEvents);
            lost += reading.lost ?? assert.fail();
            seen += reading.lost ?? 0;
            for (const { number } of reading.events) assert.equal(number, ++seen);
            assert.equal(reading.next, seen);
          }
        };
        for (const [at, bytes] of all.entries()) {
          ring.push({ number: begin + at + 1, bytes }, bytes);
          const kept = ring.read(begin - 1, { maxEvents: 1_000, maxBytes: 1_000_000 }).events;
          const sum = kept.reduce((total, each) => total + each.bytes, 0);
          assert.ok(kept.length <= keep.maxEvents && (sum <= keep.maxBytes || kept.length === 1));
          if (at % every === 0) drain();
        }
        drain();
        assert.equal(seen - begin, all.length);
        assert.ok(lost < Math.max(1, all.length));
      },
    ),
  );
});
