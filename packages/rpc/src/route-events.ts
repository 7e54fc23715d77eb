import { z } from "zod";
import { routeView } from "./peering.ts";
import { timestamp } from "./process.ts";

const text = z.string();
const count = z.int().min(0);
const stamped = z.object({ at: timestamp });

/** A route as an event shows it: whether it is stale, the event itself says. */
const eventRoute = routeView.omit({ stale: true });

/**
 * What happened to a route. `changed` is one that has other attributes, `renewed` one that was stale and was told again,
 * `judged` one of which import makes something else now, `stale` one that is kept while its peer is away, `swept` one
 * that is gone although nobody withdrew it.
 */
const routeChanges = z.enum([
  "announced",
  "changed",
  "renewed",
  "judged",
  "healthy",
  "unhealthy",
  "withdrawn",
  "expired",
  "stale",
  "swept",
]);

/** By what one path is better than another: spec/peering.md §5. */
const criterion = z.enum([
  "higher localPref",
  "healthy",
  "shorter orgPath",
  "lower metric",
  "own organisation first",
  "shorter nodePath",
  "lower origin",
  "lower peer",
]);

/** One thing that happened to the routes of a node, or to the sessions that they come over. */
const routeEvent = z.discriminatedUnion("event", [
  stamped.extend({ event: z.literal("session_up"), peer: text }),
  stamped.extend({
    event: z.literal("session_down"),
    peer: text,
    /** Why, in a code and for people; and who ended it, null when the connection did. */
    code: text,
    text,
    by: z.enum(["us", "peer"]).nullable(),
    /** How many routes of the peer are kept, stale. */
    stale: count,
  }),
  stamped.extend({
    event: z.literal("route"),
    change: routeChanges,
    /** As its source told it; with the rule that let it in or kept it out. */
    route: eventRoute,
    accepted: z.boolean(),
    /** Of one that changed: the members that are others now. */
    changed: z.array(text),
    /** Of one that was swept: why. */
    reason: z.enum(["not_announced_again", "restart_time_over", "session_ended", "peer_removed"]).nullable(),
  }),
  stamped.extend({
    event: z.literal("best"),
    service: text,
    /** The best path from now on, as import left it; null when there is none any more. */
    route: eventRoute.nullable(),
    /** By what it is better than the next one; null when it is alone. */
    criterion: criterion.nullable(),
    /** How many paths there are besides. */
    alternates: count,
  }),
  /**
   * So many events before the next one are not known any more: they came faster than they were fetched. Null when nobody
   * counted them.
   */
  stamped.extend({ event: z.literal("lost"), count: count.nullable() }),
]);
export type RouteEventView = z.infer<typeof routeEvent>;

/** Which events somebody wants to see. */
export const routeWatch = z.object({
  /** What the last answer said; without it, from now on. */
  after: count.optional(),
  /** A service by its name, with or without the domain; `*` in it stands for any characters. */
  service: text.min(1, "is empty").max(512, "is longer than 512 characters").optional(),
  /** A peer by its name, with or without the domain. */
  peer: text.min(1, "is empty").max(256, "is longer than any name").optional(),
});
export type RouteWatch = z.infer<typeof routeWatch>;

export const routeEvents = z.object({
  /** The node's full name. */
  node: text,
  /** `after` of the next call. */
  next: count,
  events: z.array(routeEvent),
});
export type RouteEvents = z.infer<typeof routeEvents>;
