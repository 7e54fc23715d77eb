import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { encodeRefresh } from "./refresh.ts";
import { TestNetwork } from "./test-network.ts";
import { show, TestPeers } from "./test-peers.ts";
import { n1, n2, n3, products } from "./test-route.ts";

/** A line n1, n2, n3 in which n3 has a service, and n2 was started anew: it knows nothing. */
function restarted(): TestNetwork {
  const network = new TestNetwork();
  for (const name of [n1, n2, n3]) network.start(name);
  network.connect(n1, n2);
  network.connect(n2, n3);
  network.step(n3, { kind: "originate", route: { service: products, protocol: "http" } });
  network.run(1_000);
  network.changed.length = 0;
  network.start(n2);
  return network;
}

const originsAt = (network: TestNetwork, name: string) =>
  network.speakers
    .get(name)
    ?.routes(products)
    .map(({ received }) => received.origin);

describe("a node that begins anew, spec/peering.md §6.2", () => {
  test("in the middle of a line says that it has told all when it has heard its other neighbour, and nobody misses anything", () => {
    const network = restarted();
    network.step(n2, { kind: "expect", peers: [n1, n3] });
    network.connect(n1, n2);
    network.run(2_000);
    assert.deepEqual(originsAt(network, n1), [n3]);
    network.connect(n2, n3);
    network.run(2_000);
    assert.deepEqual(originsAt(network, n1), [n3]);
    network.run(300_000); // what was not told anew would be gone by now
    assert.deepEqual(originsAt(network, n1), [n3]);
    assert.deepEqual(
      network.changed.filter(({ node }) => node === n1),
      [],
    );
  });

  test("waits for those that do not come 5 s, and what it does not hear of is gone then", () => {
    const network = restarted();
    network.step(n2, { kind: "expect", peers: [n1, n3] });
    network.connect(n1, n2);
    network.run(4_900);
    assert.deepEqual(originsAt(network, n1), [n3]);
    network.run(200);
    assert.deepEqual(originsAt(network, n1), []);
  });

  test("two that begin anew at once do not wait for each other", () => {
    const peers = new TestPeers();
    peers.step({ kind: "expect", peers: [n1] });
    peers.up(n1);
    assert.deepEqual(show(peers.heard(n1)), ["END_OF_RIB 0"]);
  });

  test("waits with the answer to a REFRESH too, and gives one answer", () => {
    const peers = new TestPeers();
    peers.step({ kind: "expect", peers: [n1, n2] });
    peers.up(n1);
    assert.deepEqual(show(peers.heard(n1)), []);
    peers.message(n1, encodeRefresh({ number: 1 }));
    assert.deepEqual(show(peers.heard(n1)), []);
    peers.pass(5_000);
    assert.deepEqual(show(peers.heard(n1)), ["END_OF_RIB 1"]);
  });

  test("does not wait for a peer that was removed", () => {
    const peers = new TestPeers();
    peers.step({ kind: "expect", peers: [n1, n2] });
    peers.up(n1);
    peers.step({ kind: "remove", peer: n2 });
    assert.deepEqual(show(peers.heard(n1)), ["END_OF_RIB 0"]);
  });
});
