// What somebody makes who wants to be somebody else: requests for certificates, and certificates.
import { createPrivateKey, webcrypto } from "node:crypto";
import { fromPem, toPem } from "@catalyst/identity";
import {
  createTestOrganisation,
  issueBelow,
  issuingBelow,
  selfSigned,
  type TestOrganisation,
} from "@catalyst/identity/testing";
import type { Shown } from "./stranger.ts";

/** A request for a certificate that asks for all that it should not be given. */
export async function greedyRequest(domain: string): Promise<Uint8Array> {
  await import("reflect-metadata");
  const x509 = await import("@peculiar/x509");
  const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
  const made = await x509.Pkcs10CertificateRequestGenerator.create({
    name: "CN=root of everything, O=globex",
    signingAlgorithm: algorithm,
    keys: keys as never,
    extensions: [
      new x509.BasicConstraintsExtension(true, 5, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      new x509.ExtendedKeyUsageExtension(["2.5.29.37.0"], true),
      new x509.SubjectAlternativeNameExtension([
        { type: "url", value: `spiffe://${domain}/node/n1/authority` },
        { type: "url", value: `spiffe://globex.example/node/n1/orchestrator` },
        { type: "dns", value: `n1.${domain}` },
        { type: "dns", value: "*" },
        { type: "ip", value: "127.0.0.1" },
        { type: "email", value: `root@${domain}` },
      ]),
    ],
  });
  return new Uint8Array(made.rawData);
}

/** The same names asked for by keys that no certificate of ours has. */
export async function foreignRequests(): Promise<readonly [what: string, request: Uint8Array][]> {
  const x509 = await import("@peculiar/x509");
  const made = async (algorithm: object): Promise<Uint8Array> => {
    const keys = await webcrypto.subtle.generateKey(algorithm as never, true, ["sign", "verify"]);
    const parts = { name: "CN=n7", signingAlgorithm: algorithm, keys } as never;
    return new Uint8Array((await x509.Pkcs10CertificateRequestGenerator.create(parts)).rawData);
  };
  const publicExponent = Uint8Array.of(1, 0, 1);
  const rsa = (modulusLength: number, hash: string) => ({
    name: "RSASSA-PKCS1-v1_5",
    modulusLength,
    publicExponent,
    hash,
  });
  return [
    ["RSA of 1024 bits", await made(rsa(1_024, "SHA-1"))],
    ["RSA of 4096 bits", await made(rsa(4_096, "SHA-256"))],
    ["P-384", await made({ name: "ECDSA", namedCurve: "P-384", hash: "SHA-384" })],
    ["P-256 with SHA-1", await made({ name: "ECDSA", namedCurve: "P-256", hash: "SHA-1" })],
    ["Ed25519", await made({ name: "Ed25519" })],
  ];
}

/** A certificate, and the full name that whoever shows it says to have. */
export type Posing = Shown & { readonly node: string };

/**
 * Certificates of a process under names of an organisation that did not give them. `member` is one that it gave to some
 * node, `other` another organisation, whose root somebody has.
 */
export async function forgeries(
  process: string,
  domain: string,
  member: Shown,
  other: TestOrganisation,
): Promise<Readonly<Record<string, Posing>>> {
  const id = { domain, node: "n5", process };
  const stranger = await createTestOrganisation(domain);
  const [leaf = new Uint8Array(), issuing = new Uint8Array()] = fromPem("CERTIFICATE", member.cert);
  const acting = { certificate: leaf, secret: createPrivateKey(member.key) };
  const below = await issueBelow(acting, { ...id, node: "n6" });
  const ours = await issuingBelow(other.rootAuthority, domain);
  const of = ({ cert, key }: Shown, node = `n5.${domain}`) => ({ cert, key, node });
  return {
    "a foreign authority with our names": of(await stranger.issue("n5", process)),
    "another organisation's root that signs in our name": of(await issueBelow(ours, id)),
    "another organisation's issuing authority that signs in our name": of(
      await issueBelow(other.issuing, id),
    ),
    "a certificate of its own making": of(await selfSigned(id)),
    "a node's certificate that acts as an authority": of(
      { ...below, cert: below.cert + toPem("CERTIFICATE", issuing) },
      `n6.${domain}`,
    ),
  };
}
