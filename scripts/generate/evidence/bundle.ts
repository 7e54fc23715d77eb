import { type Bundle, encodeBundle, type Receipt, signReceipt } from "@catalyst/evidence";
import type { TrustRoot } from "@catalyst/identity";
import { type CborInput, cidOfBlock, encodeCbor } from "@catalyst/wire";
import { alpha, nonceOf, now } from "../../../packages/evidence/test/parties.ts";
import { receipts } from "../../../packages/evidence/test/receipts.ts";
import { toHex } from "../../../packages/wire/test/hex.ts";
import type { VectorFile } from "../wire-vectors.ts";
import { traceOfHandle } from "./decision.ts";
import { nested } from "./envelope-case.ts";
import {
  alphaRoot,
  betaRoot,
  chainOf,
  delegationType,
  delta,
  gamma,
  lend,
  organisation,
  organisationRoot,
  rootNotation,
} from "./parties.ts";
import { signTwice } from "./receipt.ts";

const type = "application/vnd.catalyst.receipt+cbor";
const policy = encodeCbor({ rules: ["the signer's own"] });
const policyRef = cidOfBlock(policy, "cbor");
const resolved: Receipt = {
  ...receipts.resolve,
  policyRef,
  trace: cidOfBlock(traceOfHandle, "cbor"),
};
const pinOfGamma = signReceipt(gamma.signer, receipts.pin, {
  issuer: gamma.name,
  issuedAt: now,
  nonce: nonceOf("pin of gamma"),
});
const pinOfDelta = signReceipt(delta.signer, receipts.pin, {
  issuer: delta.name,
  issuedAt: now,
  nonce: nonceOf("pin of delta"),
});
const lentTwice = [60, 30].map((ago) => lend(alpha, gamma, { types: [type], issuedAt: now - ago }));
const delegations = [
  lend(organisation, alpha, { types: [delegationType] }),
  lend(alpha, gamma, { types: [type], issuedAt: now - 30 }),
];

const kidAlone = ({ key: _, ...root }: TrustRoot): TrustRoot => ({ ...root, key: null });

type Case = { readonly bundle: Bundle; readonly roots: readonly TrustRoot[] };
type Bad = {
  readonly bytes: Uint8Array;
  readonly roots?: readonly TrustRoot[];
  readonly code: string;
  readonly cause?: string;
};

const both = [alphaRoot, betaRoot];
const full: Bundle = {
  receipts: [signTwice(receipts.transfer), [pinOfGamma], signTwice(resolved)],
  keys: [organisation.signer.publicKey, alpha.signer.publicKey],
  delegations,
  blocks: [policy, traceOfHandle],
};

const good: Readonly<Record<string, Case>> = {
  "one receipt": { bundle: { receipts: [[signTwice(receipts.pin)[0]]] }, roots: [alphaRoot] },
  "a key that is trusted by its kid, and comes along": {
    bundle: { receipts: [[signTwice(receipts.pin)[0]]], keys: [alpha.signer.publicKey] },
    roots: [kidAlone(alphaRoot)],
  },
  "a key that a delegation lends as well": {
    bundle: { receipts: [[pinOfGamma]], keys: [gamma.signer.publicKey], delegations: lentTwice.slice(0, 1) },
    roots: [alphaRoot],
  },
  "two delegations of one key": {
    bundle: { receipts: [[pinOfGamma]], delegations: lentTwice },
    roots: [alphaRoot],
  },
  "four delegations in a row, of which no receipt needs the last": {
    bundle: { receipts: [[pinOfDelta]], delegations: chainOf(["link 1", "link 2", "link 3"], type) },
    roots: [alphaRoot, { ...alphaRoot, kid: delta.signer.kid, key: delta.signer.publicKey }],
  },
  "receipts by one and by two, delegations, policy and trace": {
    bundle: full,
    roots: [...both, kidAlone(organisationRoot)],
  },
};

const pinAlone = [signTwice(receipts.pin)[0]];
const raw = (value: CborInput) => encodeCbor(value);
const keyOf = (x: Uint8Array) =>
  new Map<number, number | Uint8Array>([
    [1, 1],
    [-1, 6],
    [-2, x],
  ]);

