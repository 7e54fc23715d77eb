import type { AttributeSet } from "./attribute-set.ts";
import type { RouteAttributes } from "./attributes.ts";
import type { Path } from "./path.ts";
import type { Peer } from "./peer.ts";
import type { Speaker } from "./speaker.ts";

/** Attributes as lists of routes show them. */
export type AttributesView = Omit<RouteAttributes, "labels" | "schemaDigest" | "originFact"> & {
  readonly origin: string;
  readonly labels: Readonly<Record<string, string>>;
  /** SHA-256 in hexadecimal. */
  readonly schemaDigest: string | null;
};

/** A route that a peer told, and what became of it. */
export type ReceivedRoute = {
  readonly service: string;
  readonly peer: string;
  readonly received: AttributesView;
  readonly accepted: boolean;
  /** The rule of the import policy that decided, or one of spec/peering.md §4.1. */
  readonly rule: string;
  readonly healthy: boolean;
  /** Told in a session that ended, and not since. */
  readonly stale: boolean;
};

/** A route that a peer was told. */
export type AdvertisedRoute = {
  readonly service: string;
  readonly peer: string;
  readonly sent: AttributesView;
  readonly healthy: boolean;
};

/** A peer, and how much goes back and forth. */
export type PeerView = {
  readonly node: string;
  readonly domain: string;
  readonly established: boolean;
  /** Routes that it told, and that it was told. */
  readonly received: number;
  readonly advertised: number;
  readonly bytes: number;
  /** Messages with attributes that could not be read. */
  readonly malformed: number;
};

export function viewAttributes(set: AttributeSet): AttributesView {
  const { origin, organisation, protocol, nextHop, nodePath, orgPath } = set;
  const { localPref, metric, noExport, expiry, labels, schemaDigest } = set;
  return {
    origin,
    organisation,
    protocol,
    nextHop,
    nodePath,
    orgPath,
    localPref,
    metric,
    noExport,
    expiry,
    labels: Object.fromEntries(labels),
    schemaDigest: schemaDigest === null ? null : Buffer.from(schemaDigest).toString("hex"),
  };
}

/** Everything that peers told, rejected routes included. */
export function* receivedRoutes(speaker: Speaker): Generator<ReceivedRoute> {
  for (const peer of speaker.peers.values()) {
    for (const path of peer.rib.paths()) yield viewPath(peer, path);
  }
}

/** Everything that peers were told. */
export function* advertisedRoutes(speaker: Speaker): Generator<AdvertisedRoute> {
  for (const { node, session } of speaker.peers.values()) {
    if (session === null) continue;
    const { rib } = session.outbound;
    for (const [service, sets] of rib.entries()) {
      for (const set of sets) {
        const healthy = !rib.isToldUnhealthy(service, set.origin);
        yield { service, peer: node, sent: viewAttributes(set), healthy };
      }
    }
  }
}

export function viewPeers(speaker: Speaker): readonly PeerView[] {
  return [...speaker.peers.values()].map(({ node, domain, session, rib, malformed }) => ({
    node,
    domain,
    established: session !== null,
    received: rib.routes,
    advertised: session?.outbound.rib.routes ?? 0,
    bytes: rib.bytes,
    malformed,
  }));
}

export function viewPath(peer: Peer, path: Path): ReceivedRoute {
  return {
    service: path.service,
    peer: peer.node,
    received: viewAttributes(path.received),
    accepted: path.verdict.attributes !== null,
    rule: path.verdict.rule,
    healthy: path.healthy,
    stale: isAway(peer) || peer.rib.isStale(path),
  };
}

function isAway({ session, staleUntil }: Peer): boolean {
  return session === null && staleUntil !== null;
}
