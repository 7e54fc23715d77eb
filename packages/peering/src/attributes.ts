import { type CborInput, type CborKey, type CborValue, encodeCbor, isName } from "@catalyst/wire";
import { decode, isInteger, isText, malformed } from "./cbor.ts";

/** How a service is spoken to. */
export const protocols = ["graphql", "http", "grpc", "tcp"] as const;
export type Protocol = (typeof protocols)[number];

/** The Envoy that requests for a service go to. */
export type NextHop = {
  /** A DNS name or an IP address. */
  readonly host: string;
  readonly port: number;
  /** The server name that its certificate is asked for. */
  readonly sni: string;
  /** Who has to answer. */
  readonly spiffeId: string;
};

/** What a route says of a service, spec/peering.md §3. Many routes have the same attributes. */
export type RouteAttributes = {
  /** The domain of the organisation whose service it is. */
  readonly organisation: string;
  readonly protocol: Protocol;
  readonly nextHop: NextHop;
  /** The nodes that it came through, the last one first; empty for a route of this node's own. */
  readonly nodePath: readonly string[];
  /** The other organisations that it came through, the last one first; empty within the one whose service it is. */
  readonly orgPath: readonly string[];
  /** The higher the better; it does not leave an organisation. Default 100. */
  readonly localPref: number;
  /** The lower the better. Default 0. */
  readonly metric: number;
  /** Not to be told to other organisations. */
  readonly noExport: boolean;
  /** Seconds since 1970 after which it is not used; null for never. */
  readonly expiry: number | null;
  readonly labels: ReadonlyMap<string, string>;
  /** SHA-256 of the service's schema; null where it has none. */
  readonly schemaDigest: Uint8Array | null;
  /** The CID of the origin's signed fact that the route speaks of; reserved, carried along as it is. */
  readonly originFact: Uint8Array | null;
};

export const defaultLocalPref = 100;
const maxPath = 64;
const maxLabels = 16;
const maxNumber = 0xffff_ffff;
/** Attributes take at most so many bytes. */
export const maxAttributeBytes = 4_096;
/** Members from here on are left to later versions; who does not know them leaves them out. */
const firstOptional = 64;

