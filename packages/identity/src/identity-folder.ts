import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "@catalyst/config";
import { failpoint, replaceFile, replaceFileSync } from "@catalyst/durable";
import { readCertificates } from "./admission/peer-trust.ts";
import { toPem } from "./certificate/pem.ts";
import { type CertifiedProcess, certifiedProcesses, type EnrolmentAnswer } from "./enrolment/enrolment.ts";
import type { SigningRequests } from "./enrolment/proof.ts";
import { readTrustDocument, type TrustDocument } from "./enrolment/trust-document.ts";
import { IdentityError } from "./errors.ts";
import { parseSpiffeId, type SpiffeId } from "./spiffe-id.ts";

/** A certificate chain and its key, as TLS takes them. */
export type ProcessIdentity = {
  readonly id: SpiffeId;
  /** PEM, the leaf first. */
  readonly certificateChain: string;
  /** PKCS #8 in PEM. */
  readonly privateKey: string;
  /** Hexadecimal digits in lower case. */
  readonly serial: string;
  /** Milliseconds since 1970. */
  readonly notBefore: number;
  readonly notAfter: number;
};

const membership = z.object({
  domain: z.string(),
  node: z.string(),
  /** The id of the token that it joined with. */
  token: z.string(),
  joinedAt: z.string(),
});
/** Which node of which organisation has joined here. */
export type Membership = z.output<typeof membership>;

const heard = z.object({ at: z.int().min(0) });

const pending = z.object({
  token: z.string(),
  keys: z.partialRecord(z.enum(certifiedProcesses), z.string()),
  requests: z.partialRecord(z.enum(certifiedProcesses), z.base64()),
});

/** The private keys of a node, by process. */
export type ProcessKeys = Readonly<Partial<Record<CertifiedProcess, KeyObject>>>;

/** With what a node is about to join. */
export type PendingEnrolment = {
  readonly keys: ProcessKeys;
  /** The requests for certificates that these keys have signed; once more they would be others. */
  readonly requests: SigningRequests;
};

/**
 * What a node keeps of its identity, in a folder that its owner alone may enter: for each process one file with its
 * chain and its key, so that whoever reads sees both of one time; what is believed; and which node this is. Every
 * method throws {@link IdentityError} `identity_damaged`, or DurableError.
 */
