import { type KeyObject, X509Certificate } from "node:crypto";
import { element, sequence } from "../der.ts";
import { IdentityError } from "../errors.ts";
import type { SpiffeId } from "../spiffe-id.ts";
import {
  distinguishedName,
  leafExtensions,
  loadX509,
  newSerial,
  signatureAlgorithm,
  signingHandle,
  verifyingHandle,
  type X509Library,
} from "./x509.ts";

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;

/** How long certificates are good. A leaf's is also the most that one may ask for. */
export const certificateLifetimes = { rootMs: 3_650 * dayMs, issuingMs: 365 * dayMs, leafMs: dayMs } as const;

/** Certificates are good from this long before they are made: the clocks of others may be behind. */
export const backdateMs = 60_000;

/** A certificate and the key that signs below it. */
export type CertificateIssuer = {
  /** DER. */
  readonly certificate: Uint8Array;
  readonly secret: KeyObject;
};

type Issuance = {
  readonly domain: string;
  /** Milliseconds since 1970. */
  readonly now: number;
  readonly lifetimeMs?: number;
};

/**
 * The certificate of an organisation's root, self-signed: spec/enrolment.md §1.1. Throws {@link IdentityError}
 * `key_algorithm` for another key than a P-384 one.
 */
export async function createRootCertificate(
  secret: KeyObject,
  { domain, now, lifetimeMs }: Issuance,
): Promise<Uint8Array> {
  if (secret.asymmetricKeyDetails?.namedCurve !== "secp384r1") {
    throw new IdentityError("key_algorithm", "the key of a root authority is a P-384 key");
  }
  const x509 = await loadX509();
  const publicKey = verifyingHandle(secret);
  const serialNumber = newSerial();
  const made = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber,
    name: distinguishedName(`root ${serialNumber.slice(0, 8)}`, domain),
    ...validity(now, lifetimeMs ?? certificateLifetimes.rootMs),
    signingAlgorithm: signatureAlgorithm(secret),
    keys: { privateKey: signingHandle(secret), publicKey },
    extensions: [
      new x509.BasicConstraintsExtension(true, 1, true),
      authorityUsage(x509),
      await x509.SubjectKeyIdentifierExtension.create(publicKey),
    ],
  });
  return new Uint8Array(made.rawData);
}

/**
 * The certificate of an issuing authority: it signs leaves alone, and only for names of its own domain. It never
 * outlives its root.
 */
export async function createIssuingCertificate(
  root: CertificateIssuer,
  publicKey: KeyObject,
  { domain, now, lifetimeMs = certificateLifetimes.issuingMs }: Issuance,
): Promise<Uint8Array> {
  const x509 = await loadX509();
  const serialNumber = newSerial();
  return sign(root, publicKey, {
    serialNumber,
    subject: distinguishedName(`issuing ${serialNumber.slice(0, 8)}`, domain),
    now,
    lifetimeMs,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      authorityUsage(x509),
      nameConstraints(x509, domain),
    ],
  });
}

/** The certificate of a process, spec/enrolment.md §1.3: of the names given here, whatever somebody asked for. */
export async function issueLeaf(
  issuing: CertificateIssuer,
  publicKey: KeyObject,
  { id, now, lifetimeMs = certificateLifetimes.leafMs }: Omit<Issuance, "domain"> & { readonly id: SpiffeId },
): Promise<Uint8Array> {
  const x509 = await loadX509();
  return sign(issuing, publicKey, {
    serialNumber: newSerial(),
    subject: distinguishedName(id.node, id.domain),
    now,
    lifetimeMs: Math.min(lifetimeMs, certificateLifetimes.leafMs),
    extensions: leafExtensions(x509, id),
  });
}

/** A certificate that a node signs for itself, for peers that pin its thumbprint: spec/enrolment.md §1.4. */
export async function selfSignLeaf(
  secret: KeyObject,
  { id, now, lifetimeMs }: { readonly id: SpiffeId; readonly now: number; readonly lifetimeMs: number },
): Promise<Uint8Array> {
  const x509 = await loadX509();
  const made = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: newSerial(),
    name: distinguishedName(id.node, id.domain),
    ...validity(now, lifetimeMs),
    signingAlgorithm: signatureAlgorithm(secret),
    keys: { privateKey: signingHandle(secret), publicKey: verifyingHandle(secret) },
    extensions: leafExtensions(x509, id),
  });
  return new Uint8Array(made.rawData);
}

type Content = {
  readonly serialNumber: string;
  readonly subject: string;
  readonly now: number;
  readonly lifetimeMs: number;
  readonly extensions: InstanceType<X509Library["Extension"]>[];
};

async function sign(
  authority: CertificateIssuer,
  publicKey: KeyObject,
  { serialNumber, subject, now, lifetimeMs, extensions }: Content,
): Promise<Uint8Array> {
  const x509 = await loadX509();
  const issuer = new x509.X509Certificate(new Uint8Array(authority.certificate));
  const handle = verifyingHandle(publicKey);
  const { notBefore, notAfter } = validity(now, lifetimeMs);
  const end = new X509Certificate(authority.certificate).validToDate.getTime();
  const made = await x509.X509CertificateGenerator.create({
    serialNumber,
    subject,
    issuer: issuer.subject,
    notBefore,
    notAfter: new Date(Math.min(notAfter.getTime(), end)),
    signingAlgorithm: signatureAlgorithm(authority.secret),
    publicKey: handle,
    signingKey: signingHandle(authority.secret),
    extensions: [
      ...extensions,
      await x509.SubjectKeyIdentifierExtension.create(handle),
      await x509.AuthorityKeyIdentifierExtension.create(verifyingHandle(authority.secret)),
    ],
  });
  return new Uint8Array(made.rawData);
}

function authorityUsage(x509: X509Library) {
  return new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true);
}

/**
 * RFC 5280 §4.2.1.10: names of DNS below the domain, identifiers of its processes, and no address at all. The library
 * has no form for it.
 */
function nameConstraints(x509: X509Library, domain: string) {
  const subtree = (tag: number, base: Uint8Array) => sequence(element(tag, base));
  const permitted = [subtree(0x82, Buffer.from(`.${domain}`)), subtree(0x86, Buffer.from(domain))];
  const excluded = [subtree(0x87, Buffer.alloc(8)), subtree(0x87, Buffer.alloc(32))];
  const value = sequence(element(0xa0, Buffer.concat(permitted)), element(0xa1, Buffer.concat(excluded)));
  return new x509.Extension("2.5.29.30", true, new Uint8Array(value));
}

/** Whole seconds: certificates have no finer ones. */
function validity(now: number, lifetimeMs: number): { notBefore: Date; notAfter: Date } {
  const seconds = (ms: number) => new Date(Math.floor(ms / 1_000) * 1_000);
  return { notBefore: seconds(now - backdateMs), notAfter: seconds(now + lifetimeMs) };
}
