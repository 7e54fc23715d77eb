import { createPrivateKey, X509Certificate } from "node:crypto";
import { readFileSync, statSync } from "node:fs";
import { StarError } from "../errors.ts";

/** Files that say whom to believe, and what to show. They may be replaced at any time: whoever connects next meets the new ones. */
export type TlsFiles = {
  /** Certificates of the authorities that are believed, PEM; default those that Node knows. */
  readonly authoritiesFile?: string | undefined;
  /** What is shown: a certificate, and those between it and its authority, PEM. With its key, or neither. */
  readonly certificateFile?: string | undefined;
  /** PEM, unencrypted. */
  readonly privateKeyFile?: string | undefined;
};

/** What the files hold, PEM, by the names of `node:tls`. */
export type TlsMaterial = {
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
};

/** The content of some TLS files, read again when they have changed on the disk. */
export class TlsStore {
  readonly #files: TlsFiles;
  #stamp: string;
  #material: TlsMaterial;

  /** Throws StarError `certificate_invalid`, which names the file. */
  constructor(files: TlsFiles) {
    this.#files = files;
    this.#stamp = stampOf(files);
    this.#material = readMaterial(files);
  }

  /** What the files hold now; while they cannot be used, as when one of two is replaced, what they held before. The same object until they change. */
  get material(): TlsMaterial {
    const stamp = stampOf(this.#files);
    if (stamp === this.#stamp) return this.#material;
    try {
      this.#material = readMaterial(this.#files);
      this.#stamp = stamp;
    } catch (error) {
      if (!(error instanceof StarError)) throw error;
    }
    return this.#material;
  }
}

/** Changes when one of the files does. */
function stampOf({ authoritiesFile, certificateFile, privateKeyFile }: TlsFiles): string {
  return [authoritiesFile, certificateFile, privateKeyFile]
    .map((file) => {
      const stats = file === undefined ? undefined : statSync(file, { throwIfNoEntry: false });
      return stats === undefined ? "-" : `${stats.ino} ${stats.size} ${stats.mtimeMs}`;
    })
    .join("\n");
}

function readMaterial({ authoritiesFile, certificateFile, privateKeyFile }: TlsFiles): TlsMaterial {
  if ((certificateFile === undefined) !== (privateKeyFile === undefined)) {
    throw new StarError("certificate_invalid", "a certificate and its key are given together");
  }
  const ca = authoritiesFile === undefined ? {} : { ca: certificatesIn(authoritiesFile) };
  if (certificateFile === undefined || privateKeyFile === undefined) return ca;
  const [cert, key] = [certificatesIn(certificateFile), read(privateKeyFile)];
  if (!isKeyOf(cert, key, privateKeyFile))
    throw new StarError("certificate_invalid", `${privateKeyFile}: not the key of ${certificateFile}`);
  return { ...ca, cert, key };
}

function isKeyOf(certificate: string, key: string, file: string): boolean {
  try {
    return new X509Certificate(certificate).checkPrivateKey(createPrivateKey(key));
  } catch (cause) {
    throw new StarError("certificate_invalid", `${file}: no unencrypted private key, PEM`, { cause });
  }
}

function certificatesIn(file: string): string {
  const text = read(file);
  const found = text.match(/-----BEGIN CERTIFICATE-----[\s\S]*?-----END CERTIFICATE-----/g) ?? [];
  try {
    for (const each of found) new X509Certificate(each);
  } catch (cause) {
    throw new StarError("certificate_invalid", `${file}: a certificate in it is damaged`, { cause });
  }
  if (found.length === 0) throw new StarError("certificate_invalid", `${file}: no certificate, PEM`);
  return `${found.join("\n")}\n`;
}

function read(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    throw new StarError(
      "certificate_invalid",
      `${file}: ${code === "ENOENT" ? "there is no such file" : `cannot be read, the system says ${code}`}`,
      { cause },
    );
  }
}
