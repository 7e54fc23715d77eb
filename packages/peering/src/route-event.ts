import { isSameSet } from "./attribute-set.ts";
import { type Criterion, decidingCriterion } from "./best-path.ts";
import type { Path, Source, UsablePath } from "./path.ts";
import type { Moment } from "./speaker-event.ts";

/** Why a session with a peer ended: its code, words for people, and who ended it; null when the connection did. */
export type SessionEnd = {
  readonly code: string;
  readonly text: string;
  readonly by: "us" | "peer" | null;
};

/** Why a route was removed that its peer did not withdraw. */
export type SweepReason = "not_announced_again" | "restart_time_over" | "session_ended" | "peer_removed";

/** Why a route is gone. */
export type Removal = "withdrawn" | SweepReason;

/**
 * What happened to a route: `changed` is one that has other attributes, `renewed` one that was stale and was told again
 * as it was, `judged` one of which import makes something else now, `stale` one that is kept while its peer is away.
 */
export type RouteChange =
  | "announced"
  | "changed"
  | "renewed"
  | "judged"
  | "healthy"
  | "unhealthy"
  | "withdrawn"
  | "expired"
  | "stale"
  | "swept";

/** What happened to the tables, in the order in which it did. */
export type RouteEvent =
  | { readonly kind: "session_up"; readonly peer: string }
  /** So many routes of the peer are kept, stale; the others go with the session. */
  | { readonly kind: "session_down"; readonly peer: string; readonly end: SessionEnd; readonly stale: number }
  | {
      readonly kind: "route";
      readonly change: RouteChange;
      /** The route as it is now, or was last. */
      readonly path: Path;
      /** As it was before, of a route that changed. */
      readonly before: Path | null;
      /** Of a route that was swept. */
      readonly reason: SweepReason | null;
    }
  | {
      readonly kind: "best";
      readonly service: string;
      /** Whose route it was that changed. */
      readonly cause: Source;
      /** The best path from now on; null when there is none any more. */
      readonly path: UsablePath | null;
      /** By what it is better than the next one; null when it is alone. */
      readonly criterion: Criterion["name"] | null;
      /** How many paths there are besides. */
      readonly alternates: number;
    };

/**
 * Is told of everything at once, in the middle of a step: it keeps what it wants and returns. It must not throw, and
 * not step the speaker. Paths that it is given are not changed later, but for their `round`.
 */
export type Tap = (event: RouteEvent, now: Moment) => void;

/** Of a route that is told again, or becomes stale, and does not change by it. */
export function describeRoute(change: RouteChange, path: Path): RouteEvent {
  return { kind: "route", change, path, before: null, reason: null };
}

/** Of a path that took the place of another one of its source. `wall` is in seconds since 1970. */
export function describeChange(before: Path | null, path: Path, wall: number): RouteEvent {
  return { kind: "route", change: changeOf(before, path, wall), path, before, reason: null };
}

/** Of a path that is gone. */
export function describeRemoval(path: Path, removal: Removal): RouteEvent {
  if (removal === "withdrawn") return describeRoute(removal, path);
  return { kind: "route", change: "swept", path, before: null, reason: removal };
}

/** The best path of a service once a path of it changed, when it is another one than before. The lists are in order of preference. */
export function describeBest(
  { service, source: cause }: Path,
  before: readonly UsablePath[],
  after: readonly UsablePath[],
): RouteEvent | null {
  const [path, next] = after;
  if (isSameBest(before[0], path)) return null;
  const criterion = path === undefined || next === undefined ? null : decidingCriterion(path, next);
  const alternates = Math.max(0, after.length - 1);
  return { kind: "best", service, cause, path: path ?? null, criterion, alternates };
}

function changeOf(before: Path | null, path: Path, wall: number): RouteChange {
  if (before === null) return "announced";
  if (!isSameSet(before.received, path.received)) return "changed";
  if (before.healthy !== path.healthy) return path.healthy ? "healthy" : "unhealthy";
  const { expiry } = path.received;
  return expiry !== null && expiry <= wall ? "expired" : "judged";
}

function isSameBest(a: UsablePath | undefined, b: UsablePath | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  const isSame = a.source === b.source && a.healthy === b.healthy;
  return isSame && isSameSet(a.verdict.attributes, b.verdict.attributes);
}
