import { createPublicKey, type KeyObject, randomBytes } from "node:crypto";
import { formatSpiffeId, nodeNameOf, type SpiffeId } from "../spiffe-id.ts";

// The library builds requests, certificates and revocation lists here, and reads nothing: what others send is read by
// Node, and paths are validated by Node's TLS and by Envoy.

/** It is large, and most processes never need it. */
export async function loadX509() {
  await import("reflect-metadata"); // which the next one takes for granted
  return import("@peculiar/x509");
}

export type X509Library = Awaited<ReturnType<typeof loadX509>>;

const hashes = { "P-256": "SHA-256", "P-384": "SHA-384" } as const;
type Curve = keyof typeof hashes;

/** How a key signs certificates, in the terms of Web Crypto. */
export function signatureAlgorithm(key: KeyObject) {
  const curve: Curve = key.asymmetricKeyDetails?.namedCurve === "secp384r1" ? "P-384" : "P-256";
  return { name: "ECDSA", namedCurve: curve, hash: hashes[curve] };
}

export function signingHandle(key: KeyObject): CryptoKey {
  return key.toCryptoKey(signatureAlgorithm(key), false, ["sign"]) as CryptoKey;
}

export function verifyingHandle(key: KeyObject): CryptoKey {
  const open = key.type === "public" ? key : createPublicKey(key);
  return open.toCryptoKey(signatureAlgorithm(open), true, ["verify"]) as CryptoKey;
}

/** 128 bits that nobody can guess, as 32 hexadecimal digits: positive, and of one length. */
export function newSerial(): string {
  const bytes = randomBytes(16);
  bytes[0] = ((bytes[0] ?? 0) & 0x3f) | 0x40;
  return bytes.toString("hex");
}

/** A distinguished name below an organisation's, RFC 2247: its domain has any length there. */
export function distinguishedName(commonName: string, domain: string): string {
  return [`CN=${commonName}`, ...domain.split(".").map((label) => `DC=${label}`)].join(",");
}

/** What the certificate of a process says, whoever signs it: spec/enrolment.md §1. */
export function leafExtensions(x509: X509Library, id: SpiffeId) {
  return [
    new x509.BasicConstraintsExtension(false, undefined, true),
    new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
    new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth, x509.ExtendedKeyUsage.clientAuth]),
    new x509.SubjectAlternativeNameExtension([
      { type: "url", value: formatSpiffeId(id) },
      { type: "dns", value: nodeNameOf(id) },
    ]),
  ];
}
