import {
  encodeAttributes,
  encodeEndOfRib,
  encodeHealth,
  encodeRefresh,
  encodeUpdate,
} from "@catalyst/peering";
import { encodeCbor } from "@catalyst/wire";
import { toHex } from "../../../packages/wire/test/hex.ts";
import { fromNotation, type Notation } from "../../../packages/wire/test/notation.ts";
import { acme, envoyOf, inAcme, inGlobex, plain } from "./routes.ts";

type Routes = readonly { readonly origin: string; readonly services: readonly string[] }[];
type Update = { readonly withdrawn: Routes; readonly announced: Announced | null };
type Announced = {
  readonly origin: string;
  readonly attributes: Uint8Array;
  readonly services: string[];
  readonly healthy: boolean;
};

const [origin, orders] = [inAcme("n9"), inAcme("orders")];
const example = encodeAttributes({
  ...plain,
  nextHop: envoyOf("n9", acme, "192.0.2.9"),
  nodePath: [origin],
});
const several: Routes = [
  { origin: inAcme("n1"), services: [inAcme("products"), inAcme("reviews")] },
  { origin: inGlobex("gate"), services: [inGlobex("mail")] },
];

const updates: Readonly<Record<string, Update>> = {
  "an UPDATE that announces one service": {
    withdrawn: [],
    announced: { origin, attributes: example, services: [orders], healthy: true },
  },
  "an UPDATE that withdraws it": { withdrawn: [{ origin, services: [orders] }], announced: null },
  "an UPDATE that does both": {
    withdrawn: several,
    announced: { origin, attributes: example, services: [orders, inAcme("stock")], healthy: true },
  },
  "an UPDATE of a service that does not work": {
    withdrawn: [],
    announced: { origin, attributes: example, services: [orders], healthy: false },
  },
  "an UPDATE that does nothing": { withdrawn: [], announced: null },
  "attributes are not looked into": {
    withdrawn: [],
    announced: { origin, attributes: Uint8Array.of(0xff), services: [orders], healthy: true },
  },
  "a name twice": { withdrawn: [{ origin, services: [orders, orders] }], announced: null },
};

const updateCases = Object.entries(updates).map(([name, { withdrawn, announced }]) => ({
  name,
  hex: toHex(encodeUpdate({ withdrawn, announced })),
  message: {
    kind: "update",
    withdrawn,
    announced: announced === null ? null : { ...announced, attributes: toHex(announced.attributes) },
  },
}));

const otherCases = [
  {
    name: "the first END_OF_RIB",
    hex: toHex(encodeEndOfRib({ refresh: 0 })),
    message: { kind: "end-of-rib", refresh: 0 },
  },
  {
    name: "an answer to a REFRESH",
    hex: toHex(encodeEndOfRib({ refresh: 7 })),
    message: { kind: "end-of-rib", refresh: 7 },
  },
  { name: "a REFRESH", hex: toHex(encodeRefresh({ number: 7 })), message: { kind: "refresh", number: 7 } },
  {
    name: "HEALTH of several origins",
    hex: toHex(encodeHealth({ unhealthy: several, healthy: [{ origin, services: [orders] }] })),
    message: { kind: "health", unhealthy: several, healthy: [{ origin, services: [orders] }] },
  },
  { name: "a message of a later version is ignored", hex: "a1001840", message: null },
];

