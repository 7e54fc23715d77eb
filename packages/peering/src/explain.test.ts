import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { explainRoute } from "./explain.ts";
import type { PolicyRule } from "./policy.ts";
import { TestPeers } from "./test-peers.ts";
import { mail, n1, n2, n3, n4, products, service } from "./test-route.ts";

describe("looking at it", () => {
  test("an explanation says who told what, which rule decided, why the best is best, and who is told", () => {
    const rule: PolicyRule = { name: "not from n3", match: { peer: "n3.*" }, action: "reject" };
    const peers = new TestPeers({ import: [rule] });
    peers.up(n1, n2, n3);
    peers.announce(n1, [products], { origin: n4 });
    peers.announce(n2, [products], { metric: 3 });
    peers.announce(n3, [products]);
    const { question, asOf, inputs, steps, result } = explainRoute(peers.speaker, products, 1_800_000_000);
    assert.equal(question, `routes of ${products}`);
    assert.equal(asOf, "2027-01-15T08:00:00.000Z");
    assert.deepEqual(
      inputs.received.map(({ peer }) => peer),
      [n1, n2, n3],
    );
    assert.deepEqual(
      steps.map(({ rule: asked, outcome }) => `${asked}: ${outcome}`),
      [
        `import from ${n1}: origin ${n4}: let in by "default: own organisation"`,
        `import from ${n2}: origin ${n2}: let in by "default: own organisation"`,
        `import from ${n3}: origin ${n3}: kept out by "not from n3"`,
        `preference 1 before 2: lower metric: through ${n1} to ${n4} at ${n4}:10443 before ${n2} at ${n2}:10443`,
        `export to ${n1}: origin ${n4}: not told, by "split_horizon"`,
        `export to ${n1}: origin ${n2}: told by "default: own organisation"`,
        `export to ${n2}: origin ${n4}: told by "default: own organisation"`,
        `export to ${n2}: origin ${n2}: not told, by "split_horizon"`,
        `export to ${n3}: origin ${n4}: told by "default: own organisation"`,
        `export to ${n3}: origin ${n2}: told by "default: own organisation"`,
      ],
    );
    assert.equal(result, `through ${n1} to ${n4} at ${n4}:10443`);
    assert.match(explainRoute(peers.speaker, service("none"), 0).result, /^no route: nobody tells of it/);
  });

  test("a route of this node's own with a fault is refused where it is given", () => {
    const peers = new TestPeers();
    const cases = [
      { service: mail, protocol: "http" as const },
      { service: products, protocol: "http" as const, metric: -1 },
      { service: products, protocol: "http" as const, labels: new Map([["A", "b"]]) },
    ];
    for (const route of cases) {
      assert.throws(() => peers.step({ kind: "originate", route }), { code: "route_invalid" });
    }
  });
});
