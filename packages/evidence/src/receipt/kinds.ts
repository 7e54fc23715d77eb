import {
  blockCid,
  bytesOf,
  cid,
  type Field,
  flag,
  handle,
  handleOrCid,
  integer,
  listOf,
  name,
  oneOf,
  optional,
  type RecordOf,
  record,
  textUpTo,
} from "../record.ts";

// What each kind of receipt says, member by member: spec/evidence.md §4.

export type Scope = "local" | "org" | "federation" | "public";

const scopes = oneOf("local", "org", "federation", "public");

/** `fed` is an older word for `federation`. */
const scope: Field<Scope> = {
  read: (value, place) => (value === "fed" ? "federation" : scopes.read(value, place)),
  write: (value) => value,
};

const common = { scope, policyRef: optional(blockCid), capabilityRef: optional(blockCid) };
const count = integer();
const time = integer();
const storageClass = oneOf("hot", "warm", "cold");
const site = textUpTo(128);

const availability = { ...common, cid, class: storageClass, until: time, site };

const place = record({ site, shard: optional(count) });
const finding = record({ cid, firstLeaf: count, leaves: integer(1), repaired: flag });
const range = record({ start: count, end: integer(1) });

/** The members of each kind, without `kind` itself. */
export const receiptKinds = {
  storage: { ...common, cid, size: count, added: count, namespace: optional(textUpTo(253)) },
  pin: {
    ...common,
    cid,
    action: oneOf("pin", "unpin"),
    class: storageClass,
    until: optional(time),
  },
  placement: {
    ...common,
    cid,
    dataShards: integer(1, 255),
    parityShards: integer(0, 255),
    places: listOf(place, 1, 32),
  },
  scrub: {
    ...common,
    startedAt: time,
    endedAt: time,
    objects: count,
    bytes: count,
    samplePermille: integer(1, 1_000),
    faults: count,
    repaired: count,
    findings: listOf(finding, 0, 16),
  },
  binding: {
    ...common,
    handle,
    cid,
    epoch: optional(count),
    revision: count,
    previous: optional(cid),
    statementRef: optional(blockCid),
  },
  link: {
    ...common,
    action: oneOf("link", "unlink"),
    from: optional(cid),
    name: optional(textUpTo(1_024)),
    namespace: optional(textUpTo(253)),
    to: cid,
    relation: textUpTo(128),
  },
  "gc-report": {
    ...common,
    startedAt: time,
    endedAt: time,
    roots: count,
    kept: count,
    freed: count,
    freedBytes: count,
  },
  provide: availability,
  withdraw: availability,
  resolve: {
    ...common,
    policyRef: blockCid,
    query: handleOrCid,
    asOf: time,
    selected: optional(cid),
    trace: blockCid,
  },
  transfer: {
    ...common,
    session: bytesOf(16),
    provider: name,
    client: name,
    cid,
    window: count,
    final: flag,
    ranges: listOf(range, 0, 32),
    bytes: count,
    duplicateBytes: count,
    badBytes: count,
    unconfirmedBytes: count,
    durationMs: count,
    fromSite: site,
    toSite: site,
    resumes: count,
    handoffs: count,
    previous: optional(blockCid),
    grantRef: optional(blockCid),
    pathEvidenceRef: optional(blockCid),
  },
  subscribe: {
    ...common,
    interest: handleOrCid,
    action: oneOf("start", "stop"),
    peer: name,
    reason: optional(textUpTo(128)),
  },
} as const;

export type ReceiptKind = keyof typeof receiptKinds;

/** The receipt of a kind, as an object. */
export type ReceiptOf<Kind extends ReceiptKind> = { readonly kind: Kind } & RecordOf<
  (typeof receiptKinds)[Kind]
>;

/** What a receipt says; `kind` tells which members it has. */
export type Receipt = { [Kind in ReceiptKind]: ReceiptOf<Kind> }[ReceiptKind];