const attributes: Notation = { bytes: toHex(example) };
const routes = (...names: Notation[]): Notation => [[origin, names]];
const bad: Readonly<Record<string, readonly [string, Notation]>> = {
  "no map": ["message_malformed", [1]],
  "no type": ["message_malformed", { map: [[1, 0]] }],
  "a type that is text": ["message_malformed", { map: [[0, "update"]] }],
  "a negative type": ["message_malformed", { map: [[0, -1]] }],
  "type 0": ["message_unknown", { map: [[0, 0]] }],
  "type 5": ["message_unknown", { map: [[0, 5]] }],
  "an UPDATE with a member too many": [
    "message_malformed",
    {
      map: [
        [0, 1],
        [4, 0],
      ],
    },
  ],
  "no routes that do not work": [
    "message_malformed",
    {
      map: [
        [0, 1],
        [3, true],
      ],
    },
  ],
  "routes that work, said as others are": [
    "message_malformed",
    {
      map: [
        [0, 1],
        [2, [origin, attributes, [orders]]],
        [3, false],
      ],
    },
  ],
  "an UPDATE with a member named by text": [
    "message_malformed",
    {
      map: [
        [0, 1],
        ["a", 0],
      ],
    },
  ],
  "withdrawn routes that are no list": [
    "message_malformed",
    {
      map: [
        [0, 1],
        [1, orders],
      ],
    },
  ],
  "no withdrawn routes in their list": [
    "message_malformed",
    {
      map: [
        [0, 1],
        [1, []],
      ],
    },
  ],
  "an origin without names": [
    "message_malformed",
    {
      map: [
        [0, 1],
        [1, [[origin, []]]],
      ],
    },
  ],
  "an origin with three parts": [
    "message_malformed",
    {
      map: [
        [0, 1],
        [1, [[origin, [orders], 0]]],
      ],
    },
  ],
  "a name that is a number": [
    "message_malformed",
    {
      map: [
        [0, 1],
        [1, routes(5)],
      ],
    },
  ],
  "a name in capitals": [
    "name_malformed",
    {
      map: [
        [0, 1],
        [1, routes("Orders.acme.catalyst.internal")],
      ],
    },
  ],
  "a name with an empty label": [
    "name_malformed",
    {
      map: [
        [0, 1],
        [1, routes("orders..internal")],
      ],
    },
  ],
  "a name that begins with a hyphen": [
    "name_malformed",
    {
      map: [
        [0, 1],
        [1, routes("-a.internal")],
      ],
    },
  ],
  "a name that ends with a hyphen": [
    "name_malformed",
    {
      map: [
        [0, 1],
        [1, routes("a-.internal")],
      ],
    },
  ],
  "a name that ends with a dot": [
    "name_malformed",
    {
      map: [
        [0, 1],
        [1, routes("orders.internal.")],
      ],
    },
  ],
  "a label of 64": [
    "name_malformed",
    {
      map: [
        [0, 1],
        [1, routes("a".repeat(64))],
      ],
    },
  ],
  "a name of 254": [
    "name_malformed",
    {
      map: [
        [0, 1],
        [1, routes(`${"a.".repeat(126)}aa`)],
      ],
    },
  ],
  "an empty name": [
    "name_malformed",
    {
      map: [
        [0, 1],
        [1, routes("")],
      ],
    },
  ],
  "an origin that is no name": [
    "name_malformed",
    {
      map: [
        [0, 1],
        [2, ["N9", attributes, [orders]]],
      ],
    },
  ],
  "attributes that are no bytes": [
    "message_malformed",
    {
      map: [
        [0, 1],
        [2, [origin, { map: [] }, [orders]]],
      ],
    },
  ],
  "announced without names": [
    "message_malformed",
    {
      map: [
        [0, 1],
        [2, [origin, attributes]],
      ],
    },
  ],
  "withdrawn is read before announced": [
    "name_malformed",
    {
      map: [
        [0, 1],
        [1, routes("A")],
        [2, 0],
      ],
    },
  ],
  "an END_OF_RIB without a number": ["message_malformed", { map: [[0, 2]] }],
  "an END_OF_RIB below 0": [
    "message_malformed",
    {
      map: [
        [0, 2],
        [1, -1],
      ],
    },
  ],
  "REFRESH 0": [
    "message_malformed",
    {
      map: [
        [0, 3],
        [1, 0],
      ],
    },
  ],
  "HEALTH with names alone": [
    "message_malformed",
    {
      map: [
        [0, 4],
        [1, [orders]],
      ],
    },
  ],
};

const hexCases = [
  { name: "nothing", hex: "", code: "message_malformed" },
  { name: "bytes after the message", hex: "a20002010000", code: "message_malformed" },
  { name: "keys out of order", hex: "a201000002", code: "message_malformed" },
  { name: "a number that is not in its shortest form", hex: "a20018020100", code: "message_malformed" },
  { name: "cut off", hex: "a20002", code: "message_malformed" },
  { name: "65,025 bytes", zeros: 65_025, code: "message_too_large" },
];

export const messageVectors = {
  good: { about: "spec/peering.md §2", vectors: [...updateCases, ...otherCases] },
  bad: {
    about: "spec/peering.md §2",
    vectors: [
      ...Object.entries(bad).map(([name, [code, value]]) => ({
        name,
        hex: toHex(encodeCbor(fromNotation(value))),
        code,
      })),
      ...hexCases,
    ],
  },
};
