import { encodeReceipt, type Receipt, signReceipt } from "@catalyst/evidence";
import type { TrustRoot } from "@catalyst/identity";
import { type CborInput, type CborKey, decodeCbor, encodeCbor } from "@catalyst/wire";
import { type Forgery, forge } from "../../../packages/evidence/test/forge.ts";
import { alpha, beta, nonceOf, now, rootOf } from "../../../packages/evidence/test/parties.ts";
import { receipts } from "../../../packages/evidence/test/receipts.ts";
import { toHex } from "../../../packages/wire/test/hex.ts";
import { toNotation } from "../../../packages/wire/test/notation.ts";
import type { VectorFile } from "../wire-vectors.ts";
import { alphaRoot, betaRoot, delta, gamma, rootNotation } from "./parties.ts";

const type = "application/vnd.catalyst.receipt+cbor";
const roots = [alphaRoot, betaRoot].map(rootNotation);

/** Signed by both parties; the same in each run. */
export function signTwice(receipt: Receipt): readonly [Uint8Array, Uint8Array] {
  const [first, second] = [alpha, beta].map(({ name, signer }) =>
    signReceipt(signer, receipt, { issuer: name, issuedAt: now, nonce: nonceOf(`${name} ${receipt.kind}`) }),
  );
  return [first ?? new Uint8Array(), second ?? new Uint8Array()];
}

/** A receipt with members changed, which no signer of ours would sign. */
function changed(receipt: Receipt, changes: Readonly<Record<string, CborInput>>): Uint8Array {
  const members = new Map(decodeCbor(encodeReceipt(receipt)) as ReadonlyMap<CborKey, CborInput>);
  for (const [name, value] of Object.entries(changes)) members.set(name, value);
  return encodeCbor(members);
}

const without = (receipt: Receipt, name: string): Uint8Array => {
  const members = new Map(decodeCbor(encodeReceipt(receipt)) as ReadonlyMap<CborKey, CborInput>);
  members.delete(name);
  return encodeCbor(members);
};

type Bad = {
  readonly envelopes: readonly Uint8Array[];
  readonly roots?: readonly TrustRoot[];
  readonly audience?: string;
  readonly code: string;
};

/** A receipt with a subject that fits its kind, where it has one. */
function say(payload: Uint8Array, forgery: Forgery = {}): Uint8Array {
  const value = decodeCbor(payload);
  const kind = value instanceof Map && typeof value.get("kind") === "string" ? value.get("kind") : "pin";
  return forge({ ...forgery, type, payload, claims: { 2: `receipt:${kind}`, ...forgery.claims } });
}

const signed = (payload: Uint8Array, code: string): Bad => ({ envelopes: [say(payload)], code });
const mismatch = (receipt: Receipt, changes: Readonly<Record<string, CborInput>>): Bad =>
  signed(changed(receipt, changes), "schema_mismatch");
const byBeta = (payload: Uint8Array, claims: Forgery["claims"] & object = {}) =>
  say(payload, { signer: beta.signer, claims: { 1: beta.name, ...claims } });

const { pin, storage, transfer, scrub, resolve, placement } = receipts;
const pinned = encodeReceipt(pin);
const { from: _, ...linked } = receipts.link;
const named: Receipt = { ...linked, name: "app", namespace: "acme", relation: "name" };

/** Receipts that a reader could be too strict about. */
const atLimits: Readonly<Record<string, Receipt>> = {
  "a link from a name": named,
  "a scrub that took no time and found nothing": { ...scrub, endedAt: now - 60, faults: 0, findings: [] },
  "a transfer of 32 ranges": {
    ...transfer,
    ranges: Array.from({ length: 32 }, (_, at) => ({ start: 2 * at, end: 2 * at + 1 })),
  },
  "a first window, with nothing before it": firstWindow(),
  "a handle of 512 bytes": { ...receipts.binding, handle: `holo://${"a".repeat(505)}` },
};

function firstWindow(): Receipt {
  const { previous: _, ...first } = transfer;
  return { ...first, window: 0, final: false, ranges: [] };
}

