import { signDelegation } from "@catalyst/evidence";
import { formatStatementKey, type Signer, type TrustRoot } from "@catalyst/identity";
import { encodeCbor } from "@catalyst/wire";
import { type Forgery, forge } from "../../../packages/evidence/test/forge.ts";
import { alpha, beta, nonceOf, now, rootOf, signerOf } from "../../../packages/evidence/test/parties.ts";
import { toHex } from "../../../packages/wire/test/hex.ts";
import type { VectorFile } from "../wire-vectors.ts";

export const testType = "application/vnd.catalyst.test+cbor";
export const delegationType = "application/vnd.catalyst.delegation+cbor";

export const organisation = { name: "acme.catalyst.internal", signer: signerOf("organisation") };
export const gamma = { name: alpha.name, signer: signerOf("gamma") };
const delta = { name: alpha.name, signer: signerOf("delta") };

export const alphaRoot = rootOf(alpha.name, alpha.signer);
export const betaRoot = rootOf(beta.name, beta.signer);
export const organisationRoot = rootOf(organisation.name, organisation.signer, "subtree");

/** A root as the vectors write it. */
export function rootNotation({ name, covers, kid, key }: TrustRoot): object {
  return { name, covers, kid, ...(key === null ? {} : { key: formatStatementKey(key) }) };
}

/** A delegation that is the same in each run. */
export function lend(
  from: { readonly name: string; readonly signer: Signer },
  to: { readonly name: string; readonly signer: Signer },
  changes: {
    readonly types?: readonly string[];
    readonly issuedAt?: number;
    readonly lifetimeSeconds?: number;
  } = {},
): Uint8Array {
  return signDelegation(from.signer, {
    issuer: from.name,
    subject: to.name,
    key: to.signer.publicKey,
    types: changes.types ?? [testType],
    issuedAt: changes.issuedAt ?? now - 60,
    lifetimeSeconds: changes.lifetimeSeconds ?? 3_600,
    nonce: nonceOf(`${from.name} lends to ${to.name}`),
  });
}

type Case = {
  readonly bytes: Uint8Array;
  readonly roots?: readonly TrustRoot[];
  readonly delegations?: readonly Uint8Array[];
  readonly asOf?: number;
  readonly audience?: string;
};
type BadCase = Case & { readonly code: string; readonly cause?: string };

const byGamma = forge({ signer: gamma.signer });
const chain = [
  lend(organisation, alpha, { types: [delegationType] }),
  lend(alpha, gamma, { issuedAt: now - 30 }),
];

const good: Readonly<Record<string, Case>> = {
  "signed by a pinned key": { bytes: forge() },
  "signed by an organisation's key, in the name of a node below it": {
    bytes: forge({ signer: organisation.signer }),
    roots: [organisationRoot],
  },
  "algorithm -19": { bytes: forge({ header: { 1: -19 } }) },
  "all claims": {
    bytes: forge({ claims: { 3: beta.name, 4: now + 60, 5: now - 60 } }),
    audience: beta.name,
  },
  "issued 120 seconds ahead": { bytes: forge({ claims: { 6: now + 120 } }) },
  "issued long ago": { bytes: forge({ claims: { 6: 0 } }) },
  "the second before it expires": { bytes: forge({ claims: { 4: now + 1 } }) },
  "a delegated key": { bytes: byGamma, delegations: [lend(alpha, gamma)] },
  "two delegations from an organisation": {
    bytes: byGamma,
    roots: [organisationRoot],
    delegations: chain,
  },
  "a delegation that is over now, and was not at the time of issue": {
    bytes: forge({ signer: gamma.signer, claims: { 6: now - 90_000 } }),
    delegations: [lend(alpha, gamma, { issuedAt: now - 90_060 })],
  },
  "the last second of a delegation": {
    bytes: byGamma,
    delegations: [lend(alpha, gamma, { issuedAt: now - 3_600 })],
  },
  "a delegation that fails before one that holds": {
    bytes: byGamma,
    delegations: [lend(alpha, gamma, { types: [delegationType] }), lend(alpha, gamma)],
  },
  "a subject of 512 bytes": { bytes: forge({ claims: { 2: "ü".repeat(256) } }) },
  "an envelope of 4096 bytes": { bytes: sized(4_096) },
};

