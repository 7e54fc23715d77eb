import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { encodeRefresh } from "./refresh.ts";
import { show, TestPeers } from "./test-peers.ts";
import { n0, n1, n2, n3, products, service } from "./test-route.ts";
import { receivedRoutes, viewPeers } from "./view.ts";

describe("restart, spec/peering.md §6.2", () => {
  test("a session that is lost leaves its routes in use, and nothing is withdrawn", () => {
    const peers = new TestPeers();
    peers.up(n1, n2);
    peers.announce(n1, [products]);
    peers.heard(n2);
    peers.changed.length = 0;
    peers.step({ kind: "down", peer: n1, retain: true });
    assert.deepEqual(
      [...receivedRoutes(peers.speaker)].map(({ stale }) => stale),
      [true],
    );
    peers.pass(119_999);
    assert.deepEqual([peers.through(products), peers.heard(n2), peers.changed], [[n1], [], []]);
    peers.pass(1);
    assert.deepEqual(peers.through(products), []);
    assert.deepEqual(show(peers.heard(n2)), [`withdraw ${products} at ${n1}`]);
  });

  test("what is announced again as it was changes nothing for anybody", () => {
    const peers = new TestPeers();
    peers.up(n1, n2);
    peers.announce(n1, [products]);
    peers.step({ kind: "down", peer: n1, retain: true });
    peers.heard(n2);
    peers.changed.length = 0;
    peers.up(n1);
    peers.announce(n1, [products]);
    peers.endOfRib(n1);
    peers.pass(600_000);
    assert.deepEqual([peers.through(products), peers.heard(n2), peers.changed], [[n1], [], []]);
    assert.equal([...receivedRoutes(peers.speaker)][0]?.stale, false);
  });

  test("a peer that comes back and never sends END_OF_RIB loses what it did not announce after the restart time", () => {
    const peers = new TestPeers();
    peers.up(n1);
    peers.announce(n1, [products, service("reviews")]);
    peers.step({ kind: "down", peer: n1, retain: true });
    peers.up(n1);
    peers.announce(n1, [products]);
    peers.pass(120_000);
    assert.deepEqual([peers.through(products), peers.through(service("reviews"))], [[n1], []]);
  });

  test("a session that is ended for a fault takes its routes along", () => {
    const peers = new TestPeers();
    peers.up(n1, n2);
    peers.announce(n1, [products]);
    peers.message(n1, Uint8Array.of(0xff));
    assert.deepEqual(peers.closed, [{ peer: n1, code: "message_malformed" }]);
    assert.deepEqual(peers.through(products), []);
    assert.equal(viewPeers(peers.speaker)[0]?.established, false);
    peers.announce(n1, [products]);
    assert.deepEqual(peers.through(products), []);
  });

  test("a peer that is removed is told so, and leaves nothing", () => {
    const peers = new TestPeers();
    peers.up(n1);
    peers.announce(n1, [products]);
    peers.step({ kind: "remove", peer: n1 });
    assert.deepEqual(peers.closed, [{ peer: n1, code: "peer_removed" }]);
    assert.deepEqual([peers.through(products), viewPeers(peers.speaker)], [[], []]);
  });

  test("HEALTH is about what was announced in the session; an announcement says how it is", () => {
    const peers = new TestPeers();
    peers.up(n1);
    peers.announce(n1, [products]);
    peers.health(n1, [products], false);
    peers.step({ kind: "down", peer: n1, retain: true });
    peers.up(n1);
    assert.equal(peers.speaker.routes(products)[0]?.healthy, false);
    peers.health(n1, [products], true);
    assert.equal(peers.speaker.routes(products)[0]?.healthy, false);
    peers.announce(n1, [products]);
    assert.equal(peers.speaker.routes(products)[0]?.healthy, true);
  });
});

describe("refresh, spec/peering.md §6.3", () => {
  test("all routes are told once more, and END_OF_RIB with the number", () => {
    const peers = new TestPeers();
    peers.up(n1, n2);
    peers.announce(n1, [products]);
    peers.heard(n2);
    peers.message(n2, encodeRefresh({ number: 4 }));
    assert.deepEqual(show(peers.heard(n2)), [`announce ${products} at ${n1}`, "END_OF_RIB 4"]);
  });

  test("a REFRESH before the first END_OF_RIB is answered after it, the last one of several alone", () => {
    const peers = new TestPeers();
    peers.up(n1);
    const names = Array.from({ length: 10_000 }, (_, at) => service(`s${at}`));
    for (let first = 0; first < names.length; first += 1_000) {
      peers.announce(n1, names.slice(first, first + 1_000));
    }
    peers.slow.add(n2);
    peers.up(n2);
    for (const number of [1, 2, 3]) peers.message(n2, encodeRefresh({ number }));
    peers.slow.clear();
    peers.step({ kind: "taken", peer: n2 });
    const told = new Map<string, number>();
    const ends: string[] = [];
    for (const message of peers.heard(n2)) {
      if (message.kind === "end-of-rib") ends.push(`${message.refresh} after ${told.size}`);
      else if (message.kind === "update") {
        for (const name of message.announced?.services ?? []) told.set(name, (told.get(name) ?? 0) + 1);
      }
    }
    assert.deepEqual(ends, ["0 after 10000", "3 after 10000"]);
    assert.deepEqual(new Set(told.values()), new Set([2]));
  });
});

describe("health, spec/peering.md §2.4", () => {
  test("is no UPDATE, moves the route behind those that work, and goes on to whom the route was told", () => {
    const peers = new TestPeers();
    peers.up(n1, n2, n3);
    peers.announce(n1, [products]);
    peers.announce(n2, [products]);
    peers.heard(n3);
    peers.pass(1_000);
    peers.health(n1, [products], false);
    assert.deepEqual(peers.through(products), [n2, n1]);
    assert.deepEqual(show(peers.heard(n3)), [`HEALTH - ${products} at ${n1} + `]);
    assert.deepEqual(
      show(peers.heard(n1)).filter((line) => line.startsWith("HEALTH")),
      [],
    );
  });

  test("changes within 500 ms are told at once, and only as what they come to", () => {
    const peers = new TestPeers();
    peers.up(n1, n2);
    peers.announce(n1, [products, service("reviews")]);
    peers.pass(1_000);
    peers.heard(n2);
    for (let times = 0; times < 10; times++) {
      peers.health(n1, [products], false);
      peers.health(n1, [products], true);
    }
    peers.health(n1, [service("reviews")], false);
    assert.deepEqual(show(peers.heard(n2)), [`HEALTH - ${products} at ${n1} + `]);
    peers.pass(500);
    assert.deepEqual(show(peers.heard(n2)), [
      `HEALTH - ${service("reviews")} at ${n1} + `,
      `HEALTH -  + ${products} at ${n1}`,
    ]);
  });

  test("of a route that the peer did not announce is ignored", () => {
    const peers = new TestPeers();
    peers.up(n1, n2);
    peers.announce(n1, [products]);
    peers.health(n2, [products], false, n1);
    assert.equal(peers.speaker.routes(products)[0]?.healthy, true);
  });

  test("of an own route goes out, and a peer that comes later hears of it with the route", () => {
    const peers = new TestPeers();
    peers.step({ kind: "originate", route: { service: products, protocol: "http" } });
    peers.step({ kind: "health", service: products, healthy: false });
    peers.up(n1);
    const heard = show(peers.heard(n1));
    assert.deepEqual(heard, [`announce as unhealthy ${products} at ${n0}`, "END_OF_RIB 0"]);
  });
});
