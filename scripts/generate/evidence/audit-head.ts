import { type AuditHead, formatAuditHead, signAuditHead, statementType } from "@catalyst/evidence";
import { encodeCbor } from "@catalyst/wire";
import { type Forgery, forge } from "../../../packages/evidence/test/forge.ts";
import { alpha, beta, nonceOf, now } from "../../../packages/evidence/test/parties.ts";
import { toHex } from "../../../packages/wire/test/hex.ts";
import type { VectorFile } from "../wire-vectors.ts";
import { alphaRoot, rootNotation } from "./parties.ts";

const head: AuditHead = { seq: 42, digest: new Uint8Array(32).fill(7) };
const empty: AuditHead = { seq: 0, digest: new Uint8Array(32) };
const claims = { issuer: alpha.name, issuedAt: now, nonce: nonceOf("audit head") };

type Good = { readonly bytes: Uint8Array; readonly head: AuditHead; readonly audience?: string };

const good: Readonly<Record<string, Good>> = {
  "a head": { bytes: signAuditHead(alpha.signer, head, claims), head },
  "the head of an empty log": { bytes: signAuditHead(alpha.signer, empty, claims), head: empty },
  "a head for one peer, for an hour": {
    bytes: signAuditHead(alpha.signer, head, { ...claims, audience: beta.name, expiresAt: now + 3_600 }),
    audience: beta.name,
    head,
  },
};

const said = (value: Parameters<typeof encodeCbor>[0], forgery: Forgery = {}): Uint8Array =>
  forge({
    type: statementType.auditHead,
    payload: encodeCbor(value),
    ...forgery,
    claims: { 2: "audit", ...forgery.claims },
  });

const bad: Readonly<Record<string, { readonly bytes: Uint8Array; readonly code: string }>> = {
  "a statement of another type": {
    bytes: said({ ...head }, { type: statementType.receipt }),
    code: "type_unexpected",
  },
  "another subject": {
    bytes: said({ ...head }, { claims: { 2: "audit-head" } }),
    code: "subject_unexpected",
  },
  "a digest of 31 bytes": { bytes: said({ ...head, digest: new Uint8Array(31) }), code: "schema_mismatch" },
  "a negative number": { bytes: said({ ...head, seq: -1 }), code: "schema_mismatch" },
  "no number": { bytes: said({ digest: head.digest }), code: "schema_mismatch" },
  "a member that is not known": { bytes: said({ ...head, at: 0 }), code: "schema_mismatch" },
  "the text of a head": { bytes: said(formatAuditHead(head)), code: "schema_mismatch" },
  "another subject, and no number: the payload comes first": {
    bytes: said({ digest: head.digest }, { claims: { 2: "test" } }),
    code: "schema_mismatch",
  },
  "a head that expired": { bytes: said({ ...head }, { claims: { 4: now, 6: now - 60 } }), code: "expired" },
  "a head for an audience": {
    bytes: said({ ...head }, { claims: { 3: beta.name } }),
    code: "audience_other",
  },
};

/** Text that is no head: spec/evidence.md §7.1. */
const badTexts: Readonly<Record<string, string>> = {
  "a number with a zero before it": `01:${"00".repeat(32)}`,
  "a number with a sign": `+1:${"00".repeat(32)}`,
  "no number before the colon": `:${"00".repeat(32)}`,
  "a number beyond 2^53 - 1": `9007199254740992:${"00".repeat(32)}`,
  "a digest in upper case": `1:${"AB".repeat(32)}`,
  "63 digits of a digest": `1:${"0".repeat(63)}`,
  "65 digits of a digest": `1:${"0".repeat(65)}`,
  "no digest": "1",
  "a line break after the digest": `1:${"00".repeat(32)}\n`,
  "no text": "",
};

export function auditHeadVectors(): Readonly<Record<"good" | "bad", VectorFile>> {
  const given = { roots: [rootNotation(alphaRoot)], asOf: now };
  return {
    good: {
      about: "spec/evidence.md §7.2. Statements of heads, and the head as text.",
      vectors: Object.entries(good).map(([name, { bytes, head, ...asked }]) => ({
        name,
        ...given,
        ...asked,
        hex: toHex(bytes),
        head: formatAuditHead(head),
      })),
    },
    bad: {
      about: "spec/evidence.md §7.1, §7.2. Statements and texts of heads that are refused with `code`.",
      vectors: [
        ...Object.entries(bad).map(([name, { bytes, code }]) => ({
          name,
          ...given,
          hex: toHex(bytes),
          code,
        })),
        ...Object.entries(badTexts).map(([name, text]) => ({ name, text, code: "schema_mismatch" })),
      ],
    },
  };
}
