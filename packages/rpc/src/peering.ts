import { z } from "zod";
import { timestamp } from "./process.ts";

const text = z.string();
const count = z.int().min(0);

/** A peer of this node: the session with it, and how many routes go back and forth. */
export const peerStatus = z.object({
  /** Its full name; null for one that has not said who it is. */
  node: text.nullable(),
  /** Where it is dialled, or came from. */
  address: text.nullable(),
  /** Whether it is in the configuration: others may dial this node by themselves. */
  configured: z.boolean(),
  /** Of the session: spec/session.md §4. */
  state: text,
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
  lastEnd: z.object({ code: text, text, by: text.nullable(), at: timestamp }).nullable(),
});
export type PeerStatus = z.infer<typeof peerStatus>;

/** What the orchestrator says of its peers in `status`. */
export const peeringState = z.object({
  node: text,
  listening: z.array(text),
  /** False when peers prove nothing: everybody who reaches the address may be anybody. */
  authenticated: z.boolean(),
  peers: z.array(peerStatus),
  /** Why there are no sessions; null when there may be. */
  problem: text.nullable(),
});
export type PeeringState = z.infer<typeof peeringState>;

export const routeTables = z.enum(["best", "received", "advertised", "rejected"]);
export type RouteTable = z.infer<typeof routeTables>;

/** A route as a table shows it. */
export const routeView = z.object({
  service: text,
  /** From whom it came, or to whom it went; null for this node's own. */
  peer: text.nullable(),
  origin: text,
  protocol: text,
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