const bad: Readonly<Record<string, Bad>> = {
  "no envelope": { envelopes: [], code: "schema_mismatch" },
  "three envelopes": {
    envelopes: [...signTwice(pin), say(pinned)],
    code: "schema_mismatch",
  },
  "a statement of another type": { envelopes: [forge({ payload: pinned })], code: "type_unexpected" },
  "a payload that is a list": signed(encodeCbor([]), "schema_mismatch"),
  "no kind": signed(without(pin, "kind"), "schema_mismatch"),
  "a kind that is a number": signed(changed(pin, { kind: 1 }), "schema_mismatch"),
  "a kind that is not known": signed(changed(pin, { kind: "greeting" }), "kind_unknown"),
  "a kind in upper case": signed(changed(pin, { kind: "Pin" }), "kind_unknown"),
  "a member that is missing": signed(without(pin, "class"), "schema_mismatch"),
  "a member that is not known": signed(changed(pin, { note: "x" }), "schema_mismatch"),
  "a member named by a number": signed(
    encodeCbor(new Map<CborKey, CborInput>([...Object.entries({ kind: "pin" }), [1, 2]])),
    "schema_mismatch",
  ),
  "an optional member that is null": signed(changed(pin, { until: null }), "schema_mismatch"),
  "a class that is not known": signed(changed(pin, { class: "tepid" }), "schema_mismatch"),
  "a scope that is not known": signed(changed(pin, { scope: "world" }), "schema_mismatch"),
  "a CID as text": signed(changed(pin, { cid: pin.cid }), "schema_mismatch"),
  "a CID with a byte too many": signed(changed(pin, { cid: new Uint8Array(40) }), "schema_mismatch"),
  "a policy named by the CID of an object": signed(
    changed(pin, { policyRef: decodeCid(pin) }),
    "schema_mismatch",
  ),
  "a negative size": signed(changed(storage, { size: -1 }), "schema_mismatch"),
  "a sample of 1001 permille": signed(changed(scrub, { samplePermille: 1_001 }), "schema_mismatch"),
  "a link from nothing": signed(without(receipts.link, "from"), "schema_mismatch"),
  "a link from an object and a name": signed(changed(receipts.link, { name: "app" }), "schema_mismatch"),
  "an end before the start": signed(changed(scrub, { endedAt: now - 61 }), "schema_mismatch"),
  "no place": signed(changed(placement, { places: [] }), "schema_mismatch"),
  "33 places": signed(
    changed(placement, { places: Array.from({ length: 33 }, () => ({ site: "a" })) }),
    "schema_mismatch",
  ),
  "a resolution without a policy": signed(without(resolve, "policyRef"), "schema_mismatch"),
  "a query that is no handle": signed(changed(resolve, { query: "http://acme" }), "schema_mismatch"),
  "ranges that touch": signed(
    changed(transfer, {
      ranges: [
        { start: 0, end: 10 },
        { start: 10, end: 20 },
      ],
    }),
    "schema_mismatch",
  ),
  "an empty range": signed(changed(transfer, { ranges: [{ start: 5, end: 5 }] }), "schema_mismatch"),
  "a transfer with oneself": signed(changed(transfer, { client: alpha.name }), "schema_mismatch"),
  ...badMembers(),
  "a transfer of others": signed(
    changed(transfer, { provider: "n2.acme.catalyst.internal" }),
    "signer_unexpected",
  ),
  ...badParties(),
  "two signatures over different bytes": {
    envelopes: [say(pinned), byBeta(changed(pin, { class: "cold" }))],
    code: "payloads_differ",
  },
  "the same envelope twice": {
    envelopes: [say(pinned), say(pinned)],
    code: "signers_equal",
  },
  "two keys of one issuer": {
    envelopes: [say(pinned), say(pinned, { signer: gamma.signer })],
    code: "signers_equal",
  },
  "a good signature beside a bad one": {
    envelopes: [say(pinned), say(pinned, { claims: { 1: beta.name }, kid: beta.signer.kid })],
    code: "signature_invalid",
  },
};

/** Members just beyond their limits, and conditions that no CDDL holds: spec/evidence.md §4.2. */
function badMembers(): Record<string, Bad> {
  const many = (length: number, start: number) =>
    Array.from({ length }, (_, at) => ({ start: start + 2 * at, end: start + 2 * at + 1 }));
  const finding = { cid: decodeCid(pin), firstLeaf: 0, leaves: 1, repaired: false };
  return {
    "a link from a name whose relation is another": mismatch(named, { relation: "depends" }),
    "a window before the first": mismatch(transfer, { window: 0 }),
    "ranges that descend": mismatch(transfer, { ranges: many(2, 0).reverse() }),
    "ranges that overlap": mismatch(transfer, {
      ranges: [
        { start: 0, end: 10 },
        { start: 9, end: 20 },
      ],
    }),
    "33 ranges": mismatch(transfer, { ranges: many(33, 0) }),
    "17 findings": mismatch(scrub, { findings: Array.from({ length: 17 }, () => finding) }),
    "a finding of no leaves": mismatch(scrub, { findings: [{ ...finding, leaves: 0 }] }),
    "a finding with a member that is not known": mismatch(scrub, { findings: [{ ...finding, at: 0 }] }),
    "a sample of 0 permille": mismatch(scrub, { samplePermille: 0 }),
    "an end before the start of a collection": mismatch(receipts["gc-report"], { endedAt: now - 6 }),
    "a session of 15 bytes": mismatch(transfer, { session: new Uint8Array(15) }),
    "a session of 17 bytes": mismatch(transfer, { session: new Uint8Array(17) }),
    "a provider that is no name": mismatch(transfer, { provider: "N1" }),
    "a transfer whose end is no boolean": mismatch(transfer, { final: 1 }),
    "a handle of 513 bytes": mismatch(receipts.binding, { handle: `holo://${"a".repeat(506)}` }),
    "a handle of another scheme": mismatch(receipts.binding, { handle: "http://acme" }),
    "a namespace of 254 bytes": mismatch(storage, { namespace: "a".repeat(254) }),
    "no data shard": mismatch(placement, { dataShards: 0 }),
    "256 parity shards": mismatch(placement, { parityShards: 256 }),
    "a place with no site": mismatch(placement, { places: [{ shard: 0 }] }),
  };
}

