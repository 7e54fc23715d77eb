import { hash } from "node:crypto";
import type { Receipt, ReceiptKind } from "@catalyst/evidence";
import { type CidContent, type CidHash, formatCid } from "@catalyst/wire";
import { alpha, beta, nonceOf, now } from "./parties.ts";

/** A CID that is the same each time for the same text. */
function cidFor(text: string, content: CidContent = "raw", hashing: CidHash = "sha2-256-tree-64KiB") {
  return formatCid({ content, hash: hashing, digest: hash("sha256", text, "buffer") });
}

const object = cidFor("object");
const block = (text: string) => cidFor(text, "cbor", "sha2-256");

/** The blocks that have to come along with a receipt below, in a bundle: their bytes are their names. */
export function blocksOf(receipt: Receipt): readonly Uint8Array[] {
  const policy = receipt.policyRef === undefined ? [] : ["policy"];
  const names = receipt.kind === "resolve" ? [...policy, "trace"] : policy;
  return names.map((name) => new TextEncoder().encode(name));
}

/** One receipt of each kind, with all its members. */
export const receipts: { readonly [Kind in ReceiptKind]: Extract<Receipt, { kind: Kind }> } = {
  storage: { kind: "storage", scope: "local", cid: object, size: 40_000, added: 30_000, namespace: "acme" },
  pin: { kind: "pin", scope: "org", cid: object, action: "pin", class: "hot", until: now + 3_600 },
  placement: {
    kind: "placement",
    scope: "local",
    cid: object,
    dataShards: 2,
    parityShards: 1,
    places: [
      { site: "disk-a", shard: 0 },
      { site: "disk-b", shard: 1 },
      { site: "disk-c", shard: 2 },
    ],
  },
  scrub: {
    kind: "scrub",
    scope: "local",
    startedAt: now - 60,
    endedAt: now,
    objects: 3,
    bytes: 120_000,
    samplePermille: 1_000,
    faults: 1,
    repaired: 1,
    findings: [{ cid: object, firstLeaf: 1, leaves: 1, repaired: true }],
  },
  binding: {
    kind: "binding",
    scope: "federation",
    policyRef: block("policy"),
    capabilityRef: block("capability"),
    handle: "holo://acme/app:stable",
    cid: object,
    epoch: 1,
    revision: 42,
    previous: cidFor("object before"),
    statementRef: block("statement"),
  },
  link: {
    kind: "link",
    scope: "org",
    action: "link",
    from: object,
    to: cidFor("other"),
    relation: "depends",
  },
  "gc-report": {
    kind: "gc-report",
    scope: "local",
    startedAt: now - 5,
    endedAt: now,
    roots: 2,
    kept: 10,
    freed: 4,
    freedBytes: 160_000,
  },
  provide: {
    kind: "provide",
    scope: "federation",
    cid: object,
    class: "warm",
    until: now + 600,
    site: "us-west/den1",
  },
  withdraw: {
    kind: "withdraw",
    scope: "federation",
    cid: object,
    class: "warm",
    until: now,
    site: "us-west/den1",
  },
  resolve: {
    kind: "resolve",
    scope: "org",
    policyRef: block("policy"),
    query: "holo://acme/app:stable",
    asOf: now,
    selected: object,
    trace: block("trace"),
  },
  transfer: {
    kind: "transfer",
    scope: "federation",
    session: nonceOf("session"),
    provider: alpha.name,
    client: beta.name,
    cid: object,
    window: 1,
    final: true,
    ranges: [
      { start: 0, end: 16_384 },
      { start: 32_768, end: 40_000 },
    ],
    bytes: 23_616,
    duplicateBytes: 0,
    badBytes: 16_384,
    unconfirmedBytes: 0,
    durationMs: 1_250,
    fromSite: "us-west/den1",
    toSite: "eu-central/fra2",
    resumes: 1,
    handoffs: 1,
    previous: block("window 0"),
    grantRef: block("grant"),
    pathEvidenceRef: block("path"),
  },
  subscribe: {
    kind: "subscribe",
    scope: "org",
    interest: object,
    action: "stop",
    peer: beta.name,
    reason: "session closed",
  },
};
