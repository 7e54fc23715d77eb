import { advertisedRoutes, type Peering, receivedRoutes, viewAttributes, viewPeers } from "@catalyst/peering";
import type { PeerOrigin, PeerStatus, RouteTable, RouteView } from "@catalyst/rpc";
import type { SessionSnapshot } from "@catalyst/session";
import { routeRow } from "./route-row.ts";

type Speaker = Peering["speaker"];

/** A peer that this node knows of without a session. */
export type KnownPeer = {
  readonly origin: Exclude<PeerOrigin, "incoming">;
  /** Where it is dialled; null for one that comes. */
  readonly address: string | null;
  /** What an invitation showed; null for one of the configuration. */
  readonly fingerprint: string | null;
};

/** The rows of a table, in no order; `node` is whose tables they are. */
export function* routeRows(speaker: Speaker, node: string, table: RouteTable): Generator<RouteView> {
  if (table === "advertised") {
    for (const { service, peer, sent, healthy } of advertisedRoutes(speaker)) {
      yield { ...routeRow(service, sent), peer, healthy, stale: false, rule: null };
    }
    return;
  }
  if (table === "best") {
    for (const service of speaker.services()) {
      for (const { source, verdict, healthy } of speaker.routes(service)) {
        const peer = source.node === node ? null : source.node;
        const row = routeRow(service, viewAttributes(verdict.attributes));
        yield { ...row, peer, healthy, stale: false, rule: verdict.rule };
      }
    }
    return;
  }
  for (const { service, peer, received, accepted, rule, healthy, stale } of receivedRoutes(speaker)) {
    if (table === "rejected" && accepted) continue;
    yield { ...routeRow(service, received), peer, healthy, stale, rule };
  }
}

/** Those that are known, and those that came by themselves, by name; then those who have not said who they are. */
export function peerStatuses(
  known: ReadonlyMap<string, KnownPeer>,
  sessions: readonly SessionSnapshot[],
  speaker: Speaker,
): PeerStatus[] {
  const views = new Map(viewPeers(speaker).map((view) => [view.node, view] as const));
  const named = new Map<string, SessionSnapshot>();
  const unnamed: SessionSnapshot[] = [];
  for (const session of sessions) {
    if (session.node === null) unnamed.push(session);
    else if (named.get(session.node)?.state !== "established") named.set(session.node, session);
  }
  const nodes = [...new Set([...known.keys(), ...named.keys(), ...views.keys()])].sort();
  return [
    ...nodes.map((node) => {
      const view = views.get(node);
      const routes = { received: view?.received ?? 0, advertised: view?.advertised ?? 0 };
      return { ...statusOf(node, known.get(node), named.get(node)), ...routes };
    }),
    ...unnamed.map((session) => ({ ...statusOf(null, undefined, session), received: 0, advertised: 0 })),
  ];
}

export function byService(a: RouteView, b: RouteView): number {
  if (a.service !== b.service) return a.service < b.service ? -1 : 1;
  return (a.peer ?? "") < (b.peer ?? "") ? -1 : 1;
}

function statusOf(
  node: string | null,
  known: KnownPeer | undefined,
  session: SessionSnapshot | undefined,
): Omit<PeerStatus, "received" | "advertised"> {
  const end = session?.lastEnd ?? null;
  return {
    node,
    address: session?.remote ?? known?.address ?? null,
    origin: known?.origin ?? "incoming",
    fingerprint: known?.fingerprint ?? null,
    state: session?.state ?? "idle",
    establishedMs: session?.establishedMs ?? null,
    retryInMs: session?.retryInMs ?? null,
    attempts: session?.attempts ?? 0,
    authenticated: session?.peer?.authenticated ?? null,
    clockSkewMs: session?.peer?.clockSkewMs ?? null,
    certificateNotAfter: isoOf(session?.certificateNotAfter ?? null),
    lastEnd: end === null ? null : { ...lastWords(end), at: new Date(end.at).toISOString() },
  };
}

function lastWords({ reason }: NonNullable<SessionSnapshot["lastEnd"]>) {
  return { code: reason.code, text: reason.text, by: reason.by };
}

function isoOf(time: number | null): string | null {
  return time === null ? null : new Date(time).toISOString();
}