/** Envelopes around a good payload that do not fit it, or each other: spec/evidence.md §4.3. */
function badParties(): Record<string, Bad> {
  const alone = (code: string, claims: Forgery["claims"] & object): Bad => ({
    envelopes: [say(pinned, { claims })],
    code,
  });
  const moved = encodeReceipt(transfer);
  return {
    "a subject of another kind": alone("subject_unexpected", { 2: "receipt:storage" }),
    "a subject that is no receipt": alone("subject_unexpected", { 2: "test" }),
    "a second signature with a subject of another kind": {
      envelopes: [say(pinned), byBeta(pinned, { 2: "receipt:storage" })],
      code: "subject_unexpected",
    },
    "a transfer of others with another subject: the subject comes first": {
      envelopes: [
        say(changed(transfer, { provider: "n2.acme.catalyst.internal" }), { claims: { 2: "test" } }),
      ],
      code: "subject_unexpected",
    },
    "a receipt with an expiry": alone("claim_invalid", { 4: now + 60 }),
    "a receipt with a beginning": alone("claim_invalid", { 5: now - 60 }),
    "a receipt for an audience, which asks": {
      ...alone("claim_invalid", { 3: beta.name }),
      audience: beta.name,
    },
    "a second signature with an expiry": {
      envelopes: [say(pinned), byBeta(pinned, { 4: now + 60 })],
      code: "claim_invalid",
    },
    "one key under two names": {
      envelopes: [say(pinned), say(pinned, { claims: { 1: beta.name } })],
      roots: [alphaRoot, { ...alphaRoot, name: beta.name }],
      code: "signers_equal",
    },
    "a transfer that a stranger signed as well": {
      envelopes: [
        say(moved),
        say(moved, { signer: delta.signer, claims: { 1: "n2.acme.catalyst.internal" } }),
      ],
      roots: [alphaRoot, rootOf("n2.acme.catalyst.internal", delta.signer)],
      code: "signer_unexpected",
    },
  };
}

function decodeCid(receipt: typeof pin): CborInput {
  return (decodeCbor(encodeReceipt(receipt)) as ReadonlyMap<string, CborInput>).get("cid") ?? null;
}

export function receiptVectors(): Readonly<Record<"good" | "bad", VectorFile>> {
  const gammaRoot = rootNotation({
    name: gamma.name,
    covers: "name",
    kid: gamma.signer.kid,
    key: gamma.signer.publicKey,
  });
  const older = { ...receipts.pin };
  return {
    good: {
      about: "spec/evidence.md §4. A receipt of each kind, its payload, signed by one and by two.",
      vectors: [
        ...Object.entries({ ...receipts, ...atLimits }).map(([name, receipt]) => ({
          name,
          value: toNotation(decodeCbor(encodeReceipt(receipt))),
          payload: toHex(encodeReceipt(receipt)),
          roots,
          asOf: now,
          envelopes: signTwice(receipt).map(toHex),
        })),
        {
          name: "the scope fed, an older word for federation",
          value: toNotation(decodeCbor(changed(older, { scope: "fed" }))),
          payload: toHex(changed(older, { scope: "fed" })),
          roots,
          asOf: now,
          envelopes: [toHex(say(changed(older, { scope: "fed" })))],
        },
      ],
    },
    bad: {
      about: "spec/evidence.md §4. Receipts that are refused with `code`.",
      vectors: Object.entries(bad).map(([name, { envelopes, roots: given, audience, code }]) => ({
        name,
        roots: given?.map(rootNotation) ?? [...roots, gammaRoot],
        asOf: now,
        ...(audience === undefined ? {} : { audience }),
        envelopes: envelopes.map(toHex),
        code,
      })),
    },
  };
}
