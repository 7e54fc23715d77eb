import { nodeNamePattern } from "@catalyst/wire/portable";
import { z } from "zod";
import { defineMethod } from "./contract.ts";
import { timestamp } from "./process.ts";
import { serviceProtocol } from "./service.ts";

const text = z.string();
const count = z.int().min(0);

/** Why this node knows a peer: its configuration, an invitation, or that the peer opened a session by itself. */
export const peerOrigin = z.enum(["configuration", "invitation", "incoming"]);
export type PeerOrigin = z.infer<typeof peerOrigin>;

/** How far a session is: spec/session.md §3. */
export const sessionState = z.enum(["idle", "connect", "open_sent", "open_confirm", "established"]);

/** Why a session, or an attempt at one, ended: the codes of spec/session.md §4.6, and those of this end alone. */
export const sessionEndCode = z.enum([
  "stopped",
  "restarting",
  "collision",
  "hold_expired",
  "handshake_timeout",
  "frame_invalid",
  "message_malformed",
  "message_unexpected",
  "version_unsupported",
  "protocol_unsupported",
  "identity_mismatch",
  "not_admitted",
  "self_connection",
  "open_mismatch",
  "credit_exceeded",
  "rate_exceeded",
  "too_many_sessions",
  "not_reading",
  "certificate_expired",
  "protocol_error",
  "internal_error",
  "too_soon",
  "unknown",
  "connection_lost",
  "dial_failed",
  "listen_failed",
  "message_too_large",
  "misused",
]);

/** A peer of this node: the session with it, and how many routes go back and forth. */
export const peerStatus = z.object({
  /** Its full name; null for one that has not said who it is. */
  node: text.nullable(),
  /** Where it is dialled, or came from. */
  address: text.nullable(),
  origin: peerOrigin,
  /** SHA-256 of what its certificate went back to when it was invited, base64url; null for others. */
  fingerprint: text.nullable(),
  state: sessionState,
  establishedMs: z.number().nullable(),
  /** Until it is dialled again, in ms. */
  retryInMs: z.number().nullable(),
  /** Failures since the session was last stable. */
  attempts: count,
  authenticated: z.boolean().nullable(),
  clockSkewMs: z.number().nullable(),
  certificateNotAfter: timestamp.nullable(),
  /** Routes that it told, and that it was told. */
  received: count,
  advertised: count,
  /** Why the last session, or attempt, ended. */
  lastEnd: z
    .object({ code: sessionEndCode, text, by: z.enum(["us", "peer"]).nullable(), at: timestamp })
    .nullable(),
});
export type PeerStatus = z.infer<typeof peerStatus>;

/** What the orchestrator says of its peers in `status`. */
export const peeringState = z.object({
  node: text,
  listening: z.array(text),
  /** False when peers prove nothing: everybody who reaches the address may be anybody. */
  authenticated: z.boolean(),
  peers: z.array(peerStatus),
  /** SHA-256 of what this node's own certificate goes back to, base64url; null while it shows none. */
  fingerprint: text.nullable(),
  /** Why there are no sessions; null when there may be. */
  problem: text.nullable(),
});
export type PeeringState = z.infer<typeof peeringState>;

/** The full name of a node. */
const nodeName = z
  .string()
  .max(253)
  .regex(nodeNamePattern, "is not the full name of a node, such as n7.globex.catalyst.internal");

/** An invitation without its secret. */
export const peerInvitation = z.object({
  id: text,
  /** The one node that it is for; null where it is for whoever has it. */
  peer: text.nullable(),
  createdAt: timestamp,
  expiresAt: timestamp,
  usedBy: text.nullable(),
  state: z.enum(["open", "used", "expired"]),
});
export type PeerInvitation = z.infer<typeof peerInvitation>;

/** How a node gets peers at run time: spec/invitation.md. */
export const invitationMethods = {
  /**
   * Makes an invitation, and shows it this once. `peer` is the full name of the one node that it is for; `addresses` are where
   * that node reaches this one, by default where it listens. Throws `peers_not_served`, `ttl_too_long` or `busy`.
   */
  invitePeer: defineMethod(
    z.object({
      peer: nodeName.optional(),
      ttlMs: z.int().min(1_000, "is shorter than a second").default(600_000),
      addresses: z.array(z.string().max(261)).max(8, "are more than eight").default([]),
    }),
    z.object({
      token: text,
      id: text,
      node: text,
      peer: text.nullable(),
      /** SHA-256 of what this node's certificate goes back to, base64url. */
      fingerprint: text,
      addresses: z.array(text),
      expiresAt: timestamp,
    }),
  ),
  /**
   * Becomes a peer of whoever made an invitation, durably, and waits for the session for `waitMs` at most. `peer` is who that
   * has to be: only then a certificate of its own is taken for an organisation that others speak for. Throws
   * `invitation_refused`, `peer_unreachable` or `peers_not_served`.
   */
  joinPeer: defineMethod(
    z.object({
      token: z.string().min(1).max(4_096),
      peer: nodeName.optional(),
      waitMs: z.int().min(0).max(60_000).default(10_000),
    }),
    z.object({ peer: peerStatus, node: text, ownFingerprint: text }),
  ),
  /**
   * Removes a peer that was added at run time: it is believed no more, its session ends, its routes go, and it is kept out until
   * it is invited again. Throws `peer_configured` or `peer_unknown`.
   */
  removePeer: defineMethod(z.object({ peer: text }), z.object({ node: text })),
  listInvitations: defineMethod(z.undefined(), z.array(peerInvitation)),
  /** Takes an invitation back that nobody has used. Throws `invitation_unknown`. */
  revokeInvitation: defineMethod(z.object({ id: text }), z.object({ id: text })),
} as const;

export const routeTables = z.enum(["best", "received", "advertised", "rejected"]);
export type RouteTable = z.infer<typeof routeTables>;

/** A route as a table shows it. */
export const routeView = z.object({
  service: text,
  /** From whom it came, or to whom it went; null for this node's own. */
  peer: text.nullable(),
  origin: text,
  protocol: serviceProtocol,
  nextHop: text,
  nodePath: z.array(text),
  localPref: z.int(),
  metric: z.int(),
  labels: z.record(text, text),
  healthy: z.boolean(),
  /** Told in a session that ended, and not since. */
  stale: z.boolean(),
  /** The rule that let it in or kept it out; null where none was asked. */
  rule: text.nullable(),
});
export type RouteView = z.infer<typeof routeView>;
