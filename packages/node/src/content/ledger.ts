import { mkdirSync, readFileSync } from "node:fs";
import { hostname, userInfo } from "node:os";
import {
  type AuditedAction,
  type AuditHead,
  type AuditLog,
  EvidenceError,
  openAuditLog,
  type Receipt,
  readDelegation,
  signDelegation,
  signReceipt,
  statementType,
} from "@catalyst/evidence";
import {
  createSigner,
  generateKey,
  IdentityError,
  type KeyStore,
  openKeyStore,
  type PrivateKey,
  type Signer,
} from "@catalyst/identity";
import { RpcError } from "@catalyst/rpc";
import { type Cid, cidOfBlock } from "@catalyst/wire";

export type LedgerParts = {
  /** In whose name receipts are signed, e.g. `n1.acme.catalyst.internal`. */
  readonly issuer: string;
  /** The node's keys; the one for statements is made where there is none. */
  readonly keysFolder: string;
  readonly passphraseFile: string | undefined;
  readonly auditFolder: string;
  /** Milliseconds since 1970; default `Date.now`. */
  readonly now?: () => number;
};

/** The name of the key that statements are signed with, or that lends its right to. */
const statementsKey = "statements";
const lifetimeSeconds = 86_400 - 120;
/** A key is lent anew at half of its time. */
const renewAfterSeconds = lifetimeSeconds / 2;

type Lent = {
  readonly signer: Signer;
  readonly from: number;
  readonly until: number;
  readonly renewAt: number;
};

/**
 * What a process did, in evidence: each receipt is signed with a key that the node's own lent for a day, and stands in
 * the process's audit log before anybody is told of it. The node's key is in memory only while it lends.
 */
export class Ledger implements AsyncDisposable {
  readonly #parts: LedgerParts;
  readonly #log: AuditLog;
  readonly #actor = `${userInfo().username}@${hostname()}`.slice(0, 512);
  #lent: Lent;

  private constructor(parts: LedgerParts, log: AuditLog, lent: Lent) {
    this.#parts = parts;
    this.#log = log;
    this.#lent = lent;
  }

  /** Throws IdentityError, EvidenceError or DurableError for keys or a log that cannot be used. */
  static async open(parts: LedgerParts): Promise<Ledger> {
    mkdirSync(parts.auditFolder, { recursive: true, mode: 0o700 });
    const log = await openAuditLog(parts.auditFolder, parts.now === undefined ? {} : { now: parts.now });
    try {
      return new Ledger(parts, log, await borrow(parts, log));
    } catch (error) {
      await log[Symbol.asyncDispose]();
      throw error;
    }
  }

  get head(): AuditHead {
    return this.#log.head;
  }

  signer(): { readonly issuer: string; readonly kid: string; readonly until: Date } {
    const { signer, until } = this.#lent;
    return { issuer: this.#parts.issuer, kid: signer.kid, until: new Date(until * 1_000) };
  }

  /** Resolves with the CID of the receipt once it survives a power cut. Throws RpcError `evidence_failed`. */
  async record(receipt: Receipt): Promise<Cid> {
    return this.#inTerms(async () => {
      const signer = await this.#signer();
      const { issuer } = this.#parts;
      const envelope = signReceipt(signer, receipt, { issuer, issuedAt: this.#seconds() });
      await this.#log.append({ receipt: envelope });
      return cidOfBlock(envelope, "cbor");
    });
  }

  /** Enters what was done or tried, of which there is no receipt. Throws RpcError `evidence_failed`. */
  async act(action: Omit<AuditedAction, "actor">): Promise<void> {
    await this.#inTerms(() => this.#log.append({ action: { actor: this.#actor, ...action } }));
  }

  /** Borrows a key anew when it is time, so that nobody has to wait for it. Throws RpcError `evidence_failed`. */
  async keepLent(): Promise<void> {
    await this.#inTerms(() => this.#signer());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#log[Symbol.asyncDispose]();
  }

  async #signer(): Promise<Signer> {
    const now = this.#seconds();
    const { from, until, renewAt } = this.#lent;
    if (now >= from && now < renewAt) return this.#lent.signer;
    try {
      this.#lent = await borrow(this.#parts, this.#log);
    } catch (error) {
      if (now < from || now >= until) throw error; // else it is still good, and tried again
    }
    return this.#lent.signer;
  }

  #seconds(): number {
    return secondsOf(this.#parts);
  }

  async #inTerms<T>(run: () => Promise<T>): Promise<T> {
    try {
      return await run();
    } catch (cause) {
      if (!(cause instanceof EvidenceError || cause instanceof IdentityError)) throw cause;
      throw new RpcError("evidence_failed", `${cause.message} (${cause.code})`, { cause });
    }
  }
}

function secondsOf({ now = Date.now }: LedgerParts): number {
  return Math.floor(now() / 1_000);
}

/** A key of our own that the node's key lends its right to sign receipts; the log says so first. */
async function borrow(parts: LedgerParts, log: AuditLog): Promise<Lent> {
  const own = await nodeKey(parts);
  const signer = createSigner(generateKey("Ed25519"));
  const issuedAt = secondsOf(parts);
  const delegation = signDelegation(createSigner(own), {
    issuer: parts.issuer,
    subject: parts.issuer,
    key: signer.publicKey,
    types: [statementType.receipt],
    issuedAt,
    lifetimeSeconds,
  });
  await log.append({ delegation });
  const { from, until } = readDelegation(delegation);
  return { signer, from, until, renewAt: issuedAt + renewAfterSeconds };
}

async function nodeKey({ keysFolder, passphraseFile }: LedgerParts): Promise<PrivateKey> {
  const secret = passphraseFile === undefined ? {} : { passphrase: firstLineOf(passphraseFile) };
  const keys: KeyStore = await openKeyStore(keysFolder);
  try {
    return await keys.open(statementsKey, secret);
  } catch (error) {
    if (!(error instanceof IdentityError && error.code === "key_not_found")) throw error;
  }
  try {
    await keys.create(statementsKey, "Ed25519", secret);
  } catch (error) {
    if (!(error instanceof IdentityError && error.code === "key_exists")) throw error; // made by another process
  }
  return keys.open(statementsKey, secret);
}

function firstLineOf(path: string): string {
  try {
    return readFileSync(path, "utf8").split(/\r?\n/, 1)[0] ?? "";
  } catch (cause) {
    throw new IdentityError(
      "keys_unreadable",
      `cannot read auth.passphraseFile: ${(cause as Error).message}`,
      {
        cause,
        evidence: { path },
      },
    );
  }
}
