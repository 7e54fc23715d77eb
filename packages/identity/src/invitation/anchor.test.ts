import assert from "node:assert/strict";
import { test } from "node:test";
import { admit } from "../admission/admit.ts";
import { type PeerTrust, pinnedCertificate } from "../admission/peer-trust.ts";
import { readPeerCertificate } from "../certificate/peer-certificate.ts";
import { createTestOrganisation, selfSigned, type TestIdentity } from "../certificate/test-organisation.ts";
import { judgePeer, ownAnchor, type PeerQuestion, readAnchor, trustInAnchors } from "./anchor.ts";

const acme = await createTestOrganisation("acme.catalyst.internal");
const globex = await createTestOrganisation("globex.catalyst.internal");
const other = await createTestOrganisation("globex.catalyst.internal");

const own = { domain: acme.domain, node: "n1" };
const believed: PeerTrust = { roots: [acme.root], pinned: [], denied: [] };
const leafOf = (identity: TestIdentity) => identity.chain[0] ?? new Uint8Array();
const id = (domain: string, node: string, process = "orchestrator") => ({ domain, node, process });

function judge(identity: TestIdentity, anchor: Uint8Array, change: Partial<PeerQuestion> = {}) {
  const question = { chain: identity.chain, anchor, believed, own, expected: null, isNamed: false };
  return judgePeer({ ...question, now: Date.now(), ...change });
}

function codeOf(verdict: ReturnType<typeof judge>): string {
  return "code" in verdict ? verdict.code : `${verdict.node} ${verdict.anchor.kind}`;
}

const m1 = await globex.issue("m1", "orchestrator");
const lone = await selfSigned(id("initech.internal", "x1"));
const insider = await selfSigned(id(acme.domain, "n2"));

test("an organisation that nobody here knows brings its own root, which is good for its own names alone", async () => {
  const verdict = judge(m1, globex.root.certificate);
  assert.ok(!("code" in verdict));
  assert.equal(verdict.node, "m1.globex.catalyst.internal");
  assert.equal(verdict.anchor.domain, globex.domain);
  const trust = trustInAnchors([verdict.anchor]);
  const forged = await createTestOrganisation(acme.domain).then(({ issue }) => issue("n2", "orchestrator"));
  for (const [identity, kind] of [
    [m1, "admitted"],
    [forged, "refused"],
  ] as const) {
    const certificate = readPeerCertificate(identity.chain, [globex.root.certificate]);
    assert.equal(admit({ certificate, protocol: "cp", now: Date.now() }, trust).kind, kind);
  }
});

test("a node that signs for itself is its own anchor, good for itself alone", () => {
  const verdict = judge(lone, leafOf(lone));
  assert.equal(codeOf(verdict), "x1.initech.internal pinned");
});

test("inside one organisation the root that is believed already is in order, and no other one is", async () => {
  assert.equal(
    codeOf(judge(await acme.issue("n2", "orchestrator"), acme.root.certificate)),
    "n2.acme.catalyst.internal root",
  );
  const foreign = await createTestOrganisation(acme.domain);
  const forged = await foreign.issue("n2", "orchestrator");
  for (const isNamed of [false, true]) {
    assert.equal(codeOf(judge(forged, foreign.root.certificate, { isNamed })), "anchor_conflict");
  }
});

test("a node of our own domain that signs for itself is taken only where somebody here named it", () => {
  assert.equal(codeOf(judge(insider, leafOf(insider))), "anchor_conflict");
  const verdict = judge(insider, leafOf(insider), { isNamed: true, expected: "n2.acme.catalyst.internal" });
  assert.equal(codeOf(verdict), "n2.acme.catalyst.internal pinned");
  assert.equal(codeOf(judge(insider, leafOf(insider), { believed: trustInAnchors([]) })), "anchor_conflict");
});

