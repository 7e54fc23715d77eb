import assert from "node:assert/strict";
import { seededNumbers } from "@catalyst/durable/testing";
import type { OwnRoute } from "./speaker-event.ts";
import { expectedRoutes, type ModelNode } from "./test-model.ts";
import { TestNetwork } from "./test-network.ts";
import { acme, node, service } from "./test-route.ts";

const nodes = ["n1", "n2", "n3", "n4", "n5"].map((label) => node(label));
const steps = 120;
/** Longer than anything waits: stale routes, and routes that changed too often. */
const quietMs = 30 * 60_000;

/**
 * Five nodes under random announcements, withdrawals, health, disconnects, restarts under other policies and partitions, delivered
 * in random order. Rejects when, after quiet, a node's tables are not what a model computes from what each node
 * offers and who is connected with whom. A seed replays.
 */
export async function torturePeering(seed: number): Promise<void> {
  const random = seededNumbers(seed);
  const pick = <Item>(items: readonly Item[]): Item => {
    const item = items[Math.floor(random() * items.length)];
    return item ?? assert.fail("nothing to pick from");
  };
  const network = new TestNetwork(random);
  const model = new Map<string, ModelNode>(
    nodes.map((name) => [name, { own: new Map(), unhealthy: new Set(), refuses: new Set() }]),
  );
  const known = (name: string) => model.get(name) ?? assert.fail(`there is no ${name}`);
  for (const name of nodes) network.start(name);

  const originate = (name: string, route: OwnRoute) => {
    known(name).own.set(route.service, route);
    network.step(name, { kind: "originate", route });
  };
  const policyOf = (name: string) =>
    [...known(name).refuses].map((refused) => ({
      name: `no ${refused}`,
      match: { service: refused },
      action: "reject" as const,
    }));
  const actions: readonly (() => void)[] = [
    () => originate(pick(nodes), randomRoute(random)),
    () => originate(pick(nodes), randomRoute(random)),
    () => {
      const [name, gone] = [pick(nodes), randomService(random)];
      known(name).own.delete(gone);
      known(name).unhealthy.delete(gone);
      network.step(name, { kind: "withdraw", service: gone });
    },
    () => {
      const [name, healthy] = [pick(nodes), random() < 0.5];
      const changed = pick([...known(name).own.keys(), randomService(random)]);
      if (!known(name).own.has(changed)) return;
      if (healthy) known(name).unhealthy.delete(changed);
      else known(name).unhealthy.add(changed);
      network.step(name, { kind: "health", service: changed, healthy });
    },
    () => {
      const [a, b] = [pick(nodes), pick(nodes)];
      if (a === b) return;
      if (network.isConnected(a, b)) network.disconnect(a, b, random() < 0.7);
      else network.connect(a, b);
    },
    () => {
      const [a, b] = [pick(nodes), pick(nodes)];
      if (a !== b && !network.isConnected(a, b)) network.connect(a, b);
    },
    () => {
      const name = pick(nodes);
      const peers = network.peersOf(name);
      const [refused, { refuses }] = [randomService(random), known(name)];
      if (!refuses.delete(refused)) refuses.add(refused);
      network.start(name, { import: policyOf(name) });
      for (const route of known(name).own.values()) network.step(name, { kind: "originate", route });
      known(name).unhealthy.clear();
      for (const peer of peers) if (random() < 0.8) network.connect(name, peer);
    },
    () => network.run(Math.floor(random() * 3_000)),
    () => {
      for (let count = random() * 40; count > 0; count--) network.deliver();
    },
  ];
  for (let step = 0; step < steps; step++) pick(actions)();
  network.run(quietMs);
  assert.deepEqual(network.closed, []);
  compare(network, model);
}

function compare(network: TestNetwork, model: ReadonlyMap<string, ModelNode>): void {
  const connected = (a: string, b: string) => network.isConnected(a, b);
  for (const name of nodes) {
    const speaker = network.speakers.get(name) ?? assert.fail();
    const expected = expectedRoutes(model, connected, name);
    const found = new Map(
      [...speaker.services()].sort().map((known) => [
        known,
        speaker.routes(known).map(({ verdict: { attributes }, healthy }) => ({
          origin: attributes.origin,
          nodePath: attributes.nodePath,
          metric: attributes.metric,
          healthy,
        })),
      ]),
    );
    assert.deepEqual(found, expected, `the routes of ${name}`);
    for (const peer of speaker.peers.values()) {
      if (peer.session === null) assert.equal(peer.rib.routes, 0, `${name} keeps routes of ${peer.node}`);
      for (const path of peer.rib.paths()) assert.ok(!peer.rib.isStale(path), `${name} has a stale route`);
      const there = network.speakers.get(peer.node)?.peers.get(name)?.session;
      if (there) assert.equal(peer.rib.routes, there.outbound.rib.routes, `${peer.node} to ${name}`);
    }
  }
}

function randomService(random: () => number): string {
  return service(`s${Math.floor(random() * 6)}`);
}

function randomRoute(random: () => number): OwnRoute {
  return {
    service: randomService(random),
    protocol: "http",
    metric: Math.floor(random() * 3),
    labels: new Map(random() < 0.5 ? [] : [["domain", acme]]),
  };
}
