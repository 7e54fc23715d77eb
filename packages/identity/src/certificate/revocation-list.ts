import { X509Certificate } from "node:crypto";
import type { CertificateIssuer } from "./authority.ts";
import { toPem } from "./pem.ts";
import { loadX509, signatureAlgorithm, signingHandle } from "./x509.ts";

export type RevokedCertificate = {
  /** Hexadecimal digits. */
  readonly serial: string;
  /** Milliseconds since 1970. */
  readonly revokedAt: number;
};

/**
 * A revocation list (RFC 5280 §5) in PEM, for Envoy's validation contexts. Two traps are minded: the label is
 * `X509 CRL`, and each entry has a reason, without which Envoy refuses everybody. Envoy asks for a list of every
 * authority as soon as it has one of any: the root signs an empty one.
 */
export async function createRevocationList(
  authority: CertificateIssuer,
  revoked: readonly RevokedCertificate[],
  { now, lifetimeMs }: { readonly now: number; readonly lifetimeMs: number },
): Promise<string> {
  const x509 = await loadX509();
  const issuer = new x509.X509Certificate(new Uint8Array(authority.certificate));
  const number = new x509.Extension("2.5.29.20", false, crlNumber(now));
  const key = await x509.AuthorityKeyIdentifierExtension.create(issuer.publicKey);
  const list = await x509.X509CrlGenerator.create({
    issuer: issuer.subject,
    thisUpdate: new Date(now),
    nextUpdate: new Date(
      Math.min(now + lifetimeMs, new X509Certificate(authority.certificate).validToDate.getTime()),
    ),
    entries: revoked.map(({ serial, revokedAt }) => {
      return {
        serialNumber: serial,
        revocationDate: new Date(revokedAt),
        reason: x509.X509CrlReason.privilegeWithdrawn,
      };
    }),
    extensions: [key, number],
    signingAlgorithm: signatureAlgorithm(authority.secret),
    signingKey: signingHandle(authority.secret),
  });
  return toPem("X509 CRL", new Uint8Array(list.rawData));
}

/** A list's number grows with time: the second it was made in, as an INTEGER of five bytes. */
function crlNumber(now: number): ArrayBuffer {
  const value = Buffer.alloc(7);
  value.set([0x02, 0x05]);
  value.writeUIntBE(Math.floor(now / 1_000), 2, 5);
  return new Uint8Array(value).buffer;
}
