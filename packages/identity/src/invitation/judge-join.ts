import { isProof } from "../enrolment/proof.ts";
import { type IntroducedPeer, judgePeer, type PeerQuestion } from "./anchor.ts";
import type { JoinRequest } from "./invitation-message.ts";
import { invitationProof } from "./invitation-proof.ts";
import { type InvitationRefusal, refusal } from "./invitation-refusal.ts";

/** What the inviter remembers of an invitation. Times are milliseconds since 1970. */
export type InvitationRecord = {
  readonly secret: Uint8Array;
  /** The full name of the one node that it is for. */
  readonly peer: string | null;
  readonly expiresAt: number;
  /** Who has used it, by {@link userOf}; null as long as nobody has. */
  readonly usedBy: string | null;
};

export type JoinQuestion = Omit<PeerQuestion, "anchor" | "expected" | "isNamed"> & {
  readonly request: JoinRequest;
  /** Undefined where there is none of that id. */
  readonly record: InvitationRecord | undefined;
  /** What `exporterOf` gives on the connection. */
  readonly binding: Uint8Array;
};

/** Whoever comes once more under the same name and anchor is the same one, whose answer was lost. */
export function userOf({ node, anchor }: Pick<IntroducedPeer, "node" | "anchor">): string {
  return `${node} ${anchor.thumbprint}`;
}

/** The inviter's judgement of who would join, spec/invitation.md §3.4: the first fault decides. */
export function judgeJoin(question: JoinQuestion): IntroducedPeer | InvitationRefusal {
  const { request, record, binding, ...about } = question;
  if (record === undefined) return refusal("invitation_unknown");
  if (record.expiresAt <= about.now) return refusal("invitation_expired");
  const [certificate] = about.chain;
  if (certificate === undefined) return refusal("peer_refused", "it showed no certificate");
  const { anchor } = request;
  const expected = invitationProof(record.secret, { binding, certificate, anchor });
  if (!isProof(request.proof, expected)) return refusal("proof_wrong");
  const peer = judgePeer({ ...about, anchor, expected: record.peer, isNamed: record.peer !== null });
  if ("code" in peer) return peer;
  return record.usedBy === null || record.usedBy === userOf(peer) ? peer : refusal("invitation_used");
}
