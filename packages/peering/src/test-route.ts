import type { NextHop, RouteAttributes } from "./attributes.ts";
import type { Moment } from "./speaker-event.ts";
import type { AdvertisedRoute } from "./view.ts";

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
  return { instant, wall: startWall + Math.floor(instant / 1_000) };
}

/** A route in one line: for whom, what, from where, through whom. */
export function line({ peer, service: name, sent, healthy }: AdvertisedRoute): string {
  const path = sent.nodePath.map((one) => one.split(".")[0]).join(" ");
  return `${peer} ${name} ${sent.origin} [${path}] ${sent.localPref} ${sent.metric} ${healthy}`;
}
