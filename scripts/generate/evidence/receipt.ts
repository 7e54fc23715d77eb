import { encodeReceipt, type Receipt, signReceipt } from "@catalyst/evidence";
import { type CborInput, type CborKey, decodeCbor, encodeCbor } from "@catalyst/wire";
import { forge } from "../../../packages/evidence/test/forge.ts";
import { alpha, beta, nonceOf, now } from "../../../packages/evidence/test/parties.ts";
import { receipts } from "../../../packages/evidence/test/receipts.ts";
import { toHex } from "../../../packages/wire/test/hex.ts";
import { toNotation } from "../../../packages/wire/test/notation.ts";
import type { VectorFile } from "../wire-vectors.ts";
import { alphaRoot, betaRoot, gamma, rootNotation } from "./parties.ts";

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

type Bad = { readonly envelopes: readonly Uint8Array[]; readonly code: string };

const signed = (payload: Uint8Array, code: string): Bad => ({ envelopes: [forge({ type, payload })], code });
const byBeta = (payload: Uint8Array) =>
  forge({ type, payload, signer: beta.signer, claims: { 1: beta.name } });

const { pin, storage, transfer, scrub, resolve, placement } = receipts;
const pinned = encodeReceipt(pin);

const bad: Readonly<Record<string, Bad>> = {
  "no envelope": { envelopes: [], code: "schema_mismatch" },
  "three envelopes": {
    envelopes: [...signTwice(pin), forge({ type, payload: pinned })],
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
  "a transfer of others": signed(
    changed(transfer, { provider: "n2.acme.catalyst.internal" }),
    "signer_unexpected",
  ),
  "two signatures over different bytes": {
    envelopes: [forge({ type, payload: pinned }), byBeta(changed(pin, { class: "cold" }))],
    code: "payloads_differ",
  },
  "the same envelope twice": {
    envelopes: [forge({ type, payload: pinned }), forge({ type, payload: pinned })],
    code: "signers_equal",
  },
  "two keys of one issuer": {
    envelopes: [forge({ type, payload: pinned }), forge({ type, payload: pinned, signer: gamma.signer })],
    code: "signers_equal",
  },
  "a good signature beside a bad one": {
    envelopes: [
      forge({ type, payload: pinned }),
      forge({ type, payload: pinned, claims: { 1: beta.name }, kid: beta.signer.kid }),
    ],
    code: "signature_invalid",
  },
};

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
        ...Object.values(receipts).map((receipt) => ({
          name: receipt.kind,
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
          envelopes: [toHex(forge({ type, payload: changed(older, { scope: "fed" }) }))],
        },
      ],
    },
    bad: {
      about: "spec/evidence.md §4. Receipts that are refused with `code`.",
      vectors: Object.entries(bad).map(([name, { envelopes, code }]) => ({
        name,
        roots: [...roots, gammaRoot],
        asOf: now,
        envelopes: envelopes.map(toHex),
        code,
      })),
    },
  };
}
