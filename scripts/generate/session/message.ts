import { type CborInput, encodeCbor } from "@catalyst/wire";
import { toHex } from "../../../packages/wire/test/hex.ts";
import type { VectorFile } from "../wire-vectors.ts";
import { bytesOf, hexOf, type Members, mapOf, offerOf, openOf } from "./open.ts";

type Good = { readonly kind: string; readonly members: Members };

const full: Members = openOf("n2", {
  1: [1, 2, 65_535],
  7: "bulk",
  8: 1_000,
  9: 65_536,
  10: [
    offerOf("cp", [1, 3], { 3: 4, 4: 131_072 }),
    offerOf("tp/next", [2], { 3: 1_048_576, 4: 268_435_456 }),
  ],
  11: [],
  12: 0,
});

const good: Readonly<Record<string, Good>> = {
  "OPEN of n1": { kind: "open", members: openOf("n1") },
  "OPEN with the smallest and largest of everything": { kind: "open", members: full },
  ACCEPT: { kind: "accept", members: { 0: 2, 1: bytesOf("transcript") } },
  KEEPALIVE: { kind: "keepalive", members: { 0: 3 } },
  "MESSAGE of one byte": { kind: "message", members: { 0: 4, 1: "cp", 2: Uint8Array.of(0) } },
  "MESSAGE of 300 bytes": { kind: "message", members: { 0: 4, 1: "tp", 2: new Uint8Array(300).fill(7) } },
  CREDIT: { kind: "credit", members: { 0: 5, 1: "cp", 2: 256, 3: 1_048_576 } },
  "CREDIT after very much": { kind: "credit", members: { 0: 5, 1: "cp", 2: 2 ** 53 - 1, 3: 2 ** 53 - 1 } },
  "NOTIFICATION without text": { kind: "notification", members: { 0: 6, 1: 1, 2: "" } },
  "NOTIFICATION with text": {
    kind: "notification",
    members: { 0: 6, 1: 12, 2: "n7.acme.catalyst.internal is no peer of this node" },
  },
  "NOTIFICATION of a protocol": {
    kind: "notification",
    members: { 0: 6, 1: 20, 2: "more routes than agreed", 3: "cp", 4: 7 },
  },
  "NOTIFICATION that says when again": {
    kind: "notification",
    members: { 0: 6, 1: 22, 2: "the next session in 5 s", 5: 4_250 },
  },
};

/** Read, but not written so: what later versions add is left out, and an unknown code is one. */
const later: Readonly<Record<string, Good>> = {
  "OPEN of a later version": { kind: "open", members: openOf("n1", { 13: "more", 70: [1, 2] }) },
  "OPEN with an offer of a later version": {
    kind: "open",
    members: openOf("n1", { 10: [offerOf("cp", [1], { 5: true })] }),
  },
  "NOTIFICATION of a later version": {
    kind: "notification",
    members: { 0: 6, 1: 4_000, 2: "out of cheese", 6: null },
  },
};

const overlong = "a".repeat(65);

const bad: Readonly<Record<string, Members | string>> = {
  "no CBOR": "ff",
  "bytes after the message": `${hexOf({ 0: 3 })}00`,
  "the beginning of a message": hexOf({ 0: 4, 1: "cp", 2: Uint8Array.of(1) }).slice(0, -2),
  "a length that is not the shortest": "a1001803",
  "keys out of order": "a3016263700004024100",
  "a list": "80",
  "a map without a kind": "a0",
  "a kind that is text": "a10061a4",
  "kind 0": { 0: 0 },
  "kind 7": { 0: 7 },
  "too deep": openOf("n1", { 13: [[[[1]]]] }),
  "too many items": openOf("n1", { 13: Array.from({ length: 1_100 }, () => 0) }),
  "KEEPALIVE with a member": { 0: 3, 1: 1 },
  "ACCEPT without transcript": { 0: 2 },
  "ACCEPT with 31 bytes": { 0: 2, 1: bytesOf("transcript", 31) },
  "ACCEPT with a member too many": { 0: 2, 1: bytesOf("transcript"), 2: 1 },
  "MESSAGE without payload": { 0: 4, 1: "cp" },
  "MESSAGE of no bytes": { 0: 4, 1: "cp", 2: new Uint8Array(0) },
  "MESSAGE with text": { 0: 4, 1: "cp", 2: "text" },
  "MESSAGE of a protocol in capitals": { 0: 4, 1: "CP", 2: Uint8Array.of(1) },
  "MESSAGE of a protocol of 65 characters": { 0: 4, 1: overlong, 2: Uint8Array.of(1) },
  "MESSAGE with a member too many": { 0: 4, 1: "cp", 2: Uint8Array.of(1), 3: 1 },
  "CREDIT without bytes": { 0: 5, 1: "cp", 2: 1 },
  "CREDIT below zero": { 0: 5, 1: "cp", 2: -1, 3: 0 },
  "CREDIT with a member too many": { 0: 5, 1: "cp", 2: 1, 3: 1, 4: 1 },
  "NOTIFICATION without text member": { 0: 6, 1: 1 },
  "NOTIFICATION of code 0": { 0: 6, 1: 0, 2: "" },
  "NOTIFICATION of code 65536": { 0: 6, 1: 65_536, 2: "" },
  "NOTIFICATION with 513 bytes of text": { 0: 6, 1: 1, 2: `${"é".repeat(256)}a` },
  "NOTIFICATION with a protocol's code of 65536": { 0: 6, 1: 20, 2: "", 3: "cp", 4: 65_536 },
  "NOTIFICATION that says more than a day": { 0: 6, 1: 22, 2: "", 5: 86_400_001 },
  "NOTIFICATION that says when in text": { 0: 6, 1: 22, 2: "", 5: "soon" },
  "NOTIFICATION with a key below zero": { 0: 6, 1: 1, 2: "", [-1]: 1 },
  ...badOpens(),
};

