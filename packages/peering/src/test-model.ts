import type { OwnRoute } from "./speaker-event.ts";

/** What a node of the model offers, which of it does not work, and what it does not let in. */
export type ModelNode = {
  readonly own: Map<string, OwnRoute>;
  readonly unhealthy: Set<string>;
  readonly refuses: Set<string>;
};

export type ExpectedRoute = {
  readonly origin: string;
  readonly nodePath: readonly string[];
  readonly metric: number;
  readonly healthy: boolean;
};

/**
 * The routes that a node has once nothing is on its way any more, computed at once from what each node offers and who
 * is connected with whom: the shortest way to each origin, and of several the one through the lowest peer.
 */
export function expectedRoutes(
  model: ReadonlyMap<string, ModelNode>,
  connected: (a: string, b: string) => boolean,
  node: string,
): Map<string, readonly ExpectedRoute[]> {
  const services = new Set([...model.values()].flatMap(({ own }) => [...own.keys()]));
  const routes = new Map<string, readonly ExpectedRoute[]>();
  for (const service of [...services].sort()) {
    const found: ExpectedRoute[] = [];
    for (const [origin, { own, unhealthy }] of model) {
      const route = own.get(service);
      const nodePath = route && pathTo(model, connected, service, origin).get(node);
      if (route === undefined || nodePath === undefined) continue;
      found.push({ origin, nodePath, metric: route.metric ?? 0, healthy: !unhealthy.has(service) });
    }
    if (found.length > 0) routes.set(service, found.sort(compare));
  }
  return routes;
}

function compare(a: ExpectedRoute, b: ExpectedRoute): number {
  return (
    Number(b.healthy) - Number(a.healthy) ||
    a.metric - b.metric ||
    a.nodePath.length - b.nodePath.length ||
    (a.origin < b.origin ? -1 : 1)
  );
}

/** Breadth first from the origin: for each node the path that its best route has. */
function pathTo(
  model: ReadonlyMap<string, ModelNode>,
  connected: (a: string, b: string) => boolean,
  service: string,
  origin: string,
): ReadonlyMap<string, readonly string[]> {
  const paths = new Map<string, readonly string[]>([[origin, []]]);
  for (let ring = [origin]; ring.length > 0; ) {
    const next = [...model.keys()].filter(
      (name) =>
        !paths.has(name) &&
        !model.get(name)?.refuses.has(service) &&
        ring.some((inner) => connected(inner, name)),
    );
    const reached = next.map((name) => {
      const through = ring.filter((inner) => connected(inner, name)).sort()[0] ?? "";
      return [name, [through, ...(paths.get(through) ?? [])]] as const;
    });
    for (const [name, path] of reached) paths.set(name, path);
    ring = next;
  }
  return paths;
}
