import type { RouteAttributes } from "@catalyst/peering";
import { encodeCbor } from "@catalyst/wire";
import { toHex } from "../../../packages/wire/test/hex.ts";
import { fromNotation, type Notation } from "../../../packages/wire/test/notation.ts";
import { acme, envoyOf, globex, hexOf, inAcme, inGlobex, initech, plain, toJson } from "./routes.ts";

const good: Readonly<Record<string, Partial<RouteAttributes>>> = {
  "the least": {},
  "all members": {
    protocol: "graphql",
    nextHop: envoyOf("gate", globex, "2001:db8::1"),
    nodePath: [inAcme("n2"), inGlobex("gate")],
    orgPath: [globex, initech],
    organisation: initech,
    localPref: 200,
    metric: 4_294_967_295,
    noExport: true,
    expiry: 1_800_000_000,
    labels: new Map([
      ["zone", "eu 1"],
      ["stage", "production"],
      ["example.org/team", "a"],
    ]),
    schemaDigest: Uint8Array.from({ length: 32 }, (_, at) => at),
    originFact: Uint8Array.of(1, 2, 3),
  },
  gRPC: { protocol: "grpc" },
  TCP: { protocol: "tcp", nextHop: envoyOf("n1", acme, "192.0.2.1") },
  "64 nodes": { nodePath: Array.from({ length: 64 }, (_, at) => inAcme(`n${at}`)) },
};

const [node, hop] = [inAcme("n1"), envoyOf("n1", acme)];
const nextHop: Notation = [hop.host, hop.port, hop.sni, hop.spiffeId];

type Members = readonly (readonly [number, Notation])[];
const least: Members = [
  [1, acme],
  [2, "http"],
  [3, nextHop],
  [4, [node]],
];
/** The least attributes with these members in the place of others. */
const withMembers = (...members: Members): Notation => ({
  map: [...new Map<number, Notation>([...least, ...members])],
});
const withHop = (at: number, value: Notation): Notation =>
  withMembers([3, (nextHop as readonly Notation[]).with(at, value)]);

const bad: Readonly<Record<string, Notation>> = {
  "no map": [],
  "no organisation": { map: least.slice(1) },
  "an organisation that is no name": withMembers([1, "ACME"]),
  "a protocol that is not known": withMembers([2, "smtp"]),
  "no next hop": { map: least.filter(([key]) => key !== 3) },
  "a next hop of five": withMembers([3, [...(nextHop as readonly Notation[]), 0]]),
  "a host with a port": withHop(0, "n1.example:80"),
  "a host in capitals": withHop(0, "N1"),
  "port 0": withHop(1, 0),
  "port 65536": withHop(1, 65_536),
  "a server name that is no name": withHop(2, "*.acme"),
  "a SPIFFE id without a process": withHop(3, "spiffe://acme.catalyst.internal/node/n1"),
  "a SPIFFE id of another scheme": withHop(3, "https://acme.catalyst.internal/node/n1/envoy"),
  "a SPIFFE id whose domain is no name": withHop(3, "spiffe://acme..internal/node/n1/envoy"),
  "no nodePath": { map: least.slice(0, 3) },
  "an empty nodePath": withMembers([4, []]),
  "a node twice": withMembers([4, [node, node]]),
  "65 nodes": withMembers([4, Array.from({ length: 65 }, (_, at) => inAcme(`n${at}`))]),
  "an empty orgPath": withMembers([5, []]),
  "the default localPref": withMembers([6, 100]),
  "a localPref of 2^32": withMembers([6, 4_294_967_296]),
  "the default metric": withMembers([7, 0]),
  "a negative metric": withMembers([7, -1]),
  "noExport that is false": withMembers([8, false]),
  "an expiry of 0": withMembers([9, 0]),
  "no labels in their map": withMembers([10, { map: [] }]),
  "17 labels": withMembers([10, { map: Array.from({ length: 17 }, (_, at) => [`l${at}`, "a"] as const) }]),
  "a label in capitals": withMembers([10, { map: [["Zone", "a"]] }]),
  "a label that is a number": withMembers([10, { map: [[1, "a"]] }]),
  "a label with an empty value": withMembers([10, { map: [["zone", ""]] }]),
  "a label beyond ASCII": withMembers([10, { map: [["zone", "é"]] }]),
  "a digest of 31 bytes": withMembers([11, { bytes: "00".repeat(31) }]),
  "an origin fact of 65 bytes": withMembers([12, { bytes: "00".repeat(65) }]),
  "a member that is not known": withMembers([13, 0]),
  "a member named by text": { map: [...least, ["a", 0]] },
  "4,097 bytes": withMembers([64, { bytes: "00".repeat(3_936) }]),
};

const later = withMembers([64, "something new"]);

export const attributesVectors = {
  good: {
    about: "spec/peering.md §3",
    vectors: [
      ...Object.entries(good).map(([name, members]) => {
        const route = { ...plain, ...members };
        return { name, hex: hexOf(route), value: toJson(route) };
      }),
      {
        name: "a member of a later version",
        hex: toHex(encodeCbor(fromNotation(later))),
        value: toJson(plain),
        written: hexOf(plain),
      },
    ],
  },
  bad: {
    about: "spec/peering.md §3",
    vectors: Object.entries(bad).map(([name, value]) => ({
      name,
      hex: toHex(encodeCbor(fromNotation(value))),
      code: "attributes_malformed",
    })),
  },
};
