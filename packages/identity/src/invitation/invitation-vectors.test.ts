import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { domainRoot, pinnedCertificate } from "../admission/peer-trust.ts";
import { judgePeer } from "./anchor.ts";
import { formatInvitation, invitationId, parseInvitation } from "./invitation.ts";
import {
  decodeInvitationMessage,
  encodeInvitationMessage,
  type InvitationMessage,
} from "./invitation-message.ts";
import { invitationProof } from "./invitation-proof.ts";

type Named<Case> = Case & { readonly name: string };

function vectorsOf<Case>(file: string): readonly Named<Case>[] {
  const path = join(import.meta.dirname, "../../../../spec/vectors/invitation", file);
  return (JSON.parse(readFileSync(path, "utf8")) as { vectors: Named<Case>[] }).vectors;
}

const bytes = (hex: string) => Uint8Array.from(Buffer.from(hex, "hex"));
const kinds = ["hello", "join", "accepted", "refused"] as const;

type InvitationCase = {
  text: string;
  id: string;
  value: {
    addresses: string[];
    anchor: string;
    domain: string;
    expires: number;
    node: string;
    peer: string | null;
    secret: string;
  };
};
for (const { name, text, id, value } of vectorsOf<InvitationCase>("invitation/good.json")) {
  test(`an invitation, good: ${name}`, () => {
    const invitation = { ...value, anchor: bytes(value.anchor), secret: bytes(value.secret) };
    assert.deepEqual(parseInvitation(text), invitation);
    assert.equal(formatInvitation(invitation), text);
    assert.equal(invitationId(invitation.secret), id);
  });
}

for (const { name, text, code } of vectorsOf<{ text: string; code: string }>("invitation/bad.json")) {
  test(`an invitation, refused as ${code}: ${name}`, () => {
    assert.throws(() => parseInvitation(text), { name: "IdentityError", code });
  });
}

type MessageCase = { hex: string; members: Record<string, string | { bytes: string }> };
for (const { name, hex, members } of vectorsOf<MessageCase>("message/good.json")) {
  test(`a message, good: ${name}`, () => {
    const read = Object.entries(members).map(([key, value]) => {
      return [key, typeof value === "string" ? value : bytes(value.bytes)] as const;
    });
    const message = Object.fromEntries(read) as InvitationMessage;
    assert.deepEqual(decodeInvitationMessage(bytes(hex), kinds), message);
    assert.deepEqual(encodeInvitationMessage(message), bytes(hex));
    const others = kinds.filter((kind) => kind !== message.kind);
    assert.throws(() => decodeInvitationMessage(bytes(hex), others), { code: "message_malformed" });
  });
}

for (const { name, hex, code } of vectorsOf<{ hex: string; code: string }>("message/bad.json")) {
  test(`a message, refused as ${code}: ${name}`, () => {
    assert.throws(() => decodeInvitationMessage(bytes(hex), kinds), { name: "IdentityError", code });
  });
}

type ProofCase = { secret: string; binding: string; certificate: string; anchor: string; proof: string };
for (const { name, secret, proof, ...proven } of vectorsOf<ProofCase>("proof/good.json")) {
  test(`a proof: ${name}`, () => {
    const { binding, certificate, anchor } = proven;
    const parts = { binding: bytes(binding), certificate: bytes(certificate), anchor: bytes(anchor) };
    assert.deepEqual(invitationProof(bytes(secret), parts), bytes(proof));
  });
}

type PeerCase = {
  chain: string[];
  anchor: string;
  roots: { domain: string; hex: string }[];
  pinned: string[];
  expected: string | null;
  isNamed: boolean;
  now: number;
};
function judge({ chain, anchor, roots, pinned, expected, isNamed, now }: PeerCase) {
  return judgePeer({
    chain: chain.map(bytes),
    anchor: bytes(anchor),
    believed: {
      roots: roots.map(({ domain, hex }) => domainRoot(domain, bytes(hex))),
      pinned: pinned.map((hex) => pinnedCertificate(bytes(hex))),
      denied: [],
    },
    own: { domain: "acme.catalyst.internal", node: "n1" },
    expected,
    isNamed,
    now,
  });
}

for (const { name, peer, kind, ...given } of vectorsOf<PeerCase & { peer: string; kind: string }>(
  "peer/good.json",
)) {
  test(`a peer, taken: ${name}`, () => {
    const verdict = judge(given);
    assert.ok(!("code" in verdict), JSON.stringify(verdict));
    assert.deepEqual([verdict.node, verdict.anchor.kind], [peer, kind]);
  });
}

for (const { name, code, ...given } of vectorsOf<PeerCase & { code: string }>("peer/bad.json")) {
  test(`a peer, refused as ${code}: ${name}`, () => {
    const verdict = judge(given);
    assert.equal("code" in verdict ? verdict.code : verdict.node, code);
  });
}
