import { encodeAttributes, type NextHop, type RouteAttributes } from "@catalyst/peering";
import { toHex } from "../../../packages/wire/test/hex.ts";

export const acme = "acme.catalyst.internal";
export const globex = "globex.catalyst.internal";
export const initech = "initech.catalyst.internal";
export const inAcme = (label: string) => `${label}.${acme}`;
export const inGlobex = (label: string) => `${label}.${globex}`;

export function envoyOf(label: string, domain: string, host = `${label}.${domain}`): NextHop {
  return {
    host,
    port: 10_443,
    sni: `${label}.${domain}`,
    spiffeId: `spiffe://${domain}/node/${label}/envoy`,
  };
}

/** A route of n1 of acme, as n1 tells it. */
export const plain: RouteAttributes = {
  organisation: acme,
  protocol: "http",
  nextHop: envoyOf("n1", acme),
  nodePath: [inAcme("n1")],
  orgPath: [],
  localPref: 100,
  metric: 0,
  noExport: false,
  expiry: null,
  labels: new Map(),
  schemaDigest: null,
  originFact: null,
};

/** Attributes in the JSON of the vectors. */
export function toJson(route: RouteAttributes): object {
  const bytes = (value: Uint8Array | null) => (value === null ? null : toHex(value));
  return {
    ...route,
    labels: Object.fromEntries(route.labels),
    schemaDigest: bytes(route.schemaDigest),
    originFact: bytes(route.originFact),
  };
}

export function hexOf(route: RouteAttributes): string {
  return toHex(encodeAttributes(route));
}
