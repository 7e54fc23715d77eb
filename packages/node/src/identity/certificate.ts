import { createPrivateKey, webcrypto, X509Certificate } from "node:crypto";
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { replaceFileSync } from "@catalyst/durable";
import { NodeError } from "../errors.ts";

/** A certificate chain and its key, PEM. */
export type Certificate = { readonly certificate: string; readonly privateKey: string };

export type CertificateFiles = { readonly certificateFile: string; readonly privateKeyFile: string };

const generatedDays = 90;
const dayMs = 86_400_000;

/**
 * Reads a certificate and its key and checks that they fit. Throws {@link NodeError} `certificate_invalid`
 * that names the file.
 */
export function readCertificate(files: CertificateFiles): Certificate {
  const certificate = read(files.certificateFile);
  const privateKey = read(files.privateKeyFile);
  let parsed: X509Certificate;
  try {
    parsed = new X509Certificate(certificate);
  } catch (error) {
    throw invalid(files.certificateFile, "is not a PEM certificate", error);
  }
  try {
    if (!parsed.checkPrivateKey(createPrivateKey(privateKey))) {
      throw invalid(files.privateKeyFile, `is not the key of ${files.certificateFile}`);
    }
  } catch (error) {
    if (error instanceof NodeError) throw error;
    throw invalid(files.privateKeyFile, "is not an unencrypted PEM private key", error);
  }
  if (parsed.validToDate.getTime() <= Date.now()) {
    throw invalid(files.certificateFile, `expired on ${parsed.validToDate.toISOString()}`);
  }
  return { certificate, privateKey };
}

/**
 * Reads certificates of authorities: one or more in a file, PEM. Throws {@link NodeError} `certificate_invalid`
 * that names the file.
 */
export function readAuthorities(file: string): string {
  const text = read(file);
  const found = text.match(/-----BEGIN CERTIFICATE-----[\s\S]*?-----END CERTIFICATE-----/g) ?? [];
  if (found.length === 0) throw invalid(file, "holds no PEM certificate");
  for (const [at, each] of found.entries()) {
    try {
      new X509Certificate(each);
    } catch (error) {
      throw invalid(file, `cannot be used: certificate ${at + 1} of ${found.length} is damaged`, error);
    }
  }
  return `${found.join("\n")}\n`;
}

/**
 * The node's self-signed certificate: made on first use in `<dataDir>/tls`, P-256, good for the domain, every
 * name one label below it, and this machine; made anew in the last third of its 90 days.
 */
export async function generatedCertificate(dataDir: string, domain: string): Promise<Certificate> {
  const folder = join(dataDir, "tls");
  const files = {
    certificateFile: join(folder, "certificate.pem"),
    privateKeyFile: join(folder, "private-key.pem"),
  };
  if (existsSync(files.certificateFile) && existsSync(files.privateKeyFile)) {
    const kept = reusable(files, domain);
    if (kept !== null) return kept;
  }
  const made = await selfSign(domain);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  replaceFileSync(files.privateKeyFile, made.privateKey, { mode: 0o600 });
  replaceFileSync(files.certificateFile, made.certificate, { mode: 0o600 });
  return made;
}

function reusable(files: CertificateFiles, domain: string): Certificate | null {
  try {
    const kept = readCertificate(files);
    const { validToDate, subjectAltName = "" } = new X509Certificate(kept.certificate);
    const left = validToDate.getTime() - Date.now();
    const fits = subjectAltName.split(", ").includes(`DNS:*.${domain}`);
    return fits && left > (generatedDays / 3) * dayMs ? kept : null;
  } catch {
    return null; // damaged or expired: it is ours, so it is made anew
  }
}

async function selfSign(domain: string): Promise<Certificate> {
  await import("reflect-metadata"); // which the next one takes for granted
  const x509 = await import("@peculiar/x509"); // only here: it is large, and rarely needed
  const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    name: `CN=${domain}`,
    notBefore: new Date(Date.now() - 60_000),
    notAfter: new Date(Date.now() + generatedDays * dayMs),
    signingAlgorithm: algorithm,
    keys: keys as never,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension(["1.3.6.1.5.5.7.3.1"]),
      new x509.SubjectAlternativeNameExtension([
        { type: "dns", value: domain },
        { type: "dns", value: `*.${domain}` },
        { type: "dns", value: "localhost" },
        { type: "ip", value: "127.0.0.1" },
        { type: "ip", value: "::1" },
      ]),
    ],
  });
  const pkcs8 = Buffer.from(await webcrypto.subtle.exportKey("pkcs8", keys.privateKey));
  const lines = pkcs8.toString("base64").match(/.{1,64}/g) ?? [];
  return {
    certificate: `${certificate.toString("pem")}\n`,
    privateKey: `-----BEGIN PRIVATE KEY-----\n${lines.join("\n")}\n-----END PRIVATE KEY-----\n`,
  };
}

function read(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    throw invalid(file, `cannot be read: ${(error as Error).message}`, error);
  }
}

function invalid(file: string, problem: string, cause?: unknown): NodeError {
  return new NodeError("certificate_invalid", `${file} ${problem}`, { cause });
}
