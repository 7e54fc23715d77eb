import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { RouteEvent } from "./route-event.ts";
import type { SpeakerOptions } from "./speaker.ts";
import { TestPeers } from "./test-peers.ts";
import { n1, n2, n3, products, service, startWall } from "./test-route.ts";

const reviews = service("reviews");
const lost = { code: "connection_lost", text: "the connection ended", by: null } as const;

/** Peers around a speaker that is tapped; `seen` gives what it told since the last call, in one line each. */
function tapped(options: Partial<SpeakerOptions> = {}) {
  const peers = new TestPeers(options);
  const events: RouteEvent[] = [];
  peers.speaker.tap = (event) => void events.push(event);
  return { peers, events, seen: () => events.splice(0).map(show) };
}

const label = (name: string) => name.split(".")[0] ?? "";

function show(event: RouteEvent): string {
  if (event.kind === "session_up") return `up ${label(event.peer)}`;
  if (event.kind === "session_down") {
    return `down ${label(event.peer)} by ${event.end.code}, ${event.stale} stale`;
  }
  if (event.kind === "best") {
    const { path, criterion, alternates } = event;
    const how = path === null ? "none" : `through ${label(path.source.node)}`;
    return `best ${label(event.service)} ${how}, ${criterion ?? "alone"}, ${alternates} besides`;
  }
  const { change, path, reason } = event;
  const verdict = path.verdict.attributes === null ? `out by ${path.verdict.rule}` : "in";
  return `${change} ${label(path.service)} of ${label(path.source.node)} ${reason ?? verdict}`;
}

