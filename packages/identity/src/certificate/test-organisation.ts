import { generateKeyPairSync, type KeyObject } from "node:crypto";
import { type DomainRoot, domainRoot } from "../admission/peer-trust.ts";
import { formatSpiffeId, type SpiffeId } from "../spiffe-id.ts";
import {
  type CertificateIssuer,
  createIssuingCertificate,
  createRootCertificate,
  issueLeaf,
  selfSignLeaf,
} from "./authority.ts";
import { toPem } from "./pem.ts";
import { loadX509, newSerial, signatureAlgorithm, signingHandle, verifyingHandle } from "./x509.ts";

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
  readonly rootAuthority: CertificateIssuer;
  readonly issuing: CertificateIssuer;
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
export async function issuingBelow(root: CertificateIssuer, domain: string): Promise<CertificateIssuer> {
  const secret = newSecret();
  return { secret, certificate: await createIssuingCertificate(root, secret, { domain, now: Date.now() }) };
}

/** A leaf with these names, whatever the authority may sign. */
export async function issueBelow(
  issuing: CertificateIssuer,
  id: SpiffeId,
  { now = Date.now(), lifetimeMs = 3_600_000 }: { now?: number; lifetimeMs?: number } = {},
): Promise<TestIdentity> {
  const secret = newSecret();
  const leaf = await issueLeaf(issuing, secret, { id, now, lifetimeMs });
  return identityOf([leaf, issuing.certificate], secret);
}

/** A certificate of several processes at once, which no authority of ours gives. */
export async function issueForSeveral(
  authority: CertificateIssuer,
  ids: readonly SpiffeId[],
): Promise<TestIdentity> {
  const x509 = await loadX509();
  const secret = newSecret();
  const now = Date.now();
  const names = ids.map((id) => ({ type: "url" as const, value: formatSpiffeId(id) }));
  const made = await x509.X509CertificateGenerator.create({
    serialNumber: newSerial(),
    subject: "CN=several",
    issuer: new x509.X509Certificate(new Uint8Array(authority.certificate)).subject,
    notBefore: new Date(now - 60_000),
    notAfter: new Date(now + 3_600_000),
    signingAlgorithm: signatureAlgorithm(authority.secret),
    publicKey: verifyingHandle(secret),
    signingKey: signingHandle(authority.secret),
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.SubjectAlternativeNameExtension(names),
    ],
  });
  return identityOf([new Uint8Array(made.rawData)], secret);
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
