import { decidingCriterion } from "./best-path.ts";
import type { UsablePath } from "./path.ts";
import type { Peer } from "./peer.ts";
import type { Speaker } from "./speaker.ts";
import { type ReceivedRoute, viewPath } from "./view.ts";

/** Why the routes of a service are as they are: a decision in the form in which processes exchange them. */
export type RouteExplanation = {
  readonly question: string;
  /** ISO 8601. */
  readonly asOf: string;
  readonly inputs: { readonly received: readonly ReceivedRoute[] };
  readonly steps: readonly { readonly rule: string; readonly outcome: string }[];
  readonly result: string;
};

/**
 * What was received from whom, which rule let it in or kept it out, by which criterion each path is better than the
 * next one, and who is told. `wall` is in seconds since 1970.
 *
 * @example
 * explainRoute(speaker, "products.acme.catalyst.internal", 1_800_000_000).result;
 * // "through n2.acme.catalyst.internal to n3.acme.catalyst.internal at 192.0.2.3:10443"
 */
export function explainRoute(speaker: Speaker, service: string, wall: number): RouteExplanation {
  const sources = [speaker.own, ...[...speaker.peers.values()].sort((a, b) => (a.node < b.node ? -1 : 1))];
  const received = sources.flatMap((peer) =>
    [...peer.rib.pathsOf(service)].map((path) => viewPath(peer, path)),
  );
  const paths = speaker.paths(service);
  const told = sources.flatMap((peer) => explainExport(speaker, peer, speaker.routes(service)));
  return {
    question: `routes of ${service}`,
    asOf: new Date(wall * 1_000).toISOString(),
    inputs: { received },
    steps: [...received.map(explainImport), ...explainOrder(paths), ...told],
    result: paths[0] === undefined ? noRoute(received.length) : show(paths[0]),
  };
}

function explainImport({ peer, received, accepted, rule, healthy, stale }: ReceivedRoute) {
  const marks = [healthy ? null : "unhealthy", stale ? "stale" : null].filter((mark) => mark !== null);
  const verdict = accepted ? `let in by "${rule}"` : `kept out by "${rule}"`;
  return {
    rule: `import from ${peer}`,
    outcome: [`origin ${received.origin}: ${verdict}`, ...marks].join(", "),
  };
}

function explainOrder(paths: readonly UsablePath[]) {
  return paths.slice(1).map((path, at) => {
    const better = paths[at] ?? path;
    return {
      rule: `preference ${at + 1} before ${at + 2}`,
      outcome: `${decidingCriterion(better, path)}: ${show(better)} before ${show(path)}`,
    };
  });
}

function explainExport(speaker: Speaker, peer: Peer, routes: readonly UsablePath[]) {
  const { session } = peer;
  if (session === null) return [];
  return routes.map((path) => {
    const { attributes, rule } = speaker.exportOf(peer, session, path);
    const verdict = attributes === null ? `not told, by "${rule}"` : `told by "${rule}"`;
    return { rule: `export to ${peer.node}`, outcome: `origin ${path.received.origin}: ${verdict}` };
  });
}

function show({ source, received, verdict }: UsablePath): string {
  const { host, port } = verdict.attributes.nextHop;
  const to = `${received.origin} at ${host.includes(":") ? `[${host}]` : host}:${port}`;
  return source.node === received.origin ? to : `through ${source.node} to ${to}`;
}

function noRoute(received: number): string {
  return received === 0
    ? "no route: nobody tells of it; `catalyst route list --received` has what peers tell"
    : "no route: none of those told is let in";
}
