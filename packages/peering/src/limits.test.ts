import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Damping, defaultDamping } from "./damping.ts";
import { show, TestPeers } from "./test-peers.ts";
import { n1, n2, node, products, service } from "./test-route.ts";
import { encodeUpdate } from "./update.ts";
import { advertisedRoutes, receivedRoutes } from "./view.ts";

describe("limits, spec/peering.md §6.4", () => {
  const names = (count: number) => Array.from({ length: count }, (_, at) => service(`s${at}`));
  const cases = [
    { what: "routes", limits: { maxRoutes: 10 }, code: "limit_routes" },
    { what: "bytes", limits: { maxBytes: 2_000 }, code: "limit_bytes" },
    { what: "routes in a second", limits: { changesPerSecond: 1, changesBurst: 10 }, code: "limit_rate" },
  ];
  for (const { what, limits, code } of cases) {
    test(`a peer beyond its ${what} loses its session and its routes, and no other`, () => {
      const peers = new TestPeers({ limits });
      peers.up(n1, n2);
      peers.announce(n2, [products]);
      peers.announce(n1, names(5));
      assert.deepEqual(peers.closed, []);
      peers.announce(n1, names(20));
      assert.deepEqual(peers.closed, [{ peer: n1, code }]);
      assert.equal([...receivedRoutes(peers.speaker)].length, 1);
      assert.deepEqual(peers.through(products), [n2]);
    });
  }

  test("routes that grow when they are announced anew count as what they are now", () => {
    const peers = new TestPeers({ limits: { maxBytes: 2_000 } });
    peers.up(n1);
    peers.announce(n1, names(5));
    assert.deepEqual(peers.closed, []);
    const labels = new Map(Array.from({ length: 8 }, (_, at) => [`note${at}`, "x".repeat(60)]));
    peers.announce(n1, names(5), { labels });
    assert.deepEqual(peers.closed, [{ peer: n1, code: "limit_bytes" }]);
  });

  test("a peer that tells one service from too many nodes loses its session", () => {
    const peers = new TestPeers({ limits: { maxOrigins: 3 } });
    peers.up(n1);
    for (let at = 0; at < 3; at++) peers.announce(n1, [products], { origin: node(`m${at}`) });
    assert.deepEqual(peers.closed, []);
    peers.announce(n1, [products], { origin: node("m3") });
    assert.deepEqual(peers.closed, [{ peer: n1, code: "limit_origins" }]);
  });

  test("rate is earned back with time, and an UPDATE that says nothing counts too", () => {
    const peers = new TestPeers({ limits: { changesPerSecond: 10, changesBurst: 10 } });
    peers.up(n1);
    const nothing = encodeUpdate({ withdrawn: [], announced: null });
    for (let round = 0; round < 3; round++) {
      for (let times = 0; times < 10; times++) peers.message(n1, nothing);
      peers.pass(1_000);
    }
    assert.deepEqual(peers.closed, []);
    for (let times = 0; times < 11; times++) peers.message(n1, nothing);
    assert.deepEqual(peers.closed, [{ peer: n1, code: "limit_rate" }]);
  });

  test("a peer that takes nothing costs marks, and finds the last state of each service", () => {
    const peers = new TestPeers();
    peers.up(n1);
    peers.slow.add(n2);
    peers.up(n2);
    peers.heard(n2);
    for (let metric = 0; metric < 1_000; metric++) peers.announce(n1, [products], { metric });
    peers.announce(n1, [service("gone")]);
    peers.withdraw(n1, [service("gone")]);
    assert.deepEqual(peers.heard(n2), []);
    peers.slow.clear();
    peers.pass(600_000);
    peers.step({ kind: "taken", peer: n2 });
    assert.deepEqual(show(peers.heard(n2)), [`announce ${products} at ${n1}`]);
    assert.equal([...advertisedRoutes(peers.speaker)][0]?.sent.metric, 999);
  });
});

describe("damping, spec/peering.md §6.5", () => {
  test("a route that comes and goes is kept out, and used again four minutes later at the latest", () => {
    const peers = new TestPeers();
    peers.up(n1);
    for (let times = 0; times < 7; times++) {
      peers.announce(n1, [products]);
      peers.withdraw(n1, [products]);
    }
    peers.announce(n1, [products]);
    assert.deepEqual(peers.through(products), []);
    assert.equal([...receivedRoutes(peers.speaker)][0]?.rule, "damped");
    peers.pass(120_000);
    assert.deepEqual(peers.through(products), []);
    peers.pass(120_000);
    assert.deepEqual(peers.through(products), [n1]);
    peers.pass(600_000);
    assert.equal(peers.speaker.peers.get(n1)?.damping.isQuiet, true);
  });

  test("figures are kept for 65,536 routes of a peer at most, and a route that flaps is among them however many others change", () => {
    const damping = new Damping(defaultDamping);
    for (let at = 0; at < 70_000; at++) damping.add(`route ${at}`, "withdrawal", 0);
    for (let times = 0; times < 7; times++) {
      damping.add("route 1", "withdrawal", 0);
      damping.add("route 69999", "withdrawal", 0);
      for (let at = 0; at < 10_000; at++) damping.add(`other ${times} ${at}`, "change", 0);
    }
    assert.deepEqual([damping.isSuppressed("route 1"), damping.isSuppressed("route 69999")], [true, true]);
    assert.deepEqual([...damping.release(600_000)].sort(), ["route 1", "route 69999"]);
    damping.release(1_200_000);
    assert.deepEqual([damping.isQuiet, damping.next], [true, null]);
  });

  test("health and sessions that end damp nothing", () => {
    const peers = new TestPeers();
    for (let times = 0; times < 30; times++) {
      peers.up(n1);
      peers.announce(n1, [products], { metric: times % 2 });
      peers.health(n1, [products], false);
      peers.step({ kind: "down", peer: n1, retain: times % 3 === 0 });
    }
    peers.up(n1);
    peers.announce(n1, [products]);
    assert.deepEqual(peers.through(products), [n1]);
  });
});

describe("expiry", () => {
  test("a route is not used from its expiry on, and stays to be explained", () => {
    const peers = new TestPeers();
    peers.up(n1, n2);
    peers.announce(n1, [products], { expiry: 1_800_000_090 });
    assert.deepEqual(peers.through(products), [n1]);
    peers.heard(n2);
    peers.pass(89_999);
    assert.deepEqual(peers.through(products), [n1]);
    peers.pass(1);
    assert.deepEqual(show(peers.heard(n2)), [`withdraw ${products} at ${n1}`]);
    assert.equal([...receivedRoutes(peers.speaker)][0]?.rule, "expired");
    peers.announce(n1, [products], { expiry: 1_800_009_000 });
    assert.deepEqual(peers.through(products), [n1]);
  });

  test("a route that is announced again with a later expiry stays when the first one comes", () => {
    const peers = new TestPeers();
    peers.up(n1);
    peers.announce(n1, [products], { expiry: 1_800_000_090 });
    peers.announce(n1, [products], { expiry: 1_800_000_900, metric: 7 });
    peers.pass(100_000);
    assert.equal(peers.speaker.routes(products)[0]?.verdict.attributes.metric, 7);
    peers.pass(800_000);
    assert.deepEqual(peers.through(products), []);
  });
});
