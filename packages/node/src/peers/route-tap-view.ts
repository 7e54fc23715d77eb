import { type AttributeSet, type Moment, type RouteEvent, viewAttributes } from "@catalyst/peering";
import type { RouteEventView } from "@catalyst/rpc";
import { routeRow } from "./route-row.ts";

/** What happened, and when. */
export type TimedEvent = { readonly event: RouteEvent; readonly now: Moment };

type TappedPath = Extract<RouteEvent, { kind: "route" }>["path"];

/** An event as it is shown; `self` is this node's full name. */
export function viewRouteEvent({ event, now }: TimedEvent, self: string): RouteEventView {
  const at = new Date(now.wall * 1_000).toISOString();
  switch (event.kind) {
    case "session_up":
      return { at, event: "session_up", peer: event.peer };
    case "session_down": {
      const { peer, end, stale } = event;
      return { at, event: "session_down", peer, code: end.code, text: end.text, by: end.by, stale };
    }
    case "route": {
      const { change, path, before, reason } = event;
      const route = routeOf(path, path.received, self);
      const accepted = path.verdict.attributes !== null;
      const changed = before === null ? [] : changedMembers(before.received, path.received);
      return { at, event: "route", change, route, accepted, changed, reason };
    }
    case "best": {
      const { service, path, criterion, alternates } = event;
      const route = path === null ? null : routeOf(path, path.verdict.attributes, self);
      return { at, event: "best", service, route, criterion, alternates };
    }
  }
}

function routeOf({ service, source, healthy, verdict }: TappedPath, set: AttributeSet, self: string) {
  const peer = source.node === self ? null : source.node;
  return { ...routeRow(service, viewAttributes(set)), peer, healthy, rule: verdict.rule };
}

/** The names of the members that two sets of attributes have of different value. */
function changedMembers(before: AttributeSet, after: AttributeSet): string[] {
  const [a, b] = [viewAttributes(before), viewAttributes(after)];
  const names = Object.keys(b) as (keyof typeof b)[];
  return names.filter((name) => JSON.stringify(a[name]) !== JSON.stringify(b[name]));
}
