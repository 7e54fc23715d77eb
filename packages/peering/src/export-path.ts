import type { AttributeCache, AttributeSet } from "./attribute-set.ts";
import { defaultLocalPref, type NextHop, type RouteAttributes } from "./attributes.ts";
import { applySet, type Self } from "./import-path.ts";
import type { Source } from "./path.ts";
import type { Judge, Policy, Transform, Verdict } from "./policy.ts";

const longestPath = 64;

/** What the exporting node says of itself. */
export type Exporter = Self & {
  /** Its own Envoy. */
  readonly nextHop: NextHop;
};

/** spec/peering.md §4.2: what a peer is told of routes with these attributes, by service. */
export function exportJudge(
  parts: { readonly exporter: Exporter; readonly policy: Policy; readonly cache: AttributeCache },
  peer: Source,
  attributes: AttributeSet,
): Judge {
  const reason = withheld(parts.exporter, peer, attributes);
  if (reason !== null) {
    const verdict: Verdict = { attributes: null, rule: reason };
    return () => verdict;
  }
  const pass = peer.isOwnDomain ? passInside : passOutside;
  const transform: Transform = (route, set) =>
    parts.cache.make(route.origin, pass(parts.exporter, applySet(route, set)));
  return parts.policy.judgeOf(peer, attributes, transform);
}

/** Why the peer is not told, however the policy is; null when nothing is in the way. */
function withheld(
  self: Self,
  peer: Source,
  { nodePath, orgPath, organisation, noExport }: AttributeSet,
): string | null {
  if (nodePath.includes(peer.node)) return "split_horizon";
  if (peer.isOwnDomain) return nodePath.length >= longestPath ? "path_too_long" : null;
  if (noExport) return "no_export";
  if (organisation === peer.domain || orgPath.includes(peer.domain)) return "split_horizon";
  return orgPath.length >= longestPath || orgPath.includes(self.domain) ? "path_too_long" : null;
}

function passInside(self: Exporter, route: RouteAttributes): RouteAttributes {
  return { ...route, nodePath: [self.node, ...route.nodePath] };
}

function passOutside(self: Exporter, route: RouteAttributes): RouteAttributes {
  return {
    ...route,
    nodePath: [self.node],
    orgPath: [self.domain, ...route.orgPath],
    nextHop: self.nextHop,
    localPref: defaultLocalPref,
  };
}