export class IdentityFolder {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** The file of a process's chain and key. */
  pathOf(process: string): string {
    return join(this.#folder, `${process}.pem`);
  }

  /** The file of what is believed. */
  get trustPath(): string {
    return join(this.#folder, "trust.json");
  }

  /** Null for a node that has not joined anybody. */
  membership(): Membership | null {
    return this.#json("node.json", membership);
  }

  /** Null when there is none yet. */
  process(process: string): ProcessIdentity | null {
    const path = this.pathOf(process);
    if (!existsSync(path)) return null;
    return this.#reading(path, () => readProcessIdentity(readFileSync(path, "utf8")));
  }

  /** What is believed, as it was last heard; null before. */
  trust(): TrustDocument | null {
    const path = this.trustPath;
    if (!existsSync(path)) return null;
    return this.#reading(path, () => readTrustDocument(readFileSync(path, "utf8")));
  }

  /** When the root authority last said something, in milliseconds since 1970; null before. */
  heardAt(): number | null {
    return this.#json("heard.json", heard)?.at ?? null;
  }

  keepHeardAt(at: number): void {
    this.#prepare();
    replaceFileSync(join(this.#folder, "heard.json"), JSON.stringify({ at }), { mode: 0o600 });
  }

  keepTrust(trust: TrustDocument): void {
    this.#prepare();
    replaceFileSync(this.trustPath, JSON.stringify(trust), { mode: 0o600 });
  }

  /**
   * Keeps what was issued to these keys, each process's at once. What is believed comes first: a chain is never there
   * before its root is.
   */
  async keep({ chains, trust }: Pick<EnrolmentAnswer, "chains" | "trust">, keys: ProcessKeys): Promise<void> {
    this.keepTrust(trust);
    for (const [process, chain] of Object.entries(chains)) {
      const key = keys[process as CertifiedProcess];
      if (chain === undefined || key === undefined) continue;
      await failpoint("identity.keep");
      const text = chain.map((der) => toPem("CERTIFICATE", der)).join("");
      await replaceFile(this.pathOf(process), text + privatePem(key), { mode: 0o600 });
    }
  }

  /** The last step of joining: from now on the node is this one, and nothing is pending. */
  async join(joined: Membership): Promise<void> {
    await failpoint("identity.join");
    await replaceFile(join(this.#folder, "node.json"), JSON.stringify(joined), { mode: 0o600 });
    await replaceFile(join(this.#folder, "pending.json"), "{}", { mode: 0o600 });
  }

  /** With what a token was tried before: with the same it may be tried again. Null for another token. `token` is its id. */
  pending(token: string): PendingEnrolment | null {
    const read = this.#json("pending.json", pending.partial());
    if (read?.token !== token || read.keys === undefined || read.requests === undefined) return null;
    const keys = Object.entries(read.keys).map(
      ([process, pem]) => [process, createPrivateKey(pem ?? "")] as const,
    );
    const requests = Object.entries(read.requests).map(([process, text]) => {
      return [process, Uint8Array.from(Buffer.from(text ?? "", "base64"))] as const;
    });
    return { keys: Object.fromEntries(keys), requests: Object.fromEntries(requests) };
  }

  /** On disk before anything is sent: who is killed in between goes on with the same keys. */
  async keepPending(token: string, { keys, requests }: PendingEnrolment): Promise<void> {
    this.#prepare();
    const pems = Object.entries(keys).map(([process, key]) => [process, privatePem(key)]);
    const texts = Object.entries(requests).map(([process, der]) => [
      process,
      Buffer.from(der).toString("base64"),
    ]);
    const content = { token, keys: Object.fromEntries(pems), requests: Object.fromEntries(texts) };
    await replaceFile(join(this.#folder, "pending.json"), JSON.stringify(content), { mode: 0o600 });
    await failpoint("identity.pending");
  }

  #prepare(): void {
    mkdirSync(this.#folder, { recursive: true, mode: 0o700 });
  }

  #json<Schema extends z.ZodType>(name: string, schema: Schema): z.output<Schema> | null {
    const path = join(this.#folder, name);
    if (!existsSync(path)) return null;
    return this.#reading(path, () => schema.parse(JSON.parse(readFileSync(path, "utf8"))));
  }

  #reading<Result>(path: string, read: () => Result): Result {
    try {
      return read();
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      throw new IdentityError("identity_damaged", `${path} cannot be used: ${reason}`, {
        cause,
        evidence: { path },
      });
    }
  }
}

/**
 * Reads a chain and its key, PEM. Throws {@link IdentityError} `certificate_unusable` when the certificate names no
 * process of a node, or the key is not its own.
 */
export function readProcessIdentity(text: string): ProcessIdentity {
  const chain = readCertificates(text);
  const leaf = new X509Certificate(chain[0] ?? new Uint8Array());
  const id = parseSpiffeId(/URI:([^,]+)/.exec(leaf.subjectAltName ?? "")?.[1] ?? "");
  if (id === null) return unusable("it names no process of a node, spiffe://DOMAIN/node/NODE/PROCESS");
  const block = /-----BEGIN (?:EC )?PRIVATE KEY-----[^-]+-----END (?:EC )?PRIVATE KEY-----/.exec(text)?.[0];
  if (block === undefined) return unusable("no unencrypted private key is beside it");
  const privateKey = createPrivateKey(block);
  if (!leaf.checkPrivateKey(privateKey)) return unusable("the private key beside it is another one's");
  return {
    id,
    certificateChain: chain.map((der) => toPem("CERTIFICATE", der)).join(""),
    privateKey: privatePem(privateKey),
    serial: leaf.serialNumber.toLowerCase(),
    notBefore: leaf.validFromDate.getTime(),
    notAfter: leaf.validToDate.getTime(),
  };
}

function privatePem(key: KeyObject): string {
  return key.export({ type: "pkcs8", format: "pem" }).toString();
}

function unusable(why: string): never {
  throw new IdentityError("certificate_unusable", `the certificate cannot be used: ${why}`);
}
