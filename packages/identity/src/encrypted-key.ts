import { createCipheriv, randomBytes, scrypt } from "node:crypto";
import { integer, octets, sequence } from "./der.ts";

/**
 * The cost of trying one passphrase: scrypt with N = 2^14, r = 8, p = 5, which takes about 0.2 s and 16 MiB. Node's own
 * export would use PBKDF2 with 2,048 rounds, a thousandth of that.
 */
const cost = { N: 16_384, r: 8, p: 5 } as const;
const keyBytes = 32;

/**
 * A private key in PKCS#8, encrypted with PBES2 (RFC 8018) by scrypt (RFC 7914 §7) and AES-256-CBC: a PEM that Node
 * and OpenSSL read.
 */
export async function encryptPkcs8(pkcs8: Uint8Array, passphrase: string): Promise<string> {
  const salt = randomBytes(16);
  const iv = randomBytes(16);
  const cipher = createCipheriv("aes-256-cbc", await derive(passphrase, salt), iv);
  const encrypted = Buffer.concat([cipher.update(pkcs8), cipher.final()]);
  return pem("ENCRYPTED PRIVATE KEY", sequence(schemeOf(salt, iv), octets(encrypted)));
}

/** How it is encrypted, as DER; of the same length each time. */
function schemeOf(salt: Uint8Array, iv: Uint8Array): Buffer {
  const kdf = [salt, cost.N, cost.r, cost.p, keyBytes].map((part) =>
    typeof part === "number" ? integer(part) : octets(part),
  );
  return sequence(
    oid.pbes2,
    sequence(sequence(oid.scrypt, sequence(...kdf)), sequence(oid.aes256Cbc, octets(iv))),
  );
}

/**
 * Whether a block of PEM is encrypted as {@link encryptPkcs8} does it. Another one is not to be opened: its own
 * parameters say what one try costs, and may say hours.
 */
export function isOurEncryption(block: string): boolean {
  const blank = new Uint8Array(16);
  const form = schemeOf(blank, blank);
  const der = Buffer.from(block.split("-----")[2] ?? "", "base64");
  const length = der[1] ?? 0;
  const start = length < 0x80 ? 2 : 2 + (length & 0x7f);
  const scheme = Buffer.from(der.subarray(start, start + form.length));
  if (scheme.length < form.length) return false;
  const saltAt = form.indexOf(blank);
  scheme.fill(0, saltAt, saltAt + blank.length).fill(0, form.length - blank.length);
  return scheme.equals(form);
}

function derive(passphrase: string, salt: Uint8Array): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    scrypt(passphrase, salt, keyBytes, cost, (error, key) => (error === null ? resolve(key) : reject(error)));
  });
}

function pem(label: string, der: Uint8Array): string {
  const lines = Buffer.from(der)
    .toString("base64")
    .match(/.{1,64}/g) ?? [""];
  return `-----BEGIN ${label}-----\n${lines.join("\n")}\n-----END ${label}-----\n`;
}

/** Object identifiers with their heads: RFC 8018 appendix C, RFC 7914 §7.1, NIST's AES. */
const oid = {
  pbes2: Buffer.from("06092a864886f70d01050d", "hex"),
  scrypt: Buffer.from("06092b06010401da47040b", "hex"),
  aes256Cbc: Buffer.from("060960864801650304012a", "hex"),
} as const;
