import { hash } from "node:crypto";
import { statementKey, statementKid } from "@catalyst/identity";
import { type CborInput, type CborTag, decodeCbor, encodeCbor } from "@catalyst/wire";
import { type Forgery, forge } from "../../../packages/evidence/test/forge.ts";
import { alpha, beta, now } from "../../../packages/evidence/test/parties.ts";
import { toHex } from "../../../packages/wire/test/hex.ts";
import type { BadCase } from "./envelope-case.ts";
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
  testType,
} from "./parties.ts";

// Envelopes of the right form that are not to be believed: spec/evidence.md §2.

/** A y coordinate of p + 1, little-endian: that of the point with y = 1, in another form. */
const notShortest = Uint8Array.of(0xee, ...new Uint8Array(30).fill(0xff), 0x7f);

/** The order of the base point. */
const order = 2n ** 252n + 27_742_317_777_372_353_535_851_937_790_883_648_493n;

const byGamma = forge({ signer: gamma.signer });
export function badTrust(): Record<string, BadCase> {
  const flipped = (bytes: Uint8Array) => bytes.map((byte, at) => (at === 0 ? byte ^ 1 : byte));
  return {
    "a type that was not asked for": { bytes: forge({ type: delegationType }), code: "type_unexpected" },
    "a type that was not asked for, and a changed signature: the type comes first": {
      bytes: forge({ type: delegationType, spoil: flipped }),
      code: "type_unexpected",
    },
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
    "a signature whose R is a point of small order": {
      bytes: forge({ spoil: () => withNonceZero(Uint8Array.of(1, ...new Uint8Array(31))) }),
      code: "signature_invalid",
    },
    "a signature whose R is not in its shortest form": {
      bytes: forge({ spoil: () => withNonceZero(notShortest) }),
      code: "signature_invalid",
    },
    "a signature whose S is not reduced": { bytes: forge({ spoil: addOrder }), code: "signature_invalid" },
  };
}

function under(code: string, delegation: Uint8Array): BadCase {
  return { bytes: byGamma, delegations: [delegation], code };
}

export function badDelegations(): Record<string, BadCase> {
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
    "a delegation to a name above the issuer's": {
      bytes: byGamma,
      roots: [organisationRoot],
      delegations: [lend(organisation, { ...gamma, name: organisation.name })],
      code: "issuer_untrusted",
    },
    "a second before a delegation that says no beginning": under(
      "delegation_window",
      lendSince({ 2: alpha.name, 4: now + 60, 6: now + 1 }),
    ),
    "two delegations that fail: the first one's code": {
      bytes: byGamma,
      delegations: [
        lend(alpha, gamma, { types: [delegationType] }),
        lend(alpha, gamma, { issuedAt: now + 300 }),
      ],
      code: "delegation_type",
    },
    "two delegations that fail, in the other order": {
      bytes: byGamma,
      delegations: [
        lend(alpha, gamma, { issuedAt: now + 300 }),
        lend(alpha, gamma, { types: [delegationType] }),
      ],
      code: "delegation_window",
    },
    "a delegation that fails in both ways: its window comes first": under(
      "delegation_window",
      lend(alpha, gamma, { issuedAt: now + 300, types: [delegationType] }),
    ),
    "a delegation of a key that is no point of the curve": strayKey(),
    "a delegation by a key whose own delegation is over": {
      bytes: byGamma,
      roots: [organisationRoot],
      delegations: [
        lend(organisation, alpha, { types: [delegationType], issuedAt: now - 7_200 }),
        lend(alpha, gamma),
      ],
      code: "delegation_window",
    },
    "a delegation in a name that its key does not cover": {
      bytes: forge({ signer: gamma.signer, claims: { 1: beta.name } }),
      roots: [organisationRoot],
      delegations: [lend({ name: beta.name, signer: organisation.signer }, { ...gamma, name: beta.name })],
      code: "issuer_untrusted",
    },
    "two keys that lend each other": {
      bytes: byGamma,
      delegations: [
        lend(delta, gamma, { types: [testType, delegationType] }),
        lend(gamma, delta, { types: [testType, delegationType] }),
      ],
      code: "issuer_untrusted",
    },
    "a statement of another type in place of a delegation": under("type_unexpected", forge()),
    "a key that may not delegate, and did": {
      bytes: forge({ signer: delta.signer }),
      delegations: [lend(alpha, gamma), lend(gamma, delta)],
      code: "delegation_type",
    },
    "four delegations": {
      bytes: forge({ signer: delta.signer }),
      delegations: chainOf(["link 1", "link 2", "link 3"]),
      code: "issuer_untrusted",
    },
    "a key that lends itself": under(
      "issuer_untrusted",
      lend(gamma, gamma, { types: [testType, delegationType] }),
    ),
  };
}

