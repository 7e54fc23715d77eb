import { hash, X509Certificate } from "node:crypto";
import type { TLSSocket } from "node:tls";
import { tokenKid } from "../kid.ts";
import { publicKeyOf } from "../private-key.ts";
import type { Kid } from "../public-key.ts";
import { parseSpiffeId, type SpiffeId } from "../spiffe-id.ts";

/** What is looked at of a peer's certificate to decide whether it is admitted: spec/enrolment.md §2. */
export type PeerCertificate = {
  /** Null when the certificate names no process, or more than one. */
  readonly id: SpiffeId | null;
  /** Its names of DNS. */
  readonly dnsNames: readonly string[];
  /** SHA-256 of its DER, base64url. */
  readonly thumbprint: string;
  /** The RFC 7638 thumbprint of its key; null for a key that no certificate of ours has. */
  readonly keyThumbprint: Kid | null;
  /** Hexadecimal digits in lower case. */
  readonly serial: string;
  /** Milliseconds since 1970. */
  readonly notBefore: number;
  readonly notAfter: number;
  /** The thumbprint of the root that its chain ends at; its own when it is self-signed, null when there is none. */
  readonly root: string | null;
};

/** Leaf, issuing authority, root: longer chains are nobody's. */
const maxChain = 3;

/** SHA-256 of a certificate's DER, base64url: the `x5t#S256` of RFC 7515. */
export function thumbprintOf(der: Uint8Array): string {
  return hash("sha256", der, "base64url");
}

/**
 * Reads a chain, the leaf first, as it came in a handshake that TLS has validated, and finds out which of the roots it
 * ends at. Each step is verified once more with the key of the next: the handshake says that one of all roots is at the
 * end, and not which. Null when the leaf is no certificate.
 */
export function readPeerCertificate(
  chain: readonly Uint8Array[],
  roots: readonly Uint8Array[],
): PeerCertificate | null {
  const path = chain.slice(0, maxChain).map(parsed);
  const [leaf] = path;
  if (leaf === undefined || leaf === null) return null;
  const names = namesOf(leaf);
  return {
    id: names === null ? null : onlyId(names),
    dnsNames: names?.filter(([kind]) => kind === "DNS").map(([, name]) => name) ?? [],
    thumbprint: thumbprintOf(leaf.raw),
    keyThumbprint: keyThumbprintOf(leaf),
    serial: leaf.serialNumber.toLowerCase(),
    notBefore: leaf.validFromDate.getTime(),
    notAfter: leaf.validToDate.getTime(),
    root: rootOf(path, roots),
  };
}

/** The chain of a peer, the leaf first, as the socket's handshake has it; empty when the peer showed none. */
export function chainOf(socket: TLSSocket): readonly Uint8Array[] {
  const chain: Uint8Array[] = [];
  let at = socket.getPeerX509Certificate();
  while (at !== undefined && chain.length < maxChain) {
    chain.push(at.raw);
    at = at.issuerCertificate;
  }
  return chain;
}

function parsed(der: Uint8Array): X509Certificate | null {
  try {
    return new X509Certificate(der);
  } catch {
    return null;
  }
}

/** The subject's alternative names; null where one is of another kind, or of characters that ours never have. */
function namesOf({ subjectAltName }: X509Certificate): (readonly [string, string])[] | null {
  if (subjectAltName === undefined) return null;
  const read = subjectAltName.split(", ").map((text) => /^(URI|DNS):([a-z0-9./:-]+)$/.exec(text));
  if (read.some((match) => match === null)) return null;
  return read.map((match) => [match?.[1] ?? "", match?.[2] ?? ""] as const);
}

function onlyId(names: readonly (readonly [string, string])[]): SpiffeId | null {
  const uris = names.filter(([kind]) => kind === "URI");
  return uris.length === 1 ? parseSpiffeId(uris[0]?.[1] ?? "") : null;
}

function keyThumbprintOf({ publicKey }: X509Certificate): Kid | null {
  return publicKey.asymmetricKeyDetails?.namedCurve === "prime256v1"
    ? tokenKid(publicKeyOf(publicKey))
    : null;
}

/** Walks up, one signature after the other. */
function rootOf(path: readonly (X509Certificate | null)[], roots: readonly Uint8Array[]): string | null {
  const anchors = roots.map(parsed).filter((root) => root !== null);
  const [leaf] = path;
  if (leaf && isSelfSigned(leaf)) return thumbprintOf(leaf.raw);
  for (const [at, certificate] of path.entries()) {
    if (certificate === null) return null;
    const anchor = anchors.find((root) => isIssuedBy(certificate, root) && root.ca);
    if (anchor !== undefined) return thumbprintOf(anchor.raw);
    const next = path[at + 1];
    if (next === undefined || next === null || !next.ca || !isIssuedBy(certificate, next)) return null;
  }
  return null;
}

/** The key of a leaf may sign no certificates, and so is none's issuer for Node: its own is the exception. */
export function isSelfSigned(certificate: X509Certificate): boolean {
  return certificate.subject === certificate.issuer && certificate.verify(certificate.publicKey);
}

function isIssuedBy(certificate: X509Certificate, issuer: X509Certificate): boolean {
  return certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey);
}
