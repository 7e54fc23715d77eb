import type { NextHop, RouteAttributes } from "./attributes.ts";
import type { PolicyRule } from "./policy.ts";
import type { Moment } from "./speaker-event.ts";

export const acme = "acme.catalyst.internal";
export const globex = "globex.catalyst.internal";
export const node = (label: string, domain = acme) => `${label}.${domain}`;
export const service = (label: string, domain = acme) => `${label}.${domain}`;

/** The Envoy of a node. */
export function nextHopOf(name: string, port = 10_443): NextHop {
  const [label = "", ...domain] = name.split(".");
  return { host: name, port, sni: name, spiffeId: `spiffe://${domain.join(".")}/node/${label}/envoy` };
}

/** Attributes of a route of `origin`, as the last node of the path tells it. */
export function attributesOf(
  origin: string,
  nodePath: readonly string[],
  more: Partial<RouteAttributes> = {},
): RouteAttributes {
  return {
    organisation: origin.slice(origin.indexOf(".") + 1),
    protocol: "http",
    nextHop: nextHopOf(origin),
    nodePath,
    orgPath: [],
    localPref: 100,
    metric: 0,
    noExport: false,
    expiry: null,
    labels: new Map(),
    schemaDigest: null,
    originFact: null,
    ...more,
  };
}

export const startWall = 1_800_000_000;

/** So many ms after the beginning, by both clocks. */
export function at(instant: number): Moment {
  return { instant, wall: startWall + instant / 1_000 };
}

export function domainOf(name: string): string {
  return name.slice(name.indexOf(".") + 1);
}

/** The rule that lets everything through, to and from other organisations too. */
export const everybody: PolicyRule = {
  name: "everybody",
  match: { peerOrganisation: "*" },
  action: "accept",
};

export const [n0, n1, n2, n3, n4] = ["n0", "n1", "n2", "n3", "n4"].map((label) => node(label)) as [
  string,
  string,
  string,
  string,
  string,
];
export const products = service("products");
/** A node of another organisation, and a service there. */
export const gate = node("gate", globex);
export const mail = service("mail", globex);
/** What attributes of a route of globex have besides, as its node at the border tells it. */
export const ofGlobex = { orgPath: [globex] };
