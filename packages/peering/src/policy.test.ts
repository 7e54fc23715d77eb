import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { encodeAttributes } from "./attributes.ts";
import type { PolicyRule } from "./policy.ts";
import { show, TestPeers } from "./test-peers.ts";
import {
  acme,
  attributesOf,
  everybody,
  gate,
  mail,
  n0,
  n1,
  n2,
  n4,
  ofGlobex,
  products,
  service,
} from "./test-route.ts";
import { encodeUpdate } from "./update.ts";
import { advertisedRoutes, receivedRoutes, viewPeers } from "./view.ts";

describe("policy, spec/peering.md §4", () => {
  const noTests: PolicyRule = { name: "no tests", match: { service: "test-*" }, action: "reject" };

  test("a policy with a fault is refused", () => {
    const faulty: PolicyRule = { name: "x", action: "accept", set: { localPref: -1 } };
    for (const options of [{ import: [faulty] }, { export: [faulty] }]) {
      assert.throws(() => new TestPeers(options), { code: "policy_invalid" });
    }
  });

  test("what import rejects is used by nobody, and what export rejects is told to nobody", () => {
    const importing = new TestPeers({ import: [noTests] });
    const exporting = new TestPeers({ export: [noTests] });
    for (const peers of [importing, exporting]) {
      peers.up(n1, n2);
      peers.announce(n1, [products, service("test-a")]);
      assert.deepEqual(show(peers.heard(n2)), ["END_OF_RIB 0", `announce ${products} at ${n1}`]);
    }
    assert.deepEqual(importing.through(service("test-a")), []);
    assert.deepEqual(exporting.through(service("test-a")), [n1]);
  });

  test("nothing comes from another organisation, or goes to it, without a rule that names it", () => {
    const all: PolicyRule = { name: "all", match: { service: "*" }, action: "accept" };
    const peers = new TestPeers({ import: [all], export: [all] });
    peers.up(n1, gate);
    peers.announce(n1, [products]);
    peers.announce(gate, [mail], ofGlobex);
    assert.deepEqual(peers.through(mail), []);
    assert.deepEqual(show(peers.heard(gate)), ["END_OF_RIB 0"]);
    assert.deepEqual(
      [...receivedRoutes(peers.speaker)].map(({ accepted, rule }) => [accepted, rule]),
      [
        [true, "all"],
        [false, "default: other organisation"],
      ],
    );
  });

  test("with such a rule a route crosses, with this organisation in its path and this node's Envoy", () => {
    const peers = new TestPeers({ import: [everybody], export: [everybody] });
    peers.up(n1, gate);
    peers.announce(n1, [products], { localPref: 300 });
    peers.announce(n1, [service("inside")], { noExport: true });
    peers.announce(gate, [mail], { ...ofGlobex, localPref: 900 });
    const sent = [...advertisedRoutes(peers.speaker)].filter(({ peer }) => peer === gate);
    assert.deepEqual(
      sent.map(({ service: name, sent: { nodePath, orgPath, localPref, nextHop } }) => [
        name,
        nodePath,
        orgPath,
        localPref,
        nextHop.sni,
      ]),
      [[products, [n0], [acme], 100, n0]],
    );
    assert.equal(peers.speaker.routes(mail)[0]?.verdict.attributes.localPref, 100);
  });

  test("what a rule sets holds from there on", () => {
    const set = { localPref: 300, metric: 5, noExport: true, labels: { zone: "eu", old: null } };
    const peers = new TestPeers({
      import: [{ name: "set", match: { protocol: "http", labels: { old: "*" } }, action: "accept", set }],
    });
    peers.up(n1, n2);
    peers.announce(n1, [products], { labels: new Map([["old", "1"]]) });
    const [sent] = [...advertisedRoutes(peers.speaker)].filter(({ peer }) => peer === n2);
    assert.deepEqual(
      [sent?.sent.localPref, sent?.sent.metric, sent?.sent.noExport, sent?.sent.labels],
      [300, 5, true, { zone: "eu" }],
    );
  });
});

describe("what a peer is not entitled to, spec/peering.md §4.1", () => {
  test("faulty attributes cost the routes that they are announced with, and not the session", () => {
    const peers = new TestPeers();
    peers.up(n1);
    peers.announce(n1, [products, service("reviews")]);
    const announced = { origin: n1, attributes: Uint8Array.of(0xa0), services: [products], healthy: true };
    peers.message(n1, encodeUpdate({ withdrawn: [], announced }));
    assert.deepEqual(peers.closed, []);
    assert.deepEqual([peers.through(products), peers.through(service("reviews"))], [[], [n1]]);
    assert.equal(viewPeers(peers.speaker)[0]?.malformed, 1);
  });

  test("a route that is announced again with a path that is not its own is no longer used, and not told", () => {
    const peers = new TestPeers();
    peers.up(n1, n2);
    peers.announce(n1, [products]);
    peers.heard(n2);
    const forged = encodeAttributes(attributesOf(n1, [n4]));
    peers.message(
      n1,
      encodeUpdate({
        withdrawn: [],
        announced: { origin: n1, attributes: forged, services: [products], healthy: true },
      }),
    );
    assert.deepEqual(peers.through(products), []);
    assert.deepEqual(show(peers.heard(n2)), [`withdraw ${products} at ${n1}`]);
    assert.equal([...receivedRoutes(peers.speaker)][0]?.rule, "path_forged");
  });
});

describe("what stays inside, spec/peering.md §4.2", () => {
  const rule = fc.record({
    name: fc.constant("any"),
    match: fc.record(
      {
        service: fc.constantFrom("*", "s*", "*.internal"),
        peer: fc.constantFrom("*", "gate.*"),
        organisation: fc.constantFrom("*", acme),
        protocol: fc.constant("http" as const),
      },
      { requiredKeys: [] },
    ),
    action: fc.constant("accept" as const),
    set: fc.record({ localPref: fc.nat(300), noExport: fc.boolean() }, { requiredKeys: [] }),
  });
  const told = fc.record({
    label: fc.constantFrom("s1", "s2", "s3"),
    metric: fc.nat(3),
    noExport: fc.boolean(),
  });

  test("no rule that does not name another organisation lets a byte about a route out to it", () => {
    fc.assert(
      fc.property(fc.array(rule, { maxLength: 4 }), fc.array(told, { maxLength: 12 }), (rules, routes) => {
        const peers = new TestPeers({ import: rules, export: rules });
        peers.up(n1, gate);
        for (const { label, ...more } of routes) peers.announce(n1, [service(label)], more);
        for (const { label } of routes) peers.health(n1, [service(label)], false);
        for (const { label } of routes) peers.withdraw(n1, [service(label)]);
        peers.pass(1_000);
        assert.deepEqual(show(peers.heard(gate)), ["END_OF_RIB 0"]);
      }),
      { numRuns: 300 },
    );
  });

  test("a route with noExport stays inside, whatever the rules", () => {
    fc.assert(
      fc.property(fc.array(told, { maxLength: 12 }), (routes) => {
        const peers = new TestPeers({ export: [everybody] });
        peers.up(n1, gate);
        const outside = new Set<string>();
        for (const { label, ...more } of routes) {
          peers.announce(n1, [service(label)], more);
          if (more.noExport) outside.delete(label);
          else outside.add(label);
          const known = [...advertisedRoutes(peers.speaker)].filter(({ peer }) => peer === gate);
          assert.deepEqual(
            known.map((one) => one.service).sort(),
            [...outside].map((one) => service(one)).sort(),
          );
        }
      }),
      { numRuns: 300 },
    );
  });
});