function badOpens(): Record<string, Members | string> {
  const faults: Readonly<Record<string, Members>> = {
    "no version": { 1: [] },
    "version 0": { 1: [0] },
    "versions that descend": { 1: [2, 1] },
    "a version twice": { 1: [1, 1] },
    "17 versions": { 1: Array.from({ length: 17 }, (_, at) => at + 1) },
    "a node of another domain": { 2: "n1.umbrella.catalyst.internal" },
    "a node two labels below its domain": { 2: "a.n1.acme.catalyst.internal" },
    "a node that is its domain": { 2: "acme.catalyst.internal" },
    "a node whose name only ends like its domain": { 2: "n1acme.catalyst.internal" },
    "a node in capitals": { 2: "N1.acme.catalyst.internal" },
    "no domain": { 3: undefined },
    "a key thumbprint of 31 bytes": { 4: bytesOf("key", 31) },
    "an incarnation of 15 bytes": { 5: bytesOf("incarnation", 15) },
    "a nonce of 31 bytes": { 6: bytesOf("nonce", 31) },
    "no purpose": { 7: undefined },
    "an empty purpose": { 7: "" },
    "a purpose that ends in a dot": { 7: "bulk." },
    "a hold time of 999 ms": { 8: 999 },
    "a hold time of more than an hour": { 8: 3_600_001 },
    "frames of 65,535 bytes": { 9: 65_535 },
    "frames of more than 16 MiB": { 9: 16_777_217 },
    "no protocols": { 10: [] },
    "17 protocols": { 10: Array.from({ length: 17 }, (_, at) => offerOf(`p${at + 10}`, [1])) },
    "a protocol twice": { 10: [offerOf("cp", [1]), offerOf("cp", [2])] },
    "protocols that descend": { 10: [offerOf("tp", [1]), offerOf("cp", [1])] },
    "a protocol without versions": { 10: [offerOf("cp", [])] },
    "a window of 3 messages": { 10: [offerOf("cp", [1], { 3: 3 })] },
    "a window of less than two frames": { 10: [offerOf("cp", [1], { 4: 2_097_151 })] },
    "a window without bytes": { 10: [offerOf("cp", [1], { 4: undefined })] },
    "capabilities that descend": { 11: ["b", "a"] },
    "65 capabilities": { 11: Array.from({ length: 65 }, (_, at) => `c${at + 100}`) },
    "no time": { 12: undefined },
    "a time below zero": { 12: -1 },
    "a key below zero": { [-1]: 1 },
  };
  const textKey = encodeCbor(new Map<number | string, CborInput>([...mapOf(openOf("n1")), ["more", 1]]));
  return {
    ...Object.fromEntries(
      Object.entries(faults).map(([name, changed]) => [`OPEN with ${name}`, openOf("n1", changed)]),
    ),
    "OPEN with a key that is text": toHex(textKey),
  };
}

/** What JSON shows of a value: bytes in hexadecimal. */
function shown(value: CborInput | undefined): unknown {
  if (value instanceof Uint8Array) return { bytes: toHex(value) };
  if (value instanceof Map) return Object.fromEntries(Array.from(value, ([key, each]) => [key, shown(each)]));
  return Array.isArray(value) ? value.map(shown) : value;
}

export const messageVectors: Readonly<Record<"good" | "bad", VectorFile>> = {
  good: {
    about:
      "spec/session.md §4. Messages, and what they say. Those that are `later` are read, and not written so.",
    vectors: [
      ...Object.entries(good).map(([name, one]) => vectorOf(name, one)),
      ...Object.entries(later).map(([name, one]) => ({ ...vectorOf(name, one), later: true })),
    ],
  },
  bad: {
    about: "spec/session.md §4. Messages that are refused with `code`.",
    vectors: Object.entries(bad).map(([name, one]) => ({
      name,
      hex: typeof one === "string" ? one : hexOf(one),
      code: "message_malformed",
    })),
  },
};

function vectorOf(name: string, { kind, members }: Good): object {
  return { name, kind, hex: hexOf(members), members: shown(mapOf(members)) };
}
