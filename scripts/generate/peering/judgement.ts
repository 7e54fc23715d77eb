import type { RouteAttributes } from "@catalyst/peering";
import { acme, envoyOf, globex, hexOf, inAcme, inGlobex, initech, plain, toJson } from "./routes.ts";

type Case = {
  readonly peer?: string;
  readonly origin?: string;
  readonly service?: string;
  readonly route?: Partial<RouteAttributes>;
};

const [n1, n2, n3, gate] = [inAcme("n1"), inAcme("n2"), inAcme("n3"), inGlobex("gate")];
const products = inAcme("products");
const ofGlobex: Partial<RouteAttributes> = {
  organisation: globex,
  nextHop: envoyOf("gate", globex),
  orgPath: [globex],
};
const mail: Case = { origin: inGlobex("m1"), service: inGlobex("mail") };
const fromGate = (more: Partial<RouteAttributes> = {}): Case => ({
  ...mail,
  peer: gate,
  route: { ...ofGlobex, nodePath: [gate], ...more },
});
const throughN1 = (more: Partial<RouteAttributes> = {}): Case => ({
  ...mail,
  route: { ...ofGlobex, nodePath: [n1, gate], ...more },
});
const ofInitech: Partial<RouteAttributes> = { organisation: initech, orgPath: [globex, initech] };

/** What n3 of acme refuses, and by which rule; the policy accepts everything. */
const imports: readonly (readonly [string, string | null, Case])[] = [
  ["a route of its teller", null, {}],
  ["a route that came through another node", null, { peer: n2, route: { nodePath: [n2, n1] } }],
  ["another's route as if it were nearer", "path_forged", { peer: n2, route: { nodePath: [n1] } }],
  ["a route told under another node's name", "path_forged", { peer: n2, route: { nodePath: [n2] } }],
  ["a path through this node", "node_loop", { peer: n2, route: { nodePath: [n2, n3, n1] } }],
  ["an origin of another organisation", "path_forged", { origin: gate }],
  ["an origin of two labels", "path_forged", { origin: `a.${n1}` }],
  [
    "a node of another organisation on the way",
    "path_forged",
    { peer: n2, route: { nodePath: [n2, gate, n1] } },
  ],
  ["a next hop in another organisation", "foreign_next_hop", { route: { nextHop: envoyOf("gate", globex) } }],
  ["a service of another organisation", "foreign_name", { service: inGlobex("mail") }],
  ["a service of two labels", "foreign_name", { service: `a.${products}` }],
  [
    "another organisation's route without its path",
    "path_forged",
    { ...mail, route: { organisation: globex, nextHop: envoyOf("gate", globex) } },
  ],
  ["a service that expired", "expired", { route: { expiry: 1_800_000_000 } }],
  ["a service that expires in a second", null, { route: { expiry: 1_800_000_001 } }],
  ["a route of another organisation", null, fromGate()],
  ["localPref of another organisation", null, fromGate({ localPref: 900 })],
  [
    "another organisation's route through this one",
    "organisation_loop",
    {
      peer: gate,
      origin: `x.${initech}`,
      service: `mail.${initech}`,
      route: { ...ofGlobex, organisation: initech, nodePath: [gate], orgPath: [globex, acme, initech] },
    },
  ],
  [
    "this organisation's service from outside",
    "organisation_loop",
    { peer: gate, route: { ...ofGlobex, organisation: acme, nodePath: [gate], orgPath: [globex, acme] } },
  ],
  [
    "this organisation's service from outside, its path hidden",
    "path_forged",
    { peer: gate, route: { ...ofGlobex, organisation: acme, nodePath: [gate] } },
  ],
  [
    "more of another organisation than its node at the border",
    "path_forged",
    fromGate({ nodePath: [gate, inGlobex("m1")] }),
  ],
  [
    "another organisation that is not first in its path",
    "path_forged",
    fromGate({ orgPath: [initech, globex] }),
  ],
  [
    "another organisation's Envoy in a third one",
    "foreign_next_hop",
    fromGate({ nextHop: envoyOf("x", initech) }),
  ],
  [
    "a third organisation's service",
    null,
    {
      peer: gate,
      origin: `x.${initech}`,
      service: `mail.${initech}`,
      route: { ...ofGlobex, ...ofInitech, nodePath: [gate] },
    },
  ],
  ["another organisation's route through the node at the border", null, throughN1()],
  ["the node at the border as next hop", null, throughN1({ nextHop: envoyOf("n1", acme) })],
  ["another organisation's route without its node", "path_forged", throughN1({ nodePath: [n1] })],
  ["a path that ends in the wrong organisation", "path_forged", throughN1({ nodePath: [n1, n2] })],
  ["a path that goes out and comes in", "path_forged", throughN1({ nodePath: [n1, `x.${initech}`, gate] })],
];

export const importVectors = {
  about: "spec/peering.md §4.1",
  vectors: imports.map(([name, refused, { peer = n1, origin = n1, service = products, route = {} }]) => ({
    name,
    node: n3,
    peer,
    origin,
    service,
    attributes: hexOf({ ...plain, ...route }),
    now: 1_800_000_000,
    refused,
  })),
};

const own: Partial<RouteAttributes> = { nodePath: [] };
const passed = { nodePath: [n1], localPref: 300, metric: 7, labels: new Map([["zone", "eu"]]) };
const learned: Partial<RouteAttributes> = { ...ofGlobex, nodePath: [gate] };

/** What n3 of acme tells a peer of a path in its Loc-RIB; null for nothing. The policy accepts everything. */
const exports: readonly (readonly [
  string,
  string,
  Partial<RouteAttributes>,
  Partial<RouteAttributes> | null,
])[] = [
  ["its own route, inside", n2, own, { nodePath: [n3] }],
  ["another's route, inside: next hop and preference stay", n2, passed, { ...passed, nodePath: [n3, n1] }],
  ["a route to the one that it came from", n1, passed, null],
  ["a route that already came through the peer", n2, { nodePath: [n1, n2] }, null],
  ["64 nodes", n2, { nodePath: Array.from({ length: 64 }, (_, at) => inAcme(`m${at}`)) }, null],
  ["its own route, outside", gate, own, { nodePath: [n3], orgPath: [acme], nextHop: envoyOf("n3", acme) }],
  [
    "another's route, outside: the inside is not told",
    gate,
    passed,
    { ...passed, nodePath: [n3], orgPath: [acme], nextHop: envoyOf("n3", acme), localPref: 100 },
  ],
  ["a route that is not to be told outside", gate, { ...own, noExport: true }, null],
  [
    "a route that is not to be told outside, inside",
    n2,
    { ...own, noExport: true },
    { noExport: true, nodePath: [n3] },
  ],
  ["another organisation's route, inside", n2, learned, { ...learned, nodePath: [n3, gate] }],
  ["another organisation's route, back to it", gate, learned, null],
  [
    "another organisation's route to a third one",
    `x.${initech}`,
    learned,
    { ...learned, nodePath: [n3], orgPath: [acme, globex], nextHop: envoyOf("n3", acme) },
  ],
];

export const exportVectors = {
  about: "spec/peering.md §4.2",
  vectors: exports.map(([name, peer, route, sent]) => ({
    name,
    node: n3,
    nextHop: envoyOf("n3", acme),
    peer,
    route: toJson({ ...plain, ...route }),
    sent: sent === null ? null : hexOf({ ...plain, ...sent }),
  })),
};
