import {
  type AuditEvent,
  type AuditHead,
  encodeDecision,
  formatAuditHead,
  signDelegation,
  signReceipt,
  statementType,
} from "@catalyst/evidence";
import { type CborInput, type CborKey, cidOfBlock, decodeCbor, encodeCbor } from "@catalyst/wire";
import { chainEntry, emptyHead } from "../../../packages/evidence/src/audit/entry.ts";
import { alpha, nonceOf, now, signerOf } from "../../../packages/evidence/test/parties.ts";
import { receipts } from "../../../packages/evidence/test/receipts.ts";
import { toHex } from "../../../packages/wire/test/hex.ts";
import type { VectorFile } from "../wire-vectors.ts";

const trace = encodeDecision({
  question: { kind: "operator", action: "service.add" },
  asOf: now,
  inputs: [],
  steps: [{ rule: "no rule allows it", outcome: "denied" }],
  result: "denied",
});
const done = { actor: "alice", action: "service.add", target: "products", outcome: "done" } as const;
const events: readonly AuditEvent[] = [
  { action: done },
  {
    action: {
      actor: "mallory",
      action: "service.remove",
      target: "products",
      outcome: "denied",
      reason: "no rule allows it",
      decision: cidOfBlock(trace, "cbor"),
    },
  },
  {
    delegation: signDelegation(alpha.signer, {
      issuer: alpha.name,
      subject: alpha.name,
      key: signerOf("alpha lent").publicKey,
      types: [statementType.receipt],
      issuedAt: now,
      lifetimeSeconds: 43_200,
      nonce: nonceOf("audited delegation"),
    }),
  },
  {
    receipt: signReceipt(signerOf("alpha lent"), receipts.pin, {
      issuer: alpha.name,
      issuedAt: now,
      nonce: nonceOf("audited pin"),
    }),
  },
  {
    recovery: {
      file: "audit-0000000000000001.log.damaged-1800000000000",
      bytes: 17,
      digest: new Uint8Array(32),
    },
  },
];

type Chain = { readonly entries: readonly Uint8Array[]; readonly heads: readonly AuditHead[] };

function chainOf(given: readonly AuditEvent[]): Chain {
  const entries: Uint8Array[] = [];
  const heads: AuditHead[] = [emptyHead];
  for (const [at, event] of given.entries()) {
    const next = chainEntry(heads[at] ?? emptyHead, now * 1_000 + at, event);
    entries.push(next.bytes);
    heads.push(next.head);
  }
  return { entries, heads };
}

const { entries, heads } = chainOf(events);
const other = chainOf([{ action: { ...done, actor: "bob" } }, ...events.slice(1)]);
const [first, second, third, fourth] = entries as [Uint8Array, Uint8Array, Uint8Array, Uint8Array];
const known = (chain: Chain, seq: number) => [formatAuditHead(chain.heads[seq] ?? emptyHead)];

/** An entry with members changed. */
function changed(bytes: Uint8Array, changes: Readonly<Record<string, CborInput>>): Uint8Array {
  const members = new Map(decodeCbor(bytes) as ReadonlyMap<CborKey, CborInput>);
  for (const [name, value] of Object.entries(changes)) members.set(name, value);
  return encodeCbor(members);
}

/** A first entry that holds whatever is given. */
function entryOf(members: Readonly<Record<string, CborInput>>): Uint8Array {
  return encodeCbor({ seq: 1, at: now * 1_000, previous: new Uint8Array(32), ...members });
}

const event = (bytes: Uint8Array, name: string): CborInput =>
  (decodeCbor(bytes) as ReadonlyMap<string, CborInput>).get(name) ?? null;

type Bad = {
  readonly entries: readonly Uint8Array[];
  readonly known?: readonly string[];
  readonly code: string;
};

const bad: Readonly<Record<string, Bad>> = {
  "a changed byte": {
    entries: [first.map((byte, at) => (at === first.length - 1 ? byte ^ 1 : byte)), second],
    code: "audit_changed",
  },
  "a changed actor": { entries: [other.entries[0] ?? first, second], code: "audit_changed" },
  "the first entry is missing": { entries: [second, third], code: "audit_gap" },
  "an entry in the middle is missing": { entries: [first, third, fourth], code: "audit_gap" },
  "two entries changed places": { entries: [first, third, second, fourth], code: "audit_gap" },
  "an entry twice": { entries: [first, first], code: "audit_gap" },
  "another first entry before": {
    entries: [changed(first, { previous: new Uint8Array(32).fill(1) })],
    code: "audit_changed",
  },
  "the end is missing, and its head is known": {
    entries: [first, second],
    known: known({ entries, heads }, 4),
    code: "audit_truncated",
  },
  "all is missing, and a head is known": {
    entries: [],
    known: known({ entries, heads }, 1),
    code: "audit_truncated",
  },
  "all was written anew, and a head is known": {
    entries: other.entries,
    known: known({ entries, heads }, 2),
    code: "audit_changed",
  },
  "a head of no entries that is none": {
    entries: [],
    known: [`0:${"01".repeat(32)}`],
    code: "audit_changed",
  },
  "no bytes": { entries: [new Uint8Array()], code: "audit_changed" },
  "an entry that is a list": { entries: [encodeCbor([])], code: "audit_changed" },
  "an entry of nothing": {
    entries: [encodeCbor({ seq: 1, at: 0, previous: new Uint8Array(32) })],
    code: "audit_changed",
  },
  "an entry of two things": {
    entries: [changed(first, { delegation: event(third, "delegation") })],
    code: "audit_changed",
  },
  "a number 0": { entries: [changed(first, { seq: 0 })], code: "audit_changed" },
  "a recovery with a member that is not known": {
    entries: [entryOf({ recovery: { file: "x", bytes: 17, digest: new Uint8Array(32), path: "/" } })],
    code: "audit_changed",
  },
  "a recovery of no bytes": {
    entries: [entryOf({ recovery: { file: "x", bytes: 0, digest: new Uint8Array(32) } })],
    code: "audit_changed",
  },
  "an envelope of 4097 bytes": {
    entries: [entryOf({ receipt: new Uint8Array(4_097) })],
    code: "audit_changed",
  },
  "an entry of 8193 bytes": {
    entries: [entryOf({ receipt: new Uint8Array(8_133) })],
    code: "audit_changed",
  },
  "a known head with the number 2^53 - 1": {
    entries,
    known: [`9007199254740991:${"00".repeat(32)}`],
    code: "audit_truncated",
  },
  "an outcome that is not known": {
    entries: [changed(first, { action: { ...done, outcome: "perhaps" } })],
    code: "audit_changed",
  },
};

export function auditVectors(): Readonly<Record<"good" | "bad", VectorFile>> {
  const good = {
    "no entries": { entries: [], known: [], head: formatAuditHead(emptyHead) },
    "an action, a denied one, a delegation, a receipt under it and a recovery": {
      entries,
      known: [...known({ entries, heads }, 2), ...known({ entries, heads }, 5)],
      head: formatAuditHead(heads[5] ?? emptyHead),
    },
  };
  return {
    good: {
      about: "spec/evidence.md §7. Logs that verify.",
      vectors: Object.entries(good).map(([name, log]) => ({ name, ...log, entries: log.entries.map(toHex) })),
    },
    bad: {
      about: "spec/evidence.md §7. Logs that are refused with `code`.",
      vectors: Object.entries(bad).map(([name, { entries, known = [], code }]) => ({
        name,
        entries: entries.map(toHex),
        known,
        code,
      })),
    },
  };
}