/** Delegations that are none by themselves: spec/evidence.md §2.3. */
export function badDelegationForms(): Record<string, BadCase> {
  const lent = (forgery: Forgery, code: string): BadCase =>
    under(code, forge({ type: delegationType, ...forgery }));
  const key = new Map<number, number | Uint8Array>([
    [1, 1],
    [-1, 6],
    [-2, gamma.signer.publicKey.x],
  ]);
  const payload = encodeCbor({ key, types: [testType] });
  const lending = (content: CborInput) =>
    lent({ payload: encodeCbor(content), claims: window }, "schema_mismatch");
  const ofPoint = (point: Uint8Array) => lending({ key: new Map([...key, [-2, point]]), types: [testType] });
  const window = { 2: alpha.name, 4: now + 60 };
  return {
    "a delegation whose signature is another's": lent(
      { payload, claims: window, signer: beta.signer, kid: alpha.signer.kid },
      "signature_invalid",
    ),
    "a delegation without expiry": lent({ payload, claims: { 2: alpha.name } }, "schema_mismatch"),
    "a delegation for more than a day": lent(
      { payload, claims: { 2: alpha.name, 4: now + 86_401 } },
      "schema_mismatch",
    ),
    "a delegation for more than a day since its beginning": lent(
      { payload, claims: { 2: alpha.name, 4: now + 86_400, 5: now - 1 } },
      "schema_mismatch",
    ),
    "a delegation for an audience": lent({ payload, claims: { ...window, 3: beta.name } }, "schema_mismatch"),
    "a delegation to what is no name": lent(
      { payload, claims: { ...window, 2: `X.${alpha.name}` } },
      "schema_mismatch",
    ),
    "a delegation of a key of another kind": lending({ key: new Map([...key, [1, 2]]), types: [testType] }),
    "a delegation of a key on another curve": lending({ key: new Map([...key, [-1, 7]]), types: [testType] }),
    "a delegation to a name beside the issuer's": lent(
      { payload, claims: { 2: organisation.name, 4: now + 60 } },
      "schema_mismatch",
    ),
    "a delegation for no type": lending({ key, types: [] }),
    "a delegation for 17 types": lending({ key, types: Array.from({ length: 17 }, (_, at) => `type/${at}`) }),
    "a delegation for a type of 129 bytes": lending({ key, types: ["a".repeat(129)] }),
    "a delegation with a member that is not known": lending({ key, types: [testType], until: now }),
    "a delegation without a key": lending({ types: [testType] }),
    "a delegation of a key that names its algorithm": lending({
      key: new Map([...key, [3, -8]]),
      types: [testType],
    }),
    "a delegation of a key of 31 bytes": ofPoint(new Uint8Array(31).fill(9)),
    "a delegation of a key of small order": ofPoint(new Uint8Array(32)),
    "a delegation of a key that is not in its shortest form": ofPoint(notShortest),
  };
}

export function badTimes(): Record<string, BadCase> {
  return {
    "issued 121 seconds ahead": { bytes: forge({ claims: { 6: now + 121 } }), code: "issued_in_future" },
    "good in 121 seconds": { bytes: forge({ claims: { 5: now + 121 } }), code: "not_yet_valid" },
    "the second in which it expires": {
      bytes: forge({ claims: { 4: now + 60 } }),
      asOf: now + 60,
      code: "expired",
    },
    "for an audience, and nobody in particular asks": {
      bytes: forge({ claims: { 3: beta.name } }),
      code: "audience_other",
    },
    "for another audience": {
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

/** A statement under a key that is lent, and is no point: y = 2 has no x on the curve. */
function strayKey(): BadCase {
  const stray = statementKey(Uint8Array.of(2, ...new Uint8Array(31)));
  const signer = { ...gamma.signer, publicKey: stray, kid: statementKid(stray) };
  return {
    bytes: forge({ signer }),
    delegations: [lend(alpha, { ...gamma, signer })],
    code: "signature_invalid",
  };
}

/** A delegation to `gamma`, for statements of the tests, with these claims. */
export function lendSince(claims: Forgery["claims"] & object): Uint8Array {
  const key = new Map<number, number | Uint8Array>([
    [1, 1],
    [-1, 6],
    [-2, gamma.signer.publicKey.x],
  ]);
  return forge({ type: delegationType, payload: encodeCbor({ key, types: [testType] }), claims });
}

/**
 * A signature over `forge()` by its key with the nonce 0: for R, the neutral element in some form, the equation
 * [S]B - [k]A = R holds.
 */
function withNonceZero(r: Uint8Array): Uint8Array {
  const { value } = decodeCbor(forge()) as CborTag;
  const [protectedHeader, , payload] = value as readonly CborInput[];
  const message = encodeCbor(["Signature1", protectedHeader ?? null, new Uint8Array(), payload ?? null]);
  const secret = hash("sha512", hash("sha256", "alpha", "buffer"), "buffer").subarray(0, 32);
  secret[0] = (secret[0] ?? 0) & 0xf8;
  secret[31] = ((secret[31] ?? 0) & 0x7f) | 0x40;
  const challenge = hash("sha512", Buffer.concat([r, alpha.signer.publicKey.x, message]), "buffer");
  return Uint8Array.of(...r, ...littleEndian((numberOf(challenge) * numberOf(secret)) % order));
}

/** The same signature with the order of the base point added to S. */
function addOrder(signature: Uint8Array): Uint8Array {
  const s = numberOf(signature.subarray(32)) + order;
  return Uint8Array.of(...signature.subarray(0, 32), ...littleEndian(s));
}

function numberOf(littleEndian: Uint8Array): bigint {
  return BigInt(`0x${toHex(littleEndian.toReversed())}`);
}

function littleEndian(number: bigint): Uint8Array {
  return Buffer.from(number.toString(16).padStart(64, "0"), "hex").reverse();
}
