/**
 * Why nobody becomes a peer by an invitation: spec/invitation.md §6.
 *
 * | code | who says it |
 * |---|---|
 * | `invitation_unknown`, `invitation_expired`, `invitation_used`, `proof_wrong` | the inviter |
 * | `invitation_other_node`, `peer_self`, `peer_configured`, `peer_refused`, `anchor_unusable`, `anchor_conflict` | each of the other |
 * | `anchor_mismatch` | whoever joins, to itself |
 * | `message_malformed`, `failed` | the inviter |
 */
export type InvitationRefusalCode =
  | "invitation_unknown"
  | "invitation_expired"
  | "invitation_used"
  | "proof_wrong"
  | "invitation_other_node"
  | "peer_self"
  | "peer_configured"
  | "peer_refused"
  | "anchor_unusable"
  | "anchor_conflict"
  | "anchor_mismatch"
  | "message_malformed"
  | "failed";

/** The text is for whoever asked; it tells no secret. */
export type InvitationRefusal = {
  readonly kind: "refused";
  readonly code: InvitationRefusalCode;
  readonly text: string;
};

const texts: Readonly<Record<InvitationRefusalCode, string>> = {
  invitation_unknown: "no such invitation is known there, or it was taken back: ask for a new one",
  invitation_expired: "the invitation has expired: ask for a new one",
  invitation_used: "another node has used the invitation: if that is nobody you know, have that peer removed",
  proof_wrong:
    "the proof is not that of the invitation on this connection: copy it whole, and connect directly",
  invitation_other_node: "the invitation is for another node",
  peer_self: "both ends are the same node",
  peer_configured: "the peer is in `mesh.peers` of the configuration: take it out there, or let it be",
  peer_refused: "the certificate is not admitted",
  anchor_unusable: "what the certificate goes back to is no root, and not the certificate itself",
  anchor_conflict:
    "another root, or certificate, stands for that organisation already: remove the peer that brought it, or name the node with --node where it signs for itself",
  anchor_mismatch:
    "whoever answers is not who made the invitation, and nothing was sent to it: correct the address, and see who is in between",
  message_malformed: "a message is not as it should be: update the older of the two nodes",
  failed: "it could not be written down: see the log of that node",
};

/** @param detail what of this case */
export function refusal(code: InvitationRefusalCode, detail?: string): InvitationRefusal {
  return { kind: "refused", code, text: detail === undefined ? texts[code] : `${texts[code]} (${detail})` };
}
