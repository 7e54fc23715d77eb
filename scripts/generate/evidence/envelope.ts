import { encodeCbor } from "@catalyst/wire";
import { forge } from "../../../packages/evidence/test/forge.ts";
import { alpha, beta, now, rootOf } from "../../../packages/evidence/test/parties.ts";
import { toHex } from "../../../packages/wire/test/hex.ts";
import type { VectorFile } from "../wire-vectors.ts";
import { type BadCase, type Case, longName, nested, sized } from "./envelope-case.ts";
import { badClaims, badForms, badHeaders } from "./envelope-form.ts";
import { badDelegationForms, badDelegations, badTimes, badTrust, lendSince } from "./envelope-trust.ts";
import {
  alphaRoot,
  chainOf,
  delegationType,
  delta,
  gamma,
  lend,
  organisation,
  organisationRoot,
  rootNotation,
  testType,
} from "./parties.ts";

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
  "the first second of a delegation": {
    bytes: byGamma,
    delegations: [lend(alpha, gamma, { issuedAt: now + 120 })],
  },
  "a delegation that says no beginning, in the second of its issue": {
    bytes: byGamma,
    delegations: [lendSince({ 2: alpha.name, 4: now + 60 })],
  },
  "a delegation for exactly a day, counted from its beginning": {
    bytes: byGamma,
    delegations: [lendSince({ 2: alpha.name, 4: now + 86_340, 5: now - 60, 6: now - 7_200 })],
  },
  "three delegations": {
    bytes: forge({ signer: delta.signer }),
    delegations: chainOf(["link 1", "link 2"]),
  },
  "good in 120 seconds": { bytes: forge({ claims: { 5: now + 120 } }) },
  "a type of 128 bytes that a key was lent for, among 16": {
    bytes: byGamma,
    delegations: [
      lend(alpha, gamma, {
        types: [...Array.from({ length: 14 }, (_, at) => `type/${at}`), "a".repeat(128), testType],
      }),
    ],
  },
  "a delegation that fails before one that holds": {
    bytes: byGamma,
    delegations: [lend(alpha, gamma, { types: [delegationType] }), lend(alpha, gamma)],
  },
  "a subject of 512 bytes": { bytes: forge({ claims: { 2: "ü".repeat(256) } }) },
  "an envelope of 4096 bytes": { bytes: sized(4_096) },
  "an issuer of 253 bytes, with labels of 63": {
    bytes: forge({ claims: { 1: longName } }),
    roots: [rootOf(longName, alpha.signer)],
  },
  "a payload of 1024 items, eight deep": { bytes: forge({ payload: encodeCbor(nested(8, 1_016)) }) },
};

const bad: Readonly<Record<string, BadCase>> = {
  ...badForms(),
  ...badHeaders(),
  ...badClaims(),
  ...badTrust(),
  ...badDelegations(),
  ...badDelegationForms(),
  ...badTimes(),
};

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
