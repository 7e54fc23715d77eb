import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { TestNetwork } from "./test-network.ts";
import { show, TestPeers } from "./test-peers.ts";
import { n1, n2, n3, n4, nextHopOf, node, products, service } from "./test-route.ts";
import { advertisedRoutes } from "./view.ts";

describe("faults of an earlier attempt", () => {
  test("when the best path is withdrawn, the alternate takes its place and is told", () => {
    const peers = new TestPeers();
    peers.up(n1, n2, n3);
    peers.announce(n1, [products], { metric: 1 });
    peers.announce(n2, [products], { metric: 2 });
    assert.deepEqual(peers.through(products), [n1, n2]);
    peers.heard(n3);
    peers.withdraw(n1, [products]);
    assert.deepEqual(peers.through(products), [n2]);
    assert.deepEqual(show(peers.heard(n3)), [`withdraw ${products} at ${n1}`]);
  });

  test("the alternate path to one origin takes the place of the one that is withdrawn", () => {
    const peers = new TestPeers();
    peers.up(n1, n2, n3);
    peers.announce(n1, [products], { origin: n4 });
    peers.announce(n2, [products], { origin: n4 });
    peers.heard(n3);
    peers.withdraw(n1, [products], n4);
    assert.deepEqual(peers.through(products), [n2]);
    assert.deepEqual(show(peers.heard(n3)), [`announce ${products} at ${n4}`]);
  });

  test("a peer that withdraws another's route withdraws nothing", () => {
    const peers = new TestPeers();
    peers.up(n1, n2);
    peers.announce(n1, [products]);
    peers.announce(n2, [products], { origin: n1 });
    peers.changed.length = 0;
    peers.withdraw(n2, [products], n1);
    assert.deepEqual(peers.through(products), [n1]);
    peers.withdraw(n2, [products], n1);
    assert.deepEqual(peers.changed, []);
  });

  test("a new endpoint from the same peer takes the place of the old one, and is told", () => {
    const peers = new TestPeers();
    peers.up(n1, n2);
    peers.announce(n1, [products]);
    peers.heard(n2);
    peers.announce(n1, [products], { nextHop: nextHopOf(n1, 20_000) });
    assert.equal(peers.speaker.routes(products)[0]?.verdict.attributes.nextHop.port, 20_000);
    assert.deepEqual(show(peers.heard(n2)), [`announce ${products} at ${n1}`]);
    assert.deepEqual(peers.changed, [products, products]);
  });

  test("what is not announced again after a reconnect is gone with END_OF_RIB", () => {
    const peers = new TestPeers();
    peers.up(n1, n2);
    peers.announce(n1, [products, service("reviews")]);
    peers.step({ kind: "down", peer: n1, retain: true });
    peers.heard(n2);
    peers.up(n1);
    peers.announce(n1, [products]);
    assert.deepEqual(peers.through(service("reviews")), [n1]);
    peers.endOfRib(n1);
    assert.deepEqual(peers.through(service("reviews")), []);
    assert.deepEqual(peers.through(products), [n1]);
    assert.deepEqual(show(peers.heard(n2)), [`withdraw ${service("reviews")} at ${n1}`]);
  });

  test("20,000 routes of one peer, then each changed and withdrawn, take less than 10 s of CPU", () => {
    const peers = new TestPeers();
    peers.up(n1, n2);
    const start = process.cpuUsage();
    const names = Array.from({ length: 20_000 }, (_, at) => service(`s${at}`));
    for (const name of names) peers.announce(n1, [name]);
    for (const name of names) peers.announce(n1, [name], { metric: 1 });
    for (const name of names) peers.withdraw(n1, [name]);
    const { user, system } = process.cpuUsage(start);
    assert.ok(user + system < 10_000_000);
    assert.equal([...advertisedRoutes(peers.speaker)].length, 0);
  });
});

describe("several nodes", () => {
  const line = ["n1", "n2", "n3", "n4"].map((label) => node(label));

  test("in a line a route reaches the other end, with every node on its way and the next hop of its origin", () => {
    const network = new TestNetwork();
    for (const name of line) network.start(name);
    network.step(n1, { kind: "originate", route: { service: products, protocol: "graphql" } });
    for (const [a, b] of [
      [n1, n2],
      [n2, n3],
      [n3, n4],
    ] as const)
      network.connect(a, b);
    network.run(1_000);
    const [route] = network.speakers.get(n4)?.routes(products) ?? [];
    assert.deepEqual(route?.verdict.attributes.nodePath, [n3, n2, n1]);
    assert.equal(route?.verdict.attributes.nextHop.host, n1);
    network.step(n1, { kind: "withdraw", service: products });
    network.run(1_000);
    assert.deepEqual(network.speakers.get(n4)?.routes(products), []);
  });

  test("in a ring the shorter way is taken, the other one when it breaks, and no path holds a node twice", () => {
    const network = new TestNetwork();
    for (const name of line) network.start(name);
    for (const [a, b] of [
      [n1, n2],
      [n2, n3],
      [n3, n4],
      [n4, n1],
    ] as const)
      network.connect(a, b);
    network.step(n1, { kind: "originate", route: { service: products, protocol: "http" } });
    network.run(1_000);
    const pathAt = (name: string) =>
      network.speakers.get(name)?.routes(products)[0]?.verdict.attributes.nodePath;
    assert.deepEqual([pathAt(n2), pathAt(n3), pathAt(n4)], [[n1], [n2, n1], [n1]]);
    network.disconnect(n1, n2, false);
    network.run(1_000);
    assert.deepEqual([pathAt(n2), pathAt(n3), pathAt(n4)], [[n3, n4, n1], [n4, n1], [n1]]);
    network.step(n1, { kind: "withdraw", service: products });
    const before = network.delivered;
    network.run(60_000);
    assert.deepEqual([pathAt(n2), pathAt(n3), pathAt(n4)], [undefined, undefined, undefined]);
    assert.ok(network.delivered - before < 50);
  });

  test("a change of path alone is nothing that the data plane hears of", () => {
    const network = new TestNetwork();
    for (const name of line) network.start(name);
    for (const [a, b] of [
      [n1, n2],
      [n2, n3],
      [n3, n4],
      [n4, n1],
    ] as const)
      network.connect(a, b);
    network.step(n1, { kind: "originate", route: { service: products, protocol: "http" } });
    network.run(1_000);
    network.changed.length = 0;
    network.disconnect(n2, n3, false);
    network.run(1_000);
    assert.deepEqual(network.changed, []);
  });
});
