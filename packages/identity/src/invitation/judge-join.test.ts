import assert from "node:assert/strict";
import { test } from "node:test";
import { createTestOrganisation } from "../certificate/test-organisation.ts";
import { invitationProof } from "./invitation-proof.ts";
import { type InvitationRecord, type JoinQuestion, judgeJoin, userOf } from "./judge-join.ts";

const acme = await createTestOrganisation("acme.catalyst.internal");
const globex = await createTestOrganisation("globex.catalyst.internal");
const m1 = await globex.issue("m1", "orchestrator");
const renewed = await globex.issue("m1", "orchestrator");
const m2 = await globex.issue("m2", "orchestrator");

const secret = new Uint8Array(16).fill(3);
const binding = new Uint8Array(32).fill(4);
const now = Date.now();
const record: InvitationRecord = { secret, peer: null, expiresAt: now + 1, usedBy: null };
const anchor = globex.root.certificate;

type Changes = {
  readonly by?: typeof m1;
  readonly record?: InvitationRecord | undefined;
  readonly proven?: Partial<Parameters<typeof invitationProof>[1]>;
  readonly key?: Uint8Array;
};

function judge(changes: Changes = {}) {
  const { by = m1, proven = {}, key = secret } = changes;
  const certificate = by.chain[0] ?? new Uint8Array();
  const question: JoinQuestion = {
    request: {
      kind: "join",
      invitation: "0".repeat(16),
      anchor,
      proof: invitationProof(key, { binding, certificate, anchor, ...proven }),
    },
    record: "record" in changes ? changes.record : record,
    binding,
    chain: by.chain,
    believed: { roots: [acme.root], pinned: [], denied: [] },
    own: { domain: acme.domain, node: "n1" },
    now,
  };
  return judgeJoin(question);
}

function codeOf(verdict: ReturnType<typeof judge>): string {
  return "code" in verdict ? verdict.code : verdict.node;
}

test("whoever proves on this connection, with its own certificate, that it has the secret is let in", () => {
  assert.equal(codeOf(judge()), "m1.globex.catalyst.internal");
});

test("a proof of another secret, another connection, another certificate or another anchor is none", () => {
  const other = new Uint8Array(32);
  assert.equal(codeOf(judge({ key: new Uint8Array(16) })), "proof_wrong");
  assert.equal(codeOf(judge({ proven: { binding: other } })), "proof_wrong");
  assert.equal(codeOf(judge({ proven: { certificate: m2.chain[0] ?? other } })), "proof_wrong");
  assert.equal(codeOf(judge({ proven: { anchor: acme.root.certificate } })), "proof_wrong");
});

test("an invitation that nobody made, that has expired, or that is for another node lets nobody in", () => {
  assert.equal(codeOf(judge({ record: undefined })), "invitation_unknown");
  assert.equal(codeOf(judge({ record: { ...record, expiresAt: now } })), "invitation_expired");
  const peer = "m2.globex.catalyst.internal";
  assert.equal(codeOf(judge({ record: { ...record, peer } })), "invitation_other_node");
  assert.equal(codeOf(judge({ by: m2, record: { ...record, peer } })), peer);
});

test("who has used it may come again, also with a renewed certificate; nobody else may", () => {
  const first = judge();
  assert.ok(!("code" in first));
  const used = { ...record, usedBy: userOf(first) };
  assert.equal(codeOf(judge({ record: used })), "m1.globex.catalyst.internal");
  assert.equal(codeOf(judge({ by: renewed, record: used })), "m1.globex.catalyst.internal");
  assert.equal(codeOf(judge({ by: m2, record: used })), "invitation_used");
});

test("no refusal says the secret", () => {
  for (const verdict of [judge({ key: new Uint8Array(16) }), judge({ record: undefined })]) {
    assert.ok(!JSON.stringify(verdict).includes(Buffer.from(secret).toString("hex")));
  }
});