const labelKey = /^[a-z0-9](?:[a-z0-9._/-]{0,61}[a-z0-9])?$/;
const labelValue = /^[\x20-\x7e]{1,128}$/;
const spiffe = /^spiffe:\/\/([a-z0-9.-]+)\/node\/([a-z0-9-]+)\/([a-z0-9-]+)$/;
const address = /^(?:[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?|[0-9a-f:.]{2,45})$/;

/** The bytes of attributes: members at their default are left out, so equal attributes have equal bytes. */
export function encodeAttributes(route: RouteAttributes): Uint8Array {
  const { host, port, sni, spiffeId } = route.nextHop;
  const members = new Map<CborKey, CborInput>([
    [1, route.organisation],
    [2, route.protocol],
    [3, [host, port, sni, spiffeId]],
    [4, route.nodePath],
  ]);
  if (route.orgPath.length > 0) members.set(5, route.orgPath);
  if (route.localPref !== defaultLocalPref) members.set(6, route.localPref);
  if (route.metric !== 0) members.set(7, route.metric);
  if (route.noExport) members.set(8, true);
  if (route.expiry !== null) members.set(9, route.expiry);
  if (route.labels.size > 0) members.set(10, route.labels);
  if (route.schemaDigest !== null) members.set(11, route.schemaDigest);
  if (route.originFact !== null) members.set(12, route.originFact);
  return encodeCbor(members, { maxBytes: maxAttributeBytes });
}

/** Reads attributes that a peer sent. Throws {@link PeeringError} `attributes_malformed`. */
export function decodeAttributes(bytes: Uint8Array): RouteAttributes {
  const code = "attributes_malformed";
  const value = decode(bytes, { maxBytes: maxAttributeBytes, maxDepth: 3, maxItems: 512 }, code);
  const members = value instanceof Map ? (value as ReadonlyMap<CborKey, CborValue>) : fail("a map");
  for (const key of members.keys()) {
    if (!(typeof key === "number" && (key >= firstOptional || (key >= 1 && key <= 12))))
      fail("known members");
  }
  return {
    organisation: readName(members.get(1)),
    protocol: protocols.find((one) => one === members.get(2)) ?? fail("a known protocol"),
    nextHop: readNextHop(members.get(3)),
    nodePath: readPath(members.get(4), "a node path"),
    orgPath: members.has(5) ? readPath(members.get(5), "an organisation path") : [],
    localPref: readNumber(members.get(6), defaultLocalPref),
    metric: readNumber(members.get(7), 0),
    noExport: members.has(8) && (members.get(8) === true || fail("noExport true or left out")),
    expiry: members.has(9) ? readExpiry(members.get(9)) : null,
    labels: members.has(10) ? readLabels(members.get(10)) : noLabels,
    schemaDigest: members.has(11) ? readBytes(members.get(11), 32, 32) : null,
    originFact: members.has(12) ? readBytes(members.get(12), 1, 64) : null,
  };
}

/** What is wrong with labels that somebody wrote; null when nothing is. */
export function labelFault(labels: ReadonlyMap<string, string>): string | null {
  if (labels.size > maxLabels) return `has more than ${maxLabels} labels`;
  for (const [key, value] of labels) {
    if (!labelKey.test(key)) return `has the label ${key}: 1 to 63 of a-z, 0-9, '.', '_', '/' and '-'`;
    if (!labelValue.test(value))
      return `has the label ${key} with a value that is not 1 to 128 characters of ASCII`;
  }
  return null;
}

const noLabels: ReadonlyMap<string, string> = new Map();

function fail(expected: string): never {
  return malformed("attributes_malformed", `the attributes have not ${expected}`);
}

function readName(value: CborValue | undefined): string {
  return isName(value) ? value : fail("an organisation");
}

function readNextHop(value: CborValue | undefined): NextHop {
  const [host, port, sni, spiffeId, more] = Array.isArray(value) ? (value as CborValue[]) : [];
  if (!isText(host) || !address.test(host)) return fail("a host");
  if (!isInteger(port, 1, 65_535)) return fail("a port");
  if (!isName(sni)) return fail("a server name");
  if (!isText(spiffeId) || domainOfSpiffe(spiffeId) === null) return fail("a SPIFFE id");
  return more === undefined ? { host, port, sni, spiffeId } : fail("a next hop of four");
}

/** The trust domain of a process's SPIFFE id; null when it is none. */
export function domainOfSpiffe(id: string): string | null {
  const domain = id.length <= 512 ? spiffe.exec(id)?.[1] : undefined;
  return isName(domain) ? domain : null;
}

function readPath(value: CborValue | undefined, what: string): readonly string[] {
  const path = Array.isArray(value) ? (value as CborValue[]) : [];
  if (path.length < 1 || path.length > maxPath || !path.every(isName)) return fail(what);
  return new Set(path).size === path.length ? path : fail(`${what} in which each is once`);
}

function readNumber(value: CborValue | undefined, byDefault: number): number {
  if (value === undefined) return byDefault;
  return isInteger(value, 0, maxNumber) && value !== byDefault
    ? value
    : fail("a number other than the default");
}

function readExpiry(value: CborValue | undefined): number {
  return isInteger(value, 1, Number.MAX_SAFE_INTEGER) ? value : fail("an expiry in seconds");
}

function readBytes(value: CborValue | undefined, min: number, max: number): Uint8Array {
  const fits = value instanceof Uint8Array && value.length >= min && value.length <= max;
  return fits ? value.slice() : fail(`${min} to ${max} bytes`);
}

function readLabels(value: CborValue | undefined): ReadonlyMap<string, string> {
  if (!(value instanceof Map) || value.size === 0) return fail("labels");
  for (const [key, text] of value) if (!isText(key) || !isText(text)) fail("labels of text");
  const labels = value as ReadonlyMap<string, string>;
  return labelFault(labels) === null ? labels : fail("labels as they may be");
}
