import { globex, inAcme, inGlobex } from "./routes.ts";

/** What tells paths apart; what is left out is that of a healthy path from n2 to n1, told by n2. */
type PathCase = {
  readonly origin?: string;
  readonly peer?: string;
  readonly localPref?: number;
  readonly healthy?: boolean;
  readonly orgPath?: readonly string[];
  readonly metric?: number;
  readonly nodePath?: readonly string[];
};

const [n1, n2, n4, n5] = ["n1", "n2", "n4", "n5"].map(inAcme) as [string, string, string, string];
const base = {
  origin: n1,
  peer: n2,
  localPref: 100,
  healthy: true,
  orgPath: [],
  metric: 0,
  nodePath: [n2, n1],
};

/** Each better than all that follow, and by which criterion better than the next one. */
const cases: Readonly<Record<string, readonly (readonly [PathCase, string | null])[]>> = {
  "localPref is asked first": [
    [{ localPref: 101, healthy: false, metric: 9, nodePath: [n2, n4, n5, n1] }, "higher localPref"],
    [{}, null],
  ],
  "health is asked before paths": [
    [{ orgPath: [globex], metric: 9 }, "healthy"],
    [{ healthy: false }, null],
  ],
  "organisations are asked before the metric": [
    [{ metric: 9 }, "shorter orgPath"],
    [{ orgPath: [globex] }, null],
  ],
  "the metric is asked before who told": [
    [{ peer: inGlobex("gate"), metric: 1 }, "lower metric"],
    [{ metric: 2 }, null],
  ],
  "the own organisation is asked before nodes": [
    [{ nodePath: [n2, n4, n5, n1] }, "own organisation first"],
    [{ peer: inGlobex("gate"), nodePath: [inGlobex("gate")] }, null],
  ],
  "nodes are asked before the origin": [
    [{ origin: n5, nodePath: [n5] }, "shorter nodePath"],
    [{ origin: n1, nodePath: [n2, n1] }, null],
  ],
  "the origin is asked before the peer": [
    [{ origin: n1, peer: n5 }, "lower origin"],
    [{ origin: n4, peer: n2 }, null],
  ],
  "the peer is asked last": [
    [{ peer: n2 }, "lower peer"],
    [{ peer: n4 }, "lower peer"],
    [{ peer: n5 }, null],
  ],
  "names are compared by their bytes": [
    [{ origin: inAcme("n-1") }, "lower origin"],
    [{ origin: inAcme("n10") }, "lower origin"],
    [{ origin: inAcme("n2") }, null],
  ],
};

export const bestPathVectors = {
  about: "spec/peering.md §5",
  vectors: Object.entries(cases).map(([name, paths]) => ({
    name,
    node: inAcme("n3"),
    paths: paths.map(([path]) => ({ ...base, ...path })),
    decidedBy: paths.flatMap(([, criterion]) => (criterion === null ? [] : [criterion])),
  })),
};