test("for an organisation that somebody speaks for already, another root is refused, whoever was named", async () => {
  const trust = { ...believed, roots: [acme.root, globex.root] };
  const second = await other.issue("m2", "orchestrator");
  for (const isNamed of [false, true]) {
    assert.equal(
      codeOf(judge(second, other.root.certificate, { believed: trust, isNamed })),
      "anchor_conflict",
    );
  }
  const same = await globex.issue("m2", "orchestrator");
  assert.equal(
    codeOf(judge(same, globex.root.certificate, { believed: trust })),
    "m2.globex.catalyst.internal root",
  );
});

test("beside a node that signs for itself, its organisation's others need to be named, and a root is refused", async () => {
  const first = await selfSigned(id(globex.domain, "m1"));
  const trust = { ...believed, pinned: [pinnedCertificate(leafOf(first))] };
  const second = await selfSigned(id(globex.domain, "m2"));
  assert.equal(
    codeOf(judge(first, leafOf(first), { believed: trust })),
    "m1.globex.catalyst.internal pinned",
  );
  assert.equal(codeOf(judge(second, leafOf(second), { believed: trust })), "anchor_conflict");
  assert.equal(
    codeOf(judge(second, leafOf(second), { believed: trust, isNamed: true })),
    "m2.globex.catalyst.internal pinned",
  );
  assert.equal(codeOf(judge(m1, globex.root.certificate, { believed: trust })), "anchor_conflict");
});

test("who is another one than was expected, is this node itself, or was revoked, is refused", async () => {
  const anchor = globex.root.certificate;
  assert.equal(
    codeOf(judge(m1, anchor, { expected: "m2.globex.catalyst.internal" })),
    "invitation_other_node",
  );
  const self = await acme.issue("n1", "orchestrator");
  assert.equal(codeOf(judge(self, acme.root.certificate)), "peer_self");
  const denied = [{ domain: globex.domain, node: "m1", serial: null }];
  assert.equal(codeOf(judge(m1, anchor, { believed: { ...believed, denied } })), "peer_refused");
});

test("a certificate of another process, another time or no name is refused, and one that its anchor did not sign", async () => {
  const anchor = globex.root.certificate;
  assert.equal(codeOf(judge(await globex.issue("m1", "gateway"), anchor)), "peer_refused");
  const now = Date.now();
  assert.equal(codeOf(judge(m1, anchor, { now: now + 86_400_000 })), "peer_refused");
  assert.equal(codeOf(judge(m1, other.root.certificate)), "peer_refused");
  assert.equal(codeOf(judge({ ...m1, chain: [] }, anchor)), "peer_refused");
  assert.equal(codeOf(judge(m1, globex.issuing.certificate)), "anchor_unusable");
  assert.equal(codeOf(judge(m1, leafOf(lone))), "anchor_unusable");
  assert.equal(codeOf(judge(m1, leafOf(m1))), "anchor_unusable");
  assert.equal(codeOf(judge(m1, new Uint8Array(100))), "anchor_unusable");
});

test("a node's own anchor is the root of its domain that its chain ends at, or its own certificate", () => {
  const trust = { roots: [acme.root, globex.root], pinned: [], denied: [] };
  assert.deepEqual(ownAnchor(m1.chain, trust), globex.root.certificate);
  assert.equal(ownAnchor(m1.chain, believed), null);
  assert.deepEqual(ownAnchor(lone.chain, believed), leafOf(lone));
  const misplaced = { roots: [{ ...globex.root, domain: acme.domain }], pinned: [], denied: [] };
  assert.equal(ownAnchor(m1.chain, misplaced), null);
});

test("an anchor that was kept is read again under the names that it was kept for, and under no others", () => {
  const kept = leafOf(lone);
  assert.equal(readAnchor(kept, { domain: "initech.internal", node: "x1" })?.kind, "pinned");
  assert.equal(readAnchor(kept, { domain: "initech.internal", node: "x2" }), null);
  assert.equal(readAnchor(globex.root.certificate, { domain: globex.domain, node: "m1" })?.kind, "root");
});
