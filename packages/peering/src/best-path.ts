import { isSameSet } from "./attribute-set.ts";
import type { UsablePath } from "./path.ts";

/** One question by which two paths are told apart; negative when the first is better. */
export type Criterion = {
  readonly name:
    | "higher localPref"
    | "healthy"
    | "shorter orgPath"
    | "lower metric"
    | "own organisation first"
    | "shorter nodePath"
    | "lower origin"
    | "lower peer";
  readonly compare: (a: UsablePath, b: UsablePath) => number;
};

const order = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);
const attributesOf = (path: UsablePath) => path.verdict.attributes;

/**
 * spec/peering.md §5: which of two paths of a service is better, by the first of these that tells them apart. The last
 * two are names and never equal, so that every node finds the same.
 */
export const criteria: readonly Criterion[] = [
  { name: "higher localPref", compare: (a, b) => attributesOf(b).localPref - attributesOf(a).localPref },
  { name: "healthy", compare: (a, b) => Number(b.healthy) - Number(a.healthy) },
  {
    name: "shorter orgPath",
    compare: (a, b) => attributesOf(a).orgPath.length - attributesOf(b).orgPath.length,
  },
  { name: "lower metric", compare: (a, b) => attributesOf(a).metric - attributesOf(b).metric },
  {
    name: "own organisation first",
    compare: (a, b) => Number(b.source.isOwnDomain) - Number(a.source.isOwnDomain),
  },
  {
    name: "shorter nodePath",
    compare: (a, b) => attributesOf(a).nodePath.length - attributesOf(b).nodePath.length,
  },
  { name: "lower origin", compare: (a, b) => order(a.received.origin, b.received.origin) },
  { name: "lower peer", compare: (a, b) => order(a.source.node, b.source.node) },
];

/** Negative when `a` is better than `b`; 0 only for one path compared with itself. */
export function comparePaths(a: UsablePath, b: UsablePath): number {
  for (const { compare } of criteria) {
    const difference = compare(a, b);
    if (difference !== 0) return difference;
  }
  return 0;
}

/** The criterion by which `a` is better than `b`, which is another path of the service. */
export function decidingCriterion(a: UsablePath, b: UsablePath): Criterion["name"] {
  return criteria.find(({ compare }) => compare(a, b) !== 0)?.name ?? "lower peer";
}

/** Of paths in order of preference, the best one of each origin: what is used, and what is told to others. */
export function selectBest(paths: readonly UsablePath[]): readonly UsablePath[] {
  if (paths.length < 2) return paths;
  const origins = new Set<string>();
  const best = paths.filter(({ received: { origin } }) => origins.size < origins.add(origin).size);
  return best.length === paths.length ? paths : best;
}

/** How the selection for a service changed: for peers, which see attributes, and for the data plane. */
export type SelectionChange = {
  readonly routes: boolean;
  readonly endpoints: boolean;
  readonly health: boolean;
};

const isHealthy = ({ healthy }: UsablePath) => healthy;

export const unchanged: SelectionChange = { routes: false, endpoints: false, health: false };

export function compareSelections(
  before: readonly UsablePath[],
  after: readonly UsablePath[],
): SelectionChange {
  if (before.length !== after.length) {
    return { routes: true, endpoints: true, health: !before.every(isHealthy) || !after.every(isHealthy) };
  }
  let [routes, endpoints, health] = [false, false, false];
  for (let at = 0; at < after.length; at++) {
    const [a, b] = [before[at], after[at]];
    if (a === undefined || b === undefined || a === b) continue;
    if (a.healthy !== b.healthy) health = true;
    if (isSameSet(attributesOf(a), attributesOf(b))) continue;
    routes = true;
    if (attributesOf(a).endpoint !== attributesOf(b).endpoint) endpoints = true;
  }
  return { routes, endpoints: endpoints || health, health };
}
