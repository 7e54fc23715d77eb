import assert from "node:assert/strict";
import { test } from "node:test";
import { compileGlob, type PolicyRule } from "@catalyst/peering";
import fc from "fast-check";
import { nodeRules } from "./node-rules.ts";

const service = { service: "products.acme.test", organisation: "acme.test", protocol: "http" } as const;

/** What RBAC makes of rules: the first one all of whose expressions match decides. */
function decide(rules: readonly PolicyRule[], node: string, domain: string): string {
  const id = `spiffe://${domain}/node/${node}/envoy`;
  const matches = (regex: string) =>
    new RegExp(
      `^(?:${regex.replaceAll(/\\x\{([0-9a-f]+)\}/g, (_, hex: string) => `\\u{${hex}}`)})$`,
      "u",
    ).test(id);
  const rule = nodeRules(rules, service).find(({ ids }) => ids.every(matches));
  return rule === undefined ? "default" : `${rule.name}: ${rule.allows}`;
}

test("A rule is about nodes of this organisation unless it names another", () => {
  const rules: PolicyRule[] = [{ name: "no", action: "reject", match: { service: "products.*" } }];
  assert.equal(decide(rules, "n2", "acme.test"), "no: false");
  assert.equal(decide(rules, "n2", "globex.test"), "default");
  const open: PolicyRule[] = [{ name: "all", action: "accept", match: { peerOrganisation: "*" } }];
  assert.equal(decide(open, "n2", "globex.test"), "all: true");
});

test("A rule that could be about none of this node's own routes is left out", () => {
  const rules: PolicyRule[] = [
    { name: "other service", action: "reject", match: { service: "reviews.*" } },
    { name: "other protocol", action: "reject", match: { protocol: "grpc" } },
    { name: "far", action: "reject", match: { nodePathLength: { min: 1 } } },
    { name: "labelled", action: "reject", match: { labels: { stage: "test" } } },
    { name: "other organisation", action: "reject", match: { organisation: "globex.*" } },
  ];
  assert.deepEqual(nodeRules(rules, service), []);
});

test("A pattern for names is about the same nodes as the pattern for their SPIFFE ids", () => {
  const label = fc.constantFrom("n1", "n2", "n22", "edge-1");
  const domain = fc.constantFrom("acme.test", "globex.test", "eu.acme.test");
  const pattern = fc
    .array(fc.constantFrom("n", "2", "*", ".", "acme", "test", "eu", "-1", "edge"), {
      minLength: 1,
      maxLength: 6,
    })
    .map((parts) => parts.join(""));
  fc.assert(
    fc.property(pattern, label, domain, (peer, node, organisation) => {
      const rules: PolicyRule[] = [{ name: "r", action: "reject", match: { peer, peerOrganisation: "*" } }];
      const isAbout = compileGlob(peer)?.(`${node}.${organisation}`) ?? true;
      assert.equal(decide(rules, node, organisation), isAbout ? "r: false" : "default");
    }),
    { numRuns: 2_000 },
  );
});