const bad: Readonly<Record<string, BadCase>> = {
  ...badForms(),
  ...badHeaders(),
  ...badTrust(),
  ...badDelegations(),
  ...badTimes(),
};

function badForms(): Record<string, BadCase> {
  const canonical = forge();
  const forged = (code: string, forgery: Forgery): BadCase => ({ bytes: forge(forgery), code });
  return {
    "no bytes": { bytes: new Uint8Array(), code: "cbor_refused", cause: "cbor_truncated" },
    "4097 bytes": { bytes: sized(4_097), code: "too_large" },
    "a byte after the envelope": {
      bytes: Uint8Array.of(...canonical, 0),
      code: "cbor_refused",
      cause: "cbor_trailing",
    },
    "a length that is not in its shortest form": {
      bytes: Uint8Array.of(0xd2, 0x98, 0x04, ...canonical.subarray(2)),
      code: "cbor_refused",
      cause: "cbor_not_shortest",
    },
    "another tag": {
      bytes: Uint8Array.of(0xd1, ...canonical.subarray(1)),
      code: "cbor_refused",
      cause: "cbor_tag",
    },
    "no tag": forged("envelope_form", { tag: null }),
    "three parts": forged("envelope_form", { parts: (parts) => parts.slice(0, 3) }),
    "five parts": forged("envelope_form", { parts: (parts) => [...parts, 0] }),
    "a tagged map": forged("envelope_form", { parts: () => new Map() }),
    "a protected header that is a map itself": forged("envelope_form", {
      parts: ([, ...others]) => [new Map([[1, -8]]), ...others],
    }),
    "an unprotected header that is a list": forged("envelope_form", { unprotected: [] }),
    "a payload that is text": forged("envelope_form", { payloadPart: "hello" }),
    "a signature of 63 bytes": forged("envelope_form", { spoil: (signature) => signature.subarray(1) }),
    "something in the unprotected header": forged("header_unprotected", { unprotected: new Map([[4, 0]]) }),
    "a detached payload": forged("payload_detached", { payloadPart: null }),
    "a payload that is not canonical": {
      bytes: forge({ payload: Uint8Array.of(0x18, 0x01) }),
      code: "cbor_refused",
      cause: "cbor_not_shortest",
    },
  };
}

function badHeaders(): Record<string, BadCase> {
  const header = (code: string, changes: Forgery["header"] & object): BadCase => ({
    bytes: forge({ header: changes }),
    code,
  });
  const claim = (code: string, changes: Forgery["claims"] & object): BadCase => ({
    bytes: forge({ claims: changes }),
    code,
  });
  return {
    "no protected header": {
      bytes: forge({ protectedHeader: new Uint8Array() }),
      code: "header_missing",
    },
    "an empty map as the protected header": {
      bytes: forge({ protectedHeader: Uint8Array.of(0xa0) }),
      code: "header_missing",
    },
    "a protected header that is a list": {
      bytes: forge({ protectedHeader: Uint8Array.of(0x80) }),
      code: "header_invalid",
    },
    "a protected header with a parameter twice": {
      bytes: forge({ protectedHeader: Uint8Array.of(0xa2, 1, 0x27, 1, 0x27) }),
      code: "cbor_refused",
      cause: "cbor_key_duplicate",
    },
    "a critical extension": header("header_critical", { 2: [99], 99: 1 }),
    "a critical parameter that is known": header("header_critical", { 2: [4] }),
    "a parameter that is not known": header("header_unknown", { 3: "application/cbor" }),
    "a parameter named by text": header("header_unknown", { extra: 1 }),
    "no algorithm": header("header_missing", { 1: null }),
    "algorithm ES256": header("algorithm_unsupported", { 1: -7 }),
    "algorithm HS256": header("algorithm_unsupported", { 1: 5 }),
    "no kid": header("header_missing", { 4: null }),
    "a kid of 31 bytes": header("header_invalid", { 4: new Uint8Array(31) }),
    "a kid that is text": header("header_invalid", { 4: alpha.signer.kid }),
    "no claims": header("header_missing", { 15: null }),
    "claims that are a list": header("header_invalid", { 15: [] }),
    "no type": header("header_missing", { 16: null }),
    "a type that is a number": header("header_invalid", { 16: 60 }),
    "a type with a space": header("header_invalid", { 16: "application/a b" }),
    "a claim that is not known": claim("claim_unknown", { 8: new Map() }),
    "no issuer": claim("claim_missing", { 1: null }),
    "no subject": claim("claim_missing", { 2: null }),
    "no time of issue": claim("claim_missing", { 6: null }),
    "no nonce": claim("claim_missing", { 7: null }),
    "an issuer in upper case": claim("claim_invalid", { 1: "N1.acme.catalyst.internal" }),
    "an issuer with an empty label": claim("claim_invalid", { 1: "n1..internal" }),
    "a subject of 513 bytes": claim("claim_invalid", { 2: `${"ü".repeat(256)}a` }),
    "an empty subject": claim("claim_invalid", { 2: "" }),
    "an audience that is no name": claim("claim_invalid", { 3: "all" + " of you" }),
    "a negative time of issue": claim("claim_invalid", { 6: -1 }),
    "an expiry that is text": claim("claim_invalid", { 4: "tomorrow" }),
    "an expiry at the time of issue": claim("claim_invalid", { 4: now }),
    "an expiry before the beginning": claim("claim_invalid", { 4: now + 60, 5: now + 61 }),
    "a nonce of 15 bytes": claim("claim_invalid", { 7: new Uint8Array(15) }),
  };
}

