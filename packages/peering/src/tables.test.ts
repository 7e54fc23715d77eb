import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { encodeAttributes } from "./attributes.ts";
import { encodeEndOfRib } from "./end-of-rib.ts";
import { encodeHealth } from "./health.ts";
import { TestPeers } from "./test-peers.ts";
import { attributesOf, n1, n2, n3, n4, service } from "./test-route.ts";
import { encodeUpdate } from "./update.ts";

const tellers = [n1, n2, n3];
const watcher = n4;
const origins = [n1, n2, "m1.acme.catalyst.internal", "m2.acme.catalyst.internal"];
const services = ["a", "b", "c"].map((label) => service(label));

const route = {
  peer: fc.constantFrom(...tellers),
  origin: fc.constantFrom(...origins),
  service: fc.constantFrom(...services),
};
const action = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant("announce"),
      ...route,
      metric: fc.nat(2),
      localPref: fc.constantFrom(100, 200),
      works: fc.boolean(),
    }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant("withdraw"), ...route }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("health"), ...route, healthy: fc.boolean() }) },
  fc.record({ kind: fc.constant("down"), peer: route.peer, retain: fc.boolean() }),
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("up"), peer: route.peer }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("end-of-rib"), peer: route.peer }) },
);
type Action = typeof action extends fc.Arbitrary<infer Value> ? Value : never;

/** A route as the log of events says that it is. */
type Told = {
  readonly peer: string;
  readonly origin: string;
  readonly service: string;
  readonly metric: number;
  readonly localPref: number;
  healthy: boolean;
  session: number;
};

/** Everything computed anew from all that has happened, without a table that is kept up to date. */
function replay(log: readonly Action[]): readonly Told[] {
  const told = new Map<string, Told>();
  const sessions = new Map(tellers.map((peer) => [peer, { up: false, number: 0 }]));
  const drop = (peer: string, isGone: (route: Told) => boolean) => {
    for (const [key, one] of told) if (one.peer === peer && isGone(one)) told.delete(key);
  };
  for (const event of log) {
    const session = sessions.get(event.peer) ?? assert.fail();
    if (event.kind === "up" && !session.up) {
      session.up = true;
      session.number += 1;
    }
    if (!session.up) {
      if (event.kind === "down" && "retain" in event && !event.retain) drop(event.peer, () => true);
      continue;
    }
    if (event.kind === "down" && "retain" in event) {
      session.up = false;
      if (!event.retain) drop(event.peer, () => true);
    }
    if (event.kind === "end-of-rib") drop(event.peer, (one) => one.session < session.number);
    if (!("origin" in event)) continue;
    const key = `${event.peer} ${event.origin} ${event.service}`;
    const before = told.get(key);
    if ("metric" in event) {
      const { peer, origin, service: name, metric, localPref, works: healthy } = event;
      told.set(key, { peer, origin, service: name, metric, localPref, healthy, session: session.number });
    } else if ("healthy" in event) {
      if (before?.session === session.number) before.healthy = event.healthy;
    } else told.delete(key);
  }
  return [...told.values()];
}

function perform(peers: TestPeers, event: Action): void {
  const { peer } = event;
  const isUp = peers.speaker.peers.get(peer)?.session !== null && peers.speaker.peers.has(peer);
  if ("retain" in event) peers.step({ kind: "down", peer, retain: event.retain });
  else if (event.kind === "up" && !isUp) peers.up(peer);
  else if (event.kind === "end-of-rib") peers.message(peer, encodeEndOfRib({ refresh: 0 }));
  if (!("origin" in event)) return;
  const lists = [{ origin: event.origin, services: [event.service] }];
  if ("metric" in event) {
    const { origin, metric, localPref } = event;
    const path = origin === peer ? [peer] : [peer, origin];
    const attributes = encodeAttributes(attributesOf(origin, path, { metric, localPref }));
    const announced = { origin, attributes, services: [event.service], healthy: event.works };
    peers.message(peer, encodeUpdate({ withdrawn: [], announced }));
  } else if ("healthy" in event) {
    const [unhealthy, healthy] = event.healthy ? [[], lists] : [lists, []];
    peers.message(peer, encodeHealth({ unhealthy, healthy }));
  } else peers.message(peer, encodeUpdate({ withdrawn: lists, announced: null }));
}

/** The order of spec/peering.md §5, written down once more. */
function better(a: Told, b: Told): number {
  const hops = ({ peer, origin }: Told) => (peer === origin ? 1 : 2);
  return (
    b.localPref - a.localPref ||
    Number(b.healthy) - Number(a.healthy) ||
    a.metric - b.metric ||
    hops(a) - hops(b) ||
    (a.origin < b.origin ? -1 : a.origin > b.origin ? 1 : a.peer < b.peer ? -1 : 1)
  );
}

/** What the watcher knows when it does what it is told, and nothing else. */
function mirror(peers: TestPeers): readonly string[] {
  const known = new Map<string, string>();
  for (const message of peers.told.get(watcher) ?? []) {
    if (message.kind === "update") {
      for (const { origin, services: gone } of message.withdrawn) {
        for (const name of gone) assert.ok(known.delete(`${name} ${origin}`), "withdrawn, and never told");
      }
      const { origin = "", services: come = [] } = message.announced ?? {};
      const health = message.announced?.healthy === false ? "unhealthy" : "healthy";
      for (const name of come) known.set(`${name} ${origin}`, health);
    }
    if (message.kind !== "health") continue;
    for (const [lists, health] of [
      [message.unhealthy, "unhealthy"],
      [message.healthy, "healthy"],
    ] as const) {
      for (const { origin, services: names } of lists)
        for (const name of names) known.set(`${name} ${origin}`, health);
    }
  }
  return [...known].map(([key, health]) => `${key} ${health}`).sort();
}

test("after any events the tables are what the whole log says, and peers know what they were told", () => {
  fc.assert(
    fc.property(fc.array(action, { maxLength: 60 }), (log) => {
      const peers = new TestPeers({ healthIntervalMs: 0, damping: { suppressAt: 1e9, ceiling: 1e9 } });
      peers.up(watcher);
      for (const event of log) perform(peers, event);
      const expected = replay(log);
      const best: string[] = [];
      for (const name of services) {
        const paths = expected.filter((one) => one.service === name).sort(better);
        assert.deepEqual(
          peers.speaker
            .paths(name)
            .map(({ source, received, healthy }) => [source.node, received.origin, healthy]),
          paths.map(({ peer, origin, healthy }) => [peer, origin, healthy]),
        );
        const first = new Map(paths.toReversed().map((one) => [one.origin, one]));
        for (const { origin, healthy } of first.values())
          best.push(`${name} ${origin} ${healthy ? "" : "un"}healthy`);
      }
      assert.deepEqual(mirror(peers), best.sort());
      assert.deepEqual(peers.closed, []);
    }),
    { numRuns: 500 },
  );
});
