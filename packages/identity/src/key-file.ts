import { createPrivateKey, createPublicKey, type KeyObject } from "node:crypto";
import { encryptPkcs8, isOurEncryption } from "./encrypted-key.ts";
import { IdentityError } from "./errors.ts";
import { kidOf } from "./kid.ts";
import { type PrivateKey, privateKeyOf, publicKeyOf } from "./private-key.ts";
import type { Kid, PublicKey } from "./public-key.ts";

/** What a key file tells without its passphrase. */
export type KeyFile = {
  readonly publicKey: PublicKey;
  readonly kid: Kid;
  readonly encrypted: boolean;
  /** The private key's block of PEM. */
  readonly secret: string;
};

/**
 * A key as its file holds it: two blocks of PEM, the private key in PKCS#8 (encrypted when there is a passphrase), and
 * the public key, so that the key can be named without the passphrase.
 */
export async function writeKeyFile({ secret }: PrivateKey, passphrase: string | null): Promise<string> {
  const open = () => secret.export({ type: "pkcs8", format: "pem" }).toString();
  const hidden = (words: string) => encryptPkcs8(secret.export({ type: "pkcs8", format: "der" }), words);
  const publicBlock = createPublicKey(secret).export({ type: "spki", format: "pem" }).toString();
  return `${passphrase === null ? open() : await hidden(passphrase)}${publicBlock}`;
}

/** Reads the public part of a key file. Throws {@link IdentityError} `key_damaged`, `key_algorithm` or `key_weak`. */
export function readKeyFile(text: string, path: string): KeyFile {
  const block = /-----BEGIN PUBLIC KEY-----[\s\S]*?-----END PUBLIC KEY-----/.exec(text)?.[0];
  const [secret, encrypted] =
    /-----BEGIN (ENCRYPTED )?PRIVATE KEY-----[\s\S]*?-----END \1PRIVATE KEY-----/.exec(text) ?? [];
  if (block === undefined || secret === undefined) return damaged(path, "has not both parts of a key");
  const publicKey = publicKeyOf(parsed(() => createPublicKey(block), path));
  return { publicKey, kid: kidOf(publicKey), encrypted: encrypted !== undefined, secret };
}

/**
 * Opens the private part. Throws {@link IdentityError} `passphrase_missing`, `passphrase_wrong`, or `key_damaged` when
 * it is not the private half of the public part, or encrypted in another way than {@link writeKeyFile} does it.
 */
export function openKeyFile(file: KeyFile, passphrase: string | null, path: string): PrivateKey {
  const evidence = { path };
  if (file.encrypted && passphrase === null) {
    throw new IdentityError("passphrase_missing", `${path} is encrypted`, { evidence });
  }
  if (file.encrypted && !isOurEncryption(file.secret))
    return damaged(path, "is encrypted in another way than ours");
  const opened = privateKeyOf(unlock(file, passphrase, path));
  return opened.kid === file.kid ? opened : damaged(path, "has a public part of another key");
}

function unlock(file: KeyFile, passphrase: string | null, path: string): KeyObject {
  try {
    const secret = file.encrypted && passphrase !== null ? { passphrase } : {};
    return createPrivateKey({ key: file.secret, format: "pem", ...secret });
  } catch (cause) {
    if (!file.encrypted) return damaged(path, "has a private part that is no key", cause);
    const message = `the passphrase does not open ${path}`;
    throw new IdentityError("passphrase_wrong", message, { cause, evidence: { path } });
  }
}

function parsed(read: () => KeyObject, path: string): KeyObject {
  try {
    return read();
  } catch (cause) {
    return damaged(path, "has a public part that is no key", cause);
  }
}

function damaged(path: string, what: string, cause?: unknown): never {
  throw new IdentityError("key_damaged", `${path} ${what}`, { cause, evidence: { path } });
}
