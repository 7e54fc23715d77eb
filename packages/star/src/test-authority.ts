import { generateKeyPairSync, type KeyObject, randomBytes } from "node:crypto";
import { mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import "reflect-metadata";
import {
  BasicConstraintsExtension,
  SubjectAlternativeNameExtension,
  X509CertificateGenerator,
} from "@peculiar/x509";

const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
const dayMs = 86_400_000;

/** An authority whose key the test has, and the files of what it certifies. */
export class TestAuthority {
  readonly authoritiesFile: string;
  readonly #folder: string;
  readonly #name: string;
  readonly #keys = generateKeyPairSync("ec", { namedCurve: "P-256" });

  private constructor(folder: string, name: string) {
    this.#folder = folder;
    this.#name = name;
    this.authoritiesFile = join(folder, `${name}.pem`);
  }

  static async create(t: TestContext, name = "authority"): Promise<TestAuthority> {
    const folder = mkdtempSync(join(tmpdir(), "catalyst-tls-"));
    t.after(() => rmSync(folder, { recursive: true }));
    const made = new TestAuthority(folder, name);
    const own = await made.#sign(made.#keys.publicKey, {
      subject: name,
      lifeMs: dayMs,
      extensions: [new BasicConstraintsExtension(true, 1, true)],
    });
    writeFileSync(made.authoritiesFile, own);
    return made;
  }

  /** A certificate for an address or a name, and its key; in the files that bore the name before. */
  async certify(
    name: string,
    { address = "127.0.0.1", lifeMs = dayMs }: { readonly address?: string; readonly lifeMs?: number } = {},
  ): Promise<{
    readonly certificateFile: string;
    readonly privateKeyFile: string;
    readonly certificate: string;
  }> {
    const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    const type = /^[\d.]+$/.test(address) ? "ip" : "dns";
    const extensions = [new SubjectAlternativeNameExtension([{ type, value: address }])];
    const certificate = await this.#sign(publicKey, { subject: name, lifeMs, extensions });
    const certificateFile = join(this.#folder, `${name}.certificate.pem`);
    const privateKeyFile = join(this.#folder, `${name}.key.pem`);
    replace(certificateFile, certificate);
    replace(privateKeyFile, privateKey.export({ type: "pkcs8", format: "pem" }).toString());
    return { certificateFile, privateKeyFile, certificate };
  }

  async #sign(
    publicKey: KeyObject,
    of: {
      readonly subject: string;
      readonly lifeMs: number;
      readonly extensions: (BasicConstraintsExtension | SubjectAlternativeNameExtension)[];
    },
  ): Promise<string> {
    const made = await X509CertificateGenerator.create({
      serialNumber: `40${randomBytes(8).toString("hex")}`,
      subject: `CN=${of.subject}`,
      issuer: `CN=${this.#name}`,
      notBefore: new Date(Date.now() - dayMs),
      notAfter: new Date(Date.now() + of.lifeMs),
      signingAlgorithm: algorithm,
      publicKey: publicKey.toCryptoKey(algorithm, true, ["verify"]) as CryptoKey,
      signingKey: this.#keys.privateKey.toCryptoKey(algorithm, false, ["sign"]) as CryptoKey,
      extensions: of.extensions,
    });
    return `${made.toString("pem")}\n`;
  }
}

/** As programs that renew certificates do. */
function replace(file: string, text: string): void {
  writeFileSync(`${file}.new`, text);
  renameSync(`${file}.new`, file);
}