describe("a tap on the tables", () => {
  test("tells of a route that comes and goes, and of the best path by which criterion, in that order", () => {
    const { peers, seen } = tapped();
    peers.up(n1, n2);
    assert.deepEqual(seen(), ["up n1", "up n2"]);
    peers.announce(n2, [products]);
    assert.deepEqual(seen(), ["announced products of n2 in", "best products through n2, alone, 0 besides"]);
    peers.announce(n1, [products], { metric: 1 });
    assert.deepEqual(seen(), ["announced products of n1 in"]);
    peers.announce(n2, [products], { metric: 2 });
    assert.deepEqual(seen(), [
      "changed products of n2 in",
      "best products through n1, lower metric, 1 besides",
    ]);
    peers.withdraw(n1, [products]);
    peers.withdraw(n2, [products]);
    assert.deepEqual(seen(), [
      "withdrawn products of n1 in",
      "best products through n2, alone, 0 besides",
      "withdrawn products of n2 in",
      "best products none, alone, 0 besides",
    ]);
  });

  test("tells which rule kept a route out", () => {
    const closed = { name: "no products", match: { service: "products.*" }, action: "reject" } as const;
    const { peers, seen } = tapped({ import: [closed] });
    peers.up(n1);
    peers.announce(n1, [products]);
    assert.deepEqual(seen(), ["up n1", "announced products of n1 out by no products"]);
  });

  test("tells of a route that changed too often when it is taken again, and that nobody said anything new of it", () => {
    const { peers, seen } = tapped();
    peers.up(n1);
    for (let times = 0; times < 7; times++) {
      peers.announce(n1, [products]);
      peers.withdraw(n1, [products]);
    }
    peers.announce(n1, [products]);
    assert.equal(seen().at(-1), "announced products of n1 out by damped");
    peers.pass(240_000);
    assert.deepEqual(seen(), ["judged products of n1 in", "best products through n1, alone, 0 besides"]);
  });

  test("tells of health alone where nothing else changed", () => {
    const { peers, seen, events } = tapped();
    peers.up(n1, n2);
    peers.announce(n1, [products]);
    peers.announce(n2, [products]);
    seen();
    peers.health(n1, [products], false);
    assert.equal(events[0]?.kind === "route" && events[0].path.healthy, false);
    assert.deepEqual(seen(), ["unhealthy products of n1 in", "best products through n2, healthy, 1 besides"]);
    peers.announce(n1, [products]);
    assert.deepEqual(seen(), [
      "healthy products of n1 in",
      "best products through n1, lower origin, 1 besides",
    ]);
  });

  test("tells of routes that are stale, told again, or removed because they were not", () => {
    const { peers, seen } = tapped();
    peers.up(n1);
    peers.announce(n1, [products, reviews]);
    peers.endOfRib(n1);
    seen();
    peers.step({ kind: "down", peer: n1, retain: true, end: lost });
    assert.deepEqual(seen(), [
      "down n1 by connection_lost, 2 stale",
      "stale products of n1 in",
      "stale reviews of n1 in",
    ]);
    peers.up(n1);
    peers.announce(n1, [products]);
    peers.announce(n1, [products]);
    peers.endOfRib(n1);
    assert.deepEqual(seen(), [
      "up n1",
      "renewed products of n1 in",
      "swept reviews of n1 not_announced_again",
      "best reviews none, alone, 0 besides",
    ]);
  });

  test("tells why routes went of which nobody said that they do", () => {
    const { peers, seen } = tapped({ limits: { maxRoutes: 1 } });
    const gone = (reason: string) => [
      `swept products of n1 ${reason}`,
      "best products none, alone, 0 besides",
    ];
    peers.up(n1);
    peers.announce(n1, [products]);
    seen();
    peers.step({ kind: "down", peer: n1, retain: true });
    assert.deepEqual(seen(), ["down n1 by unknown, 1 stale", "stale products of n1 in"]);
    peers.pass(120_000);
    assert.deepEqual(seen(), gone("restart_time_over"));
    peers.up(n1);
    peers.announce(n1, [products]);
    peers.up(n1);
    seen();
    peers.announce(n1, [reviews]);
    assert.deepEqual(seen().slice(2, 4), [
      "down n1 by limit_routes, 0 stale",
      "swept products of n1 session_ended",
    ]);
    peers.up(n1);
    peers.announce(n1, [products]);
    peers.step({ kind: "down", peer: n1, retain: true, end: lost });
    seen();
    peers.step({ kind: "remove", peer: n1 });
    assert.deepEqual(seen(), gone("peer_removed"));
  });

  test("tells of a newer session that takes the place of one, and of this node's own services", () => {
    const { peers, seen } = tapped();
    peers.up(n1);
    peers.up(n1);
    assert.deepEqual(seen(), ["up n1", "down n1 by replaced, 0 stale", "up n1"]);
    peers.step({ kind: "originate", route: { service: products, protocol: "http" } });
    peers.step({ kind: "withdraw", service: products });
    assert.deepEqual(seen(), [
      "announced products of n0 in",
      "best products through n0, alone, 0 besides",
      "withdrawn products of n0 in",
      "best products none, alone, 0 besides",
    ]);
  });

  test("tells of a route whose time is over", () => {
    const { peers, seen } = tapped();
    peers.up(n1);
    peers.announce(n1, [products], { expiry: startWall + 10 });
    seen();
    peers.pass(20_000);
    assert.deepEqual(seen(), [
      "expired products of n1 out by expired",
      "best products none, alone, 0 besides",
    ]);
  });

  test("changes nothing of what the speaker does, and is told nothing once it is taken off", () => {
    const [plain, { peers: looked, seen }] = [new TestPeers(), tapped()];
    for (const peers of [plain, looked]) {
      peers.up(n1, n2, n3);
      peers.announce(n1, [products, reviews]);
      peers.announce(n2, [products], { metric: 3 });
      peers.health(n1, [reviews], false);
      peers.step({ kind: "down", peer: n1, retain: true });
      peers.withdraw(n2, [products]);
      peers.pass(120_000);
    }
    assert.deepEqual([looked.heard(n3), looked.changed], [plain.heard(n3), plain.changed]);
    assert.ok(seen().length > 0);
    looked.speaker.tap = null;
    looked.announce(n2, [products]);
    assert.deepEqual(seen(), []);
  });
});
