import { createPublicKey, type KeyObject, verify } from "node:crypto";
import { readElements } from "../der.ts";
import { IdentityError } from "../errors.ts";
import { distinguishedName, loadX509, signatureAlgorithm, signingHandle, verifyingHandle } from "./x509.ts";

/** No request with one P-256 key is longer, with room for names that nobody looks at. */
export const maxRequestBytes = 4_096;

/**
 * A PKCS #10 request with a key, DER. Its subject says in words whose it is meant to be; who signs the certificate takes
 * nothing from it but the key.
 */
export async function createSigningRequest(
  secret: KeyObject,
  subject: { node: string; domain: string },
): Promise<Uint8Array> {
  const x509 = await loadX509();
  const made = await x509.Pkcs10CertificateRequestGenerator.create({
    name: distinguishedName(subject.node, subject.domain),
    signingAlgorithm: signatureAlgorithm(secret),
    keys: { privateKey: signingHandle(secret), publicKey: verifyingHandle(secret) },
  });
  return new Uint8Array(made.rawData);
}

/** ecdsa-with-SHA256 as an algorithm identifier, RFC 5758 §3.2. */
const ecdsaWithSha256 = Buffer.from("300a06082a8648ce3d040302", "hex");

/**
 * The key of a PKCS #10 request (RFC 2986) that its holder has signed: P-256, by ECDSA with SHA-256. Names, extensions
 * and attributes are not looked at. Throws {@link IdentityError} `request_malformed`.
 */
export function readSigningRequest(der: Uint8Array): KeyObject {
  if (der.length > maxRequestBytes) return malformed(`it has more than ${maxRequestBytes} bytes`);
  const [outer] = parts(der, [0x30]);
  const [info, algorithm, signature] = parts(outer.content, [0x30, 0x30, 0x03]);
  const [, , spki] = parts(info.content, [0x02, 0x30, 0x30, 0xa0]);
  if (!ecdsaWithSha256.equals(algorithm.bytes)) return malformed("it is not signed by ECDSA with SHA-256");
  const key = publicKeyOf(spki.bytes);
  if (key.asymmetricKeyDetails?.namedCurve !== "prime256v1") return malformed("its key is not a P-256 key");
  if (signature.content[0] !== 0 || !verify("sha256", info.bytes, key, signature.content.subarray(1))) {
    return malformed("its key has not signed it");
  }
  return key;
}

type Parts<Tags extends readonly number[]> = {
  [At in keyof Tags]: NonNullable<ReturnType<typeof readElements>>[number];
};

/** The elements inside of one, which are of these kinds. */
function parts<const Tags extends readonly number[]>(bytes: Uint8Array, tags: Tags): Parts<Tags> {
  const found = readElements(bytes);
  const fits = found?.length === tags.length && found.every(({ tag }, at) => tag === tags[at]);
  return fits ? (found as unknown as Parts<Tags>) : malformed("its form is not that of PKCS #10");
}

function publicKeyOf(spki: Uint8Array): KeyObject {
  try {
    return createPublicKey({ key: Buffer.from(spki), format: "der", type: "spki" });
  } catch (cause) {
    return malformed("its key is no key", cause);
  }
}

function malformed(why: string, cause?: unknown): never {
  throw new IdentityError("request_malformed", `the certificate request cannot be used: ${why}`, { cause });
}
