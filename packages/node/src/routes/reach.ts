import { isNextHop, type NextHop, type NodeRule, type ServicePath } from "@catalyst/envoy";
import type { Protocol, UsablePath } from "@catalyst/peering";
import type { ServiceEntry } from "../services/service-table.ts";

/** A service as it is reached from this node. */
export type ReachedService = {
  readonly name: string;
  readonly protocol: Protocol;
  /** What this node itself declares; null where other nodes alone have the service. */
  readonly entry: ServiceEntry | null;
  /** All ways to it, the preferred one first; at least one. */
  readonly paths: readonly ServicePath[];
  /** Changes whenever its schema may be another one. */
  readonly revision: string;
  /** Which nodes may have it from here; by default those of this organisation. */
  readonly rules?: readonly NodeRule[];
};

/** How other nodes have a service, the preferred one first. */
export type RemoteService = {
  readonly name: string;
  readonly protocol: Protocol;
  readonly nextHops: readonly NextHop[];
  readonly revision: string;
  /** The peer that told the best of its routes. */
  readonly peer: string;
};

/**
 * What the routes of a service say of other nodes, in the order in which they are preferred; null when there is none. Of
 * routes that say to be of another protocol than the best one none is followed.
 */
export function remoteService(
  name: string,
  routes: readonly UsablePath[],
  self: string,
): RemoteService | null {
  const remote = routes.filter(
    ({ source, verdict }) => source.node !== self && isNextHop(verdict.attributes.nextHop),
  );
  const [best] = remote;
  if (best === undefined) return null;
  const { protocol, schemaDigest, origin } = best.verdict.attributes;
  const followed = remote.filter(({ verdict }) => verdict.attributes.protocol === protocol);
  return {
    name,
    protocol,
    nextHops: followed.map(({ verdict }) => verdict.attributes.nextHop),
    // A schema is fetched again when its digest changes; by which way it is reached says nothing of it.
    revision: schemaDigest === null ? `of ${origin}` : Buffer.from(schemaDigest).toString("hex"),
    peer: best.source.node,
  };
}

/** How a service is reached, here and elsewhere; `hereLast` where elsewhere is better. Null when it is not. */
export function reachedService(
  entry: ServiceEntry | null,
  remote: RemoteService | null,
  hereLast: boolean,
): ReachedService | null {
  const elsewhere = (remote?.nextHops ?? []).map((nextHop): ServicePath => ({ to: "node", nextHop }));
  if (entry === null) {
    if (remote === null) return null;
    const { name, protocol, revision } = remote;
    return { name, protocol, entry, paths: elsewhere, revision };
  }
  const { service, revision } = entry;
  const { name, protocol } = service;
  const here: ServicePath = { to: "here", service };
  // Two services of one name that speak differently are two: the one that stands here is meant.
  const others = remote?.protocol === protocol ? elsewhere : [];
  return { name, protocol, entry, revision, paths: hereLast ? [...others, here] : [here, ...others] };
}
