import { createCipheriv, randomBytes, scrypt } from "node:crypto";

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
  const kdf = [salt, cost.N, cost.r, cost.p, keyBytes].map((part) =>
    typeof part === "number" ? integer(part) : octets(part),
  );
  const scheme = sequence(
    oid.pbes2,
    sequence(sequence(oid.scrypt, sequence(...kdf)), sequence(oid.aes256Cbc, octets(iv))),
  );
  return pem("ENCRYPTED PRIVATE KEY", sequence(scheme, octets(encrypted)));
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

// The few forms of DER that are needed: X.690 §8.

/** Object identifiers with their heads: RFC 8018 appendix C, RFC 7914 §7.1, NIST's AES. */
const oid = {
  pbes2: Buffer.from("06092a864886f70d01050d", "hex"),
  scrypt: Buffer.from("06092b06010401da47040b", "hex"),
  aes256Cbc: Buffer.from("060960864801650304012a", "hex"),
} as const;

function sequence(...parts: readonly Uint8Array[]): Uint8Array {
  return element(0x30, Buffer.concat(parts));
}

function octets(bytes: Uint8Array): Uint8Array {
  return element(0x04, bytes);
}

/** A non-negative integer: with a zero in front where the first bit would make it negative. */
function integer(value: number): Uint8Array {
  const hex = value.toString(16);
  const bytes = Buffer.from(hex.padStart(hex.length + (hex.length % 2), "0"), "hex");
  return element(0x02, (bytes[0] ?? 0) < 0x80 ? bytes : Buffer.concat([Uint8Array.of(0), bytes]));
}

/** Tag, length and content; nothing here is longer than 65,535 bytes. */
function element(tag: number, content: Uint8Array): Uint8Array {
  const { length } = content;
  const head =
    length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Uint8Array.of(tag, ...head), content]);
}