const bad: Readonly<Record<string, Bad>> = {
  "no receipts": { bytes: raw({ receipts: [] }), code: "schema_mismatch" },
  "a receipt without envelopes": { bytes: raw({ receipts: [[]] }), code: "schema_mismatch" },
  "no member of receipts": { bytes: raw({}), code: "schema_mismatch" },
  "a list in place of a bundle": { bytes: raw([[pinAlone]]), code: "schema_mismatch" },
  "a byte after the bundle": {
    bytes: Uint8Array.of(...encodeBundle({ receipts: [pinAlone] }), 0),
    code: "cbor_refused",
    cause: "cbor_trailing",
  },
  "a receipt of three envelopes": {
    bytes: raw({ receipts: [[...signTwice(receipts.pin), Uint8Array.of(0)]] }),
    code: "schema_mismatch",
  },
  "an envelope of 4097 bytes": {
    bytes: raw({ receipts: [[new Uint8Array(4_097)]] }),
    code: "schema_mismatch",
  },
  "65 keys": {
    bytes: raw({
      receipts: [pinAlone],
      keys: Array.from({ length: 65 }, () => keyOf(alpha.signer.publicKey.x)),
    }),
    code: "schema_mismatch",
  },
  "65 delegations": {
    bytes: raw({ receipts: [pinAlone], delegations: Array.from({ length: 65 }, () => Uint8Array.of(0)) }),
    code: "schema_mismatch",
  },
  "a key of small order": {
    bytes: raw({ receipts: [pinAlone], keys: [keyOf(new Uint8Array(32))] }),
    code: "schema_mismatch",
  },
  "a delegation of 4097 bytes": {
    bytes: raw({ receipts: [pinAlone], delegations: [new Uint8Array(4_097)] }),
    code: "schema_mismatch",
  },
  "an envelope of no bytes": { bytes: raw({ receipts: [[new Uint8Array()]] }), code: "schema_mismatch" },
  "eight deep": { bytes: raw({ receipts: nested(7, 0) }), code: "schema_mismatch" },
  "nine deep": { bytes: raw({ receipts: nested(8, 0) }), code: "cbor_refused", cause: "cbor_too_deep" },
  "4097 items": {
    bytes: raw({ receipts: nested(1, 4_094) }),
    code: "cbor_refused",
    cause: "cbor_too_many_items",
  },
  "65 blocks": {
    bytes: raw({ receipts: [pinAlone], blocks: Array.from({ length: 65 }, (_, at) => Uint8Array.of(at)) }),
    code: "schema_mismatch",
  },
  "a block of no bytes": {
    bytes: raw({ receipts: [pinAlone], blocks: [new Uint8Array()] }),
    code: "schema_mismatch",
  },
  "201 receipts": {
    bytes: raw({ receipts: Array.from({ length: 201 }, () => [Uint8Array.of(0)]) }),
    code: "schema_mismatch",
  },
  "an empty list of keys": { bytes: raw({ receipts: [pinAlone], keys: [] }), code: "schema_mismatch" },
  "a member that is not known": { bytes: raw({ receipts: [pinAlone], notes: [] }), code: "schema_mismatch" },
  "a receipt that is no envelope": { bytes: raw({ receipts: [[Uint8Array.of(0)]] }), code: "envelope_form" },
  "a receipt of somebody else": {
    bytes: encodeBundle({ receipts: [pinAlone] }),
    roots: [betaRoot],
    code: "issuer_untrusted",
  },
  "the key of a root is missing": {
    bytes: encodeBundle({ receipts: [pinAlone] }),
    roots: [kidAlone(alphaRoot)],
    code: "key_unknown",
  },
  "a key that signed nothing": {
    bytes: encodeBundle({ receipts: [pinAlone], keys: [organisation.signer.publicKey] }),
    code: "bundle_surplus",
  },
  "a key twice": {
    bytes: encodeBundle({ receipts: [pinAlone], keys: [alpha.signer.publicKey, alpha.signer.publicKey] }),
    code: "bundle_surplus",
  },
  "a delegation twice": {
    bytes: encodeBundle({
      receipts: [[pinOfGamma]],
      delegations: [...delegations, delegations[1] ?? new Uint8Array()],
    }),
    roots: [...both, organisationRoot],
    code: "bundle_surplus",
  },
  "a delegation that is none": {
    bytes: encodeBundle({ receipts: [pinAlone], delegations: pinAlone }),
    code: "type_unexpected",
  },
  "a delegation of a key that signed nothing": {
    bytes: encodeBundle({ receipts: [pinAlone], delegations: [lend(alpha, gamma, { types: [type] })] }),
    code: "bundle_surplus",
  },
  "a delegation that these roots do not cover": {
    bytes: encodeBundle({ receipts: [[pinOfGamma]], delegations }),
    roots: [{ ...alphaRoot, kid: gamma.signer.kid, key: gamma.signer.publicKey }],
    code: "issuer_untrusted",
  },
  "a delegation with a changed signature, which no receipt needs": {
    bytes: encodeBundle({
      receipts: [[pinOfGamma]],
      delegations: [spoiled(delegations[1] ?? new Uint8Array())],
    }),
    roots: [alphaRoot, { ...alphaRoot, kid: gamma.signer.kid, key: gamma.signer.publicKey }],
    code: "signature_invalid",
  },
  "a receipt twice": { bytes: encodeBundle({ receipts: [pinAlone, pinAlone] }), code: "bundle_surplus" },
  "a block that nothing refers to": {
    bytes: encodeBundle({ receipts: [pinAlone], blocks: [policy] }),
    code: "bundle_surplus",
  },
  "a block twice": {
    bytes: encodeBundle({ receipts: [signTwice(resolved)], blocks: [policy, traceOfHandle, policy] }),
    code: "bundle_surplus",
  },
  "a policy that is missing": {
    bytes: encodeBundle({ receipts: [signTwice(resolved)], blocks: [traceOfHandle] }),
    code: "reference_missing",
  },
  "a trace that is missing": {
    bytes: encodeBundle({ receipts: [signTwice(resolved)], blocks: [policy] }),
    code: "reference_missing",
  },
  "a trace with a changed byte": {
    bytes: encodeBundle({ receipts: [signTwice(resolved)], blocks: [policy, spoiled(traceOfHandle)] }),
    code: "reference_missing",
  },
};

function spoiled(bytes: Uint8Array): Uint8Array {
  return bytes.map((byte, at) => (at === bytes.length - 1 ? byte ^ 1 : byte));
}

export function bundleVectors(): Readonly<Record<"good" | "bad", VectorFile>> {
  return {
    good: {
      about: "spec/evidence.md §5. Bundles that verify.",
      vectors: Object.entries(good).map(([name, { bundle, roots }]) => ({
        name,
        roots: roots.map(rootNotation),
        asOf: now,
        hex: toHex(encodeBundle(bundle)),
      })),
    },
    bad: {
      about: "spec/evidence.md §5. Bundles that are refused with `code`.",
      vectors: Object.entries(bad).map(([name, { bytes, roots, ...refusal }]) => ({
        name,
        roots: (roots ?? both).map(rootNotation),
        asOf: now,
        hex: toHex(bytes),
        ...refusal,
      })),
    },
  };
}
