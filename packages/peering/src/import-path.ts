import { belongsTo } from "@catalyst/wire";
import type { AttributeCache, AttributeSet } from "./attribute-set.ts";
import { defaultLocalPref, domainOfSpiffe, type RouteAttributes } from "./attributes.ts";
import type { Source } from "./path.ts";
import type { Judge, Policy, PolicySet, Transform, Verdict } from "./policy.ts";

/** The node that speaks, and its organisation. */
export type Self = { readonly node: string; readonly domain: string };

const refusal = (rule: string): Verdict => ({ attributes: null, rule });
const foreignName = refusal("foreign_name");

/** spec/peering.md §4.1: what import makes of routes with these attributes from this peer, by service. */
export function importJudge(
  parts: { readonly self: Self; readonly policy: Policy; readonly cache: AttributeCache },
  source: Source,
  attributes: AttributeSet,
): Judge {
  const fault = pathFault(parts.self, source, attributes);
  if (fault !== null) {
    const refused = refusal(fault);
    return () => refused;
  }
  const transform: Transform = (received, set) => {
    const localPref = source.isOwnDomain ? received.localPref : defaultLocalPref;
    if (set === undefined && localPref === received.localPref) return received;
    return parts.cache.make(received.origin, applySet({ ...received, localPref }, set));
  };
  const judge = parts.policy.judgeOf(source, attributes, transform);
  const { organisation } = attributes;
  return (service) => (belongsTo(service, organisation) ? judge(service) : foreignName);
}

/** Attributes with what a rule sets. */
export function applySet(route: RouteAttributes, set: PolicySet | undefined): RouteAttributes {
  if (set === undefined) return route;
  const { localPref = route.localPref, metric = route.metric, noExport = route.noExport } = set;
  return { ...route, localPref, metric, noExport, labels: applyLabels(route.labels, set.labels ?? {}) };
}

function applyLabels(
  labels: ReadonlyMap<string, string>,
  set: Readonly<Record<string, string | null>>,
): ReadonlyMap<string, string> {
  const changed = new Map(labels);
  for (const [key, value] of Object.entries(set)) {
    if (value === null) changed.delete(key);
    else changed.set(key, value);
  }
  return changed;
}

/** Why routes with such a path are not used, however the policy is; null when nothing is wrong with it. */
function pathFault(self: Self, source: Source, attributes: AttributeSet): string | null {
  const { nodePath, orgPath, organisation, origin, nextHop } = attributes;
  if (nodePath[0] !== source.node || !belongsTo(origin, organisation)) return "path_forged";
  if (nodePath.includes(self.node)) return "node_loop";
  if (orgPath.includes(self.domain)) return "organisation_loop";
  const fault = source.isOwnDomain ? innerPathFault(self, attributes) : outerPathFault(source, attributes);
  if (fault !== null) return fault;
  const hopDomain = domainOfSpiffe(nextHop.spiffeId);
  const isReachedDirectly = hopDomain === (orgPath[0] ?? organisation);
  return isReachedDirectly || (source.isOwnDomain && hopDomain === self.domain) ? null : "foreign_next_hop";
}

/** Within the organisation: nodes of it down to the origin, or down to the node of the organisation before. */
function innerPathFault(
  self: Self,
  { nodePath, orgPath, organisation, origin }: AttributeSet,
): string | null {
  const last = nodePath.at(-1) ?? "";
  const [next] = orgPath;
  if (next === undefined) {
    const isOwn = organisation === self.domain && last === origin;
    return isOwn && nodePath.every((node) => belongsTo(node, self.domain)) ? null : "path_forged";
  }
  const isPassedOn =
    nodePath.length > 1 &&
    belongsTo(last, next) &&
    orgPath.at(-1) === organisation &&
    organisation !== self.domain;
  const inside = nodePath.slice(0, -1);
  return isPassedOn && inside.every((node) => belongsTo(node, self.domain)) ? null : "path_forged";
}

/** Between organisations: the peer alone, and its organisation first. */
function outerPathFault(source: Source, { nodePath, orgPath, organisation }: AttributeSet): string | null {
  const isTold = nodePath.length === 1 && orgPath[0] === source.domain && orgPath.at(-1) === organisation;
  return isTold ? null : "path_forged";
}