function badTrust(): Record<string, BadCase> {
  const flipped = (bytes: Uint8Array) => bytes.map((byte, at) => (at === 0 ? byte ^ 1 : byte));
  return {
    "a type that was not asked for": { bytes: forge({ type: delegationType }), code: "type_unexpected" },
    "nobody is trusted": { bytes: forge(), roots: [], code: "issuer_untrusted" },
    "a pinned key in another name": {
      bytes: forge({ claims: { 1: beta.name } }),
      roots: [alphaRoot, betaRoot],
      code: "issuer_untrusted",
    },
    "a pinned key in a name below its own": {
      bytes: forge({ claims: { 1: `x.${alpha.name}` } }),
      code: "issuer_untrusted",
    },
    "an organisation's key in a name that only ends like its own": {
      bytes: forge({ signer: organisation.signer, claims: { 1: `evil${organisation.name}` } }),
      roots: [organisationRoot],
      code: "issuer_untrusted",
    },
    "a root of which the kid alone is known": {
      bytes: forge(),
      roots: [{ ...alphaRoot, key: null }],
      code: "key_unknown",
    },
    "another key under a trusted kid": {
      bytes: forge({ signer: beta.signer, kid: alpha.signer.kid }),
      code: "signature_invalid",
    },
    "a changed signature": { bytes: forge({ spoil: flipped }), code: "signature_invalid" },
    "a signature of zeros": { bytes: forge({ spoil: () => new Uint8Array(64) }), code: "signature_invalid" },
    "a signature whose S is not reduced": { bytes: forge({ spoil: addOrder }), code: "signature_invalid" },
  };
}

function badDelegations(): Record<string, BadCase> {
  const under = (code: string, delegation: Uint8Array): BadCase => ({
    bytes: byGamma,
    delegations: [delegation],
    code,
  });
  const lent = (forgery: Forgery, code: string): BadCase =>
    under(code, forge({ type: delegationType, ...forgery }));
  const key = new Map<number, number | Uint8Array>([
    [1, 1],
    [-1, 6],
    [-2, gamma.signer.publicKey.x],
  ]);
  const payload = encodeCbor({ key, types: [testType] });
  const window = { 2: alpha.name, 4: now + 60 };
  return {
    "issued before the delegation": under("delegation_window", lend(alpha, gamma, { issuedAt: now + 121 })),
    "issued after the delegation": under("delegation_window", lend(alpha, gamma, { issuedAt: now - 3_601 })),
    "a key that was lent for other statements": under(
      "delegation_type",
      lend(alpha, gamma, { types: [delegationType] }),
    ),
    "a delegation by somebody who is not trusted": under(
      "issuer_untrusted",
      lend({ ...alpha, signer: beta.signer }, gamma),
    ),
    "a delegation to another name": under(
      "issuer_untrusted",
      lend(alpha, { ...gamma, name: `x.${alpha.name}` }),
    ),
    "a delegation whose signature is another's": lent(
      { payload, claims: window, signer: beta.signer, kid: alpha.signer.kid },
      "signature_invalid",
    ),
    "a delegation without expiry": lent({ payload, claims: { 2: alpha.name } }, "schema_mismatch"),
    "a delegation for more than a day": lent(
      { payload, claims: { 2: alpha.name, 4: now + 86_401 } },
      "schema_mismatch",
    ),
    "a delegation to a name beside the issuer's": lent(
      { payload, claims: { 2: organisation.name, 4: now + 60 } },
      "schema_mismatch",
    ),
    "a delegation for no type": lent(
      { payload: encodeCbor({ key, types: [] }), claims: window },
      "schema_mismatch",
    ),
    "a delegation of a key of small order": lent(
      {
        payload: encodeCbor({ key: new Map([...key, [-2, new Uint8Array(32)]]), types: [testType] }),
        claims: window,
      },
      "schema_mismatch",
    ),
    "a statement of another type in place of a delegation": under("type_unexpected", forge()),
    "a key that may not delegate, and did": {
      bytes: forge({ signer: delta.signer }),
      delegations: [lend(alpha, gamma), lend(gamma, delta)],
      code: "delegation_type",
    },
    "four delegations": {
      bytes: forge({ signer: delta.signer }),
      delegations: longChain(),
      code: "issuer_untrusted",
    },
    "a key that lends itself": under(
      "issuer_untrusted",
      lend(gamma, gamma, { types: [testType, delegationType] }),
    ),
  };
}

