import { z } from "@catalyst/config";
import { isLabel, isName } from "@catalyst/wire";
import { domainRoot, type PeerTrust } from "../admission/peer-trust.ts";
import { hostAddress } from "../copied-text.ts";
import { IdentityError } from "../errors.ts";
import { readTokenIssuer } from "../token.ts";
import { readTrustBundle, trustBundle } from "./trust-bundle.ts";

const timestamp = z.iso.datetime({ precision: 3 });

/** All that a node of an organisation believes about it, as its root authority says: spec/enrolment.md §5. */
export const trustDocument = z.object({
  /** Grows with every change of the rest. */
  version: z.int().min(1),
  domain: z.string().refine(isName),
  /** Where the root authority is reached: it renews certificates and signs tokens. */
  authority: z.array(hostAddress).max(8),
  /** SPIFFE trust bundle: the roots, and the keys of access tokens. */
  bundle: trustBundle,
  /** Who gives credentials of the organisation: spec/tokens.md §3. */
  issuers: z
    .array(
      z.object({
        kind: z.enum(["tokens", "apikeys"]),
        issuer: z.string(),
        audience: z.string(),
        jwks: z.string(),
        maxLifetimeMs: z.int().min(1),
      }),
    )
    .max(8),
  /** Credentials that are refused before their time, by `jti`. */
  revoked: z.array(z.object({ jti: z.string(), until: timestamp })).max(200_000),
  /** Nodes, or single certificates of them, that are admitted no more. */
  denied: z
    .array(
      z.object({
        node: z.string().refine(isLabel),
        serial: z
          .string()
          .regex(/^[0-9a-f]{1,40}$/)
          .nullable(),
        /** Null for as long as the root authority does not say otherwise. */
        until: timestamp.nullable(),
      }),
    )
    .max(200_000),
});
export type TrustDocument = z.output<typeof trustDocument>;

/**
 * Reads a document that came from the root authority, or from this node's disk. Its roots and keys are ones that can be
 * used: with a document that is read somebody is believed. Throws {@link IdentityError} `message_malformed`.
 */
export function readTrustDocument(text: string): TrustDocument {
  const malformed = (why: string, cause?: unknown) =>
    new IdentityError("message_malformed", `not a trust document: ${why}`, { cause });
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw malformed("it is no JSON", cause);
  }
  const read = trustDocument.safeParse(value);
  if (!read.success) throw malformed(z.prettifyError(read.error));
  try {
    checkContent(read.data);
  } catch (cause) {
    throw malformed(cause instanceof Error ? cause.message : String(cause), cause);
  }
  return read.data;
}

/** What has the right form and is none the less of no use: who went by it would believe nobody, for ever. */
function checkContent(document: TrustDocument): void {
  if (peerTrustOf(document).roots.length === 0) throw unusable("it has no root");
  const kids = document.issuers.flatMap((issuer) => [...readTokenIssuer(issuer).keys.keys()]);
  if (new Set(kids).size < kids.length) throw unusable("two of its issuers have one key");
}

function unusable(why: string): IdentityError {
  return new IdentityError("message_malformed", why);
}

/** Whom a node of the organisation admits by the document: holders of its roots' certificates, those denied excepted. */
export function peerTrustOf({ domain, bundle, denied }: TrustDocument): PeerTrust {
  const { roots } = readTrustBundle(bundle);
  return {
    roots: roots.map((certificate) => domainRoot(domain, certificate)),
    pinned: [],
    denied: denied.map(({ node, serial }) => ({ domain, node, serial })),
  };
}
