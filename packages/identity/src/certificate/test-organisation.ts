import { generateKeyPairSync, type KeyObject } from "node:crypto";
import { type DomainRoot, domainRoot } from "../admission/peer-trust.ts";
import type { SpiffeId } from "../spiffe-id.ts";
import {
  type CertificateAuthority,
  createIssuingCertificate,
  createRootCertificate,
  issueLeaf,
  selfSignLeaf,
} from "./authority.ts";
import { toPem } from "./pem.ts";

/** A chain, the leaf first, and the leaf's key, as `node:tls` takes them: PEM. */
export type TestIdentity = {
  readonly cert: string;
  readonly key: string;
  /** DER, the leaf first. */
  readonly chain: readonly Uint8Array[];
};

/** An organisation whose keys the test has. */
export type TestOrganisation = {
  readonly domain: string;
  readonly root: DomainRoot;
  readonly rootAuthority: CertificateAuthority;
  readonly issuing: CertificateAuthority;
  /** A certificate of a process, good from `now`, in milliseconds since 1970, for `lifetimeMs`. */
  issue(node: string, process: string, when?: { now?: number; lifetimeMs?: number }): Promise<TestIdentity>;
};

export const newSecret = (namedCurve: "P-256" | "P-384" = "P-256"): KeyObject =>
  generateKeyPairSync("ec", { namedCurve }).privateKey;

export async function createTestOrganisation(domain: string): Promise<TestOrganisation> {
  const now = Date.now();
  const rootSecret = newSecret("P-384");
  const rootAuthority = {
    secret: rootSecret,
    certificate: await createRootCertificate(rootSecret, { domain, now }),
  };
  const issuing = await issuingBelow(rootAuthority, domain);
  return {
    domain,
    root: domainRoot(domain, rootAuthority.certificate),
    rootAuthority,
    issuing,
    issue: (node, process, when) => issueBelow(issuing, { domain, node, process }, when),
  };
}

/** An issuing authority for the names of a domain, whosever root signs it. */
export async function issuingBelow(
  root: CertificateAuthority,
  domain: string,
): Promise<CertificateAuthority> {
  const secret = newSecret();
  return { secret, certificate: await createIssuingCertificate(root, secret, { domain, now: Date.now() }) };
}

/** A leaf with these names, whatever the authority may sign. */
export async function issueBelow(
  issuing: CertificateAuthority,
  id: SpiffeId,
  { now = Date.now(), lifetimeMs = 3_600_000 }: { now?: number; lifetimeMs?: number } = {},
): Promise<TestIdentity> {
  const secret = newSecret();
  const leaf = await issueLeaf(issuing, secret, { id, now, lifetimeMs });
  return identityOf([leaf, issuing.certificate], secret);
}

/** A node that nobody issued a certificate to. */
export async function selfSigned(id: SpiffeId, now = Date.now()): Promise<TestIdentity> {
  const secret = newSecret();
  return identityOf([await selfSignLeaf(secret, { id, now, lifetimeMs: 3_600_000 })], secret);
}

function identityOf(chain: readonly Uint8Array[], secret: KeyObject): TestIdentity {
  const cert = chain.map((der) => toPem("CERTIFICATE", der)).join("");
  return { cert, key: secret.export({ type: "pkcs8", format: "pem" }).toString(), chain };
}
