import type { PlanNode } from "@graphql-hive/router-query-planner";
import type { FetchGroup } from "./fetch-group.ts";

/** Fetches that go to one service as one request, and the requests that have to be answered before. */
export type Request = { readonly groups: FetchGroup[]; readonly after: Set<Request> };

/** Joins fetches that wait for the same. Those that nothing asks for are left out. */
export function requestsOf(groups: readonly FetchGroup[]): Request[] {
  const requests = new Map<string, Request>();
  const byGroup = new Map<FetchGroup, Request>();
  // A fetch waits for others that were planned before it.
  for (const group of groups) {
    if (group.branch.isEmpty) continue;
    const after = new Set([...group.after].flatMap((each) => byGroup.get(each) ?? []));
    const known = [...after].map((each) => each.groups[0]?.number).sort();
    const id = group.entities === null ? `root ${group.number}` : `${group.service} ${known.join(" ")}`;
    const request = requests.get(id) ?? { groups: [], after };
    requests.set(id, request);
    request.groups.push(group);
    byGroup.set(group, request);
  }
  return [...requests.values()];
}

/** Orders requests: those that wait for nothing run beside each other, and what hangs on others behind them. */
export function order(requests: readonly Request[], write: (request: Request) => PlanNode): PlanNode | null {
  const parts = apart(requests).map((part) => orderConnected(part, write));
  return together("Parallel", parts);
}

function orderConnected(requests: readonly Request[], write: (request: Request) => PlanNode): PlanNode {
  const open = new Set(requests);
  const ready = requests.filter(({ after }) => [...after].every((each) => !open.has(each)));
  const first = together("Parallel", ready.map(write));
  const rest = order(
    requests.filter((each) => !ready.includes(each)),
    write,
  );
  return (
    together(
      "Sequence",
      [first, rest].flatMap((node) => node ?? []),
    ) ?? { kind: "Sequence", nodes: [] }
  );
}

function together(kind: "Sequence" | "Parallel", nodes: readonly PlanNode[]): PlanNode | null {
  const flat = nodes.flatMap((node) => (node.kind === kind ? node.nodes : [node]));
  const [only] = flat;
  return flat.length < 2 ? (only ?? null) : { kind, nodes: flat };
}

/** Parts of the requests that do not wait for each other. */
function apart(requests: readonly Request[]): Request[][] {
  const part = new Map<Request, Request[]>(requests.map((each) => [each, [each]]));
  for (const request of requests) {
    for (const before of request.after) {
      const [own, other] = [part.get(request), part.get(before)];
      if (own === undefined || other === undefined || own === other) continue;
      const [small, large] = own.length < other.length ? [own, other] : [other, own];
      for (const each of small) part.set(each, large);
      large.push(...small);
    }
  }
  const parts = [...new Set(part.values())];
  const place = new Map(requests.map((each, index) => [each, index]));
  for (const each of parts) each.sort((a, b) => (place.get(a) ?? 0) - (place.get(b) ?? 0));
  return parts;
}
