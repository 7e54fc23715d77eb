import { X509Certificate } from "node:crypto";
import { isSelfSigned, readPeerCertificate, thumbprintOf } from "../certificate/peer-certificate.ts";
import { fromPem, toPem } from "../certificate/pem.ts";
import { IdentityError } from "../errors.ts";

/** A root that is believed for the names of one organisation, and of no other. */
export type DomainRoot = {
  readonly domain: string;
  /** DER. */
  readonly certificate: Uint8Array;
  readonly thumbprint: string;
};

/** A certificate that a node has signed for itself, believed for that node alone. */
export type PinnedCertificate = DomainRoot & { readonly node: string };

/** A node that is admitted no more; with a `serial`, only that certificate of it. */
export type Denial = { readonly domain: string; readonly node: string; readonly serial: string | null };

/** Who is believed, at every door alike. */
export type PeerTrust = {
  readonly roots: readonly DomainRoot[];
  readonly pinned: readonly PinnedCertificate[];
  readonly denied: readonly Denial[];
};

/** The root of an organisation. Throws {@link IdentityError} `certificate_unusable` for another certificate than a root's. */
export function domainRoot(domain: string, certificate: Uint8Array): DomainRoot {
  const parsed = parseCertificate(certificate);
  if (!parsed.ca || !isSelfSigned(parsed)) {
    return unusable(`it is not the self-signed certificate of an authority, as the root of ${domain} is`);
  }
  return { domain, certificate, thumbprint: thumbprintOf(certificate) };
}

/** A node's self-signed certificate, which says itself whose it is. Throws {@link IdentityError} `certificate_unusable`. */
export function pinnedCertificate(certificate: Uint8Array): PinnedCertificate {
  parseCertificate(certificate);
  const read = readPeerCertificate([certificate], []);
  if (read === null || read.id === null || read.root !== read.thumbprint) {
    return unusable("it is not a self-signed certificate that names one process of one node");
  }
  const { domain, node } = read.id;
  return { domain, node, certificate, thumbprint: read.thumbprint };
}

/** Reads the certificates of a file, PEM. Throws {@link IdentityError} `certificate_unusable` when there is none. */
export function readCertificates(text: string): readonly Uint8Array[] {
  const found = fromPem("CERTIFICATE", text);
  if (found.length === 0) return unusable("there is no certificate in PEM");
  for (const each of found) parseCertificate(each);
  return found;
}

/** What TLS validates chains by, in Node (`ca`) and in Envoy (`trusted_ca`): PEM. {@link admit} does the rest. */
export function authoritiesOf({ roots, pinned }: PeerTrust): readonly string[] {
  return [...roots, ...pinned].map(({ certificate }) => toPem("CERTIFICATE", certificate));
}

function parseCertificate(der: Uint8Array): X509Certificate {
  try {
    return new X509Certificate(der);
  } catch (cause) {
    return unusable("it is damaged, or no certificate", cause);
  }
}

function unusable(why: string, cause?: unknown): never {
  throw new IdentityError("certificate_unusable", `the certificate cannot be used: ${why}`, { cause });
}