function badTimes(): Record<string, BadCase> {
  return {
    "issued 121 seconds ahead": { bytes: forge({ claims: { 6: now + 121 } }), code: "issued_in_future" },
    "good in 121 seconds": { bytes: forge({ claims: { 5: now + 121 } }), code: "not_yet_valid" },
    "the second in which it expires": {
      bytes: forge({ claims: { 4: now + 60 } }),
      asOf: now + 60,
      code: "expired",
    },
    "for another audience": { bytes: forge({ claims: { 3: beta.name } }), code: "audience_other" },
    "for an audience, and nobody in particular asks": {
      bytes: forge({ claims: { 3: beta.name } }),
      audience: alpha.name,
      code: "audience_other",
    },
    "expired, and changed as well: the signature comes first": {
      bytes: forge({ claims: { 4: now + 1 }, spoil: () => new Uint8Array(64) }),
      asOf: now + 60,
      code: "signature_invalid",
    },
  };
}

/** Four keys between the root and the signer. */
function longChain(): readonly Uint8Array[] {
  const links = ["link 1", "link 2", "link 3"].map((text) => ({ name: alpha.name, signer: signerOf(text) }));
  const keys = [alpha, ...links, delta];
  return keys.slice(1).map((to, at) => lend(keys[at] ?? alpha, to, { types: [testType, delegationType] }));
}

/** An envelope of exactly so many bytes. */
function sized(length: number): Uint8Array {
  const plain = forge({ payload: encodeCbor(new Uint8Array(3_000)) });
  return forge({ payload: encodeCbor(new Uint8Array(3_000 + length - plain.length)) });
}

/** The same signature with the order of the base point added to S. */
function addOrder(signature: Uint8Array): Uint8Array {
  const order = 2n ** 252n + 27_742_317_777_372_353_535_851_937_790_883_648_493n;
  const s = BigInt(`0x${toHex(signature.slice(32).reverse())}`) + order;
  return Uint8Array.of(
    ...signature.subarray(0, 32),
    ...Buffer.from(s.toString(16).padStart(64, "0"), "hex").reverse(),
  );
}

export function envelopeVectors(): Readonly<Record<"good" | "bad", VectorFile>> {
  const about = "spec/evidence.md §1, §2. Statements of the type application/vnd.catalyst.test+cbor";
  return {
    good: { about: `${about} that are accepted.`, vectors: notation(good) },
    bad: { about: `${about} that are refused with \`code\`.`, vectors: notation(bad) },
  };
}

function notation(cases: Readonly<Record<string, Case | BadCase>>): readonly object[] {
  return Object.entries(cases).map(([name, { bytes, roots, delegations, asOf, audience, ...result }]) => ({
    name,
    roots: (roots ?? [alphaRoot]).map(rootNotation),
    ...(delegations === undefined ? {} : { delegations: delegations.map(toHex) }),
    asOf: asOf ?? now,
    ...(audience === undefined ? {} : { audience }),
    hex: toHex(bytes),
    ...result,
  }));
}
