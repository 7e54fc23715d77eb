import { mkdirSync } from "node:fs";
import { hostname, userInfo } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { DurableError } from "@catalyst/durable";
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
import { readSecret } from "../identity/passphrase.ts";

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

/** How long another process may take to make the key. */
const patienceMs = 500;

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
  #lent: Lent | null = null;
  /** All who wait for a key are given the same. */
  #borrowing: Promise<Lent> | null = null;

  private constructor(parts: LedgerParts, log: AuditLog) {
    this.#parts = parts;
    this.#log = log;
  }

  /**
   * Borrows the first key when it is needed: what needs no receipt goes on where none can be signed, or the disk is
   * full. Throws EvidenceError or DurableError for a log that cannot be used.
   */
  static async open(parts: LedgerParts): Promise<Ledger> {
    mkdirSync(parts.auditFolder, { recursive: true, mode: 0o700 });
    const log = await openAuditLog(parts.auditFolder, parts.now === undefined ? {} : { now: parts.now });
    return new Ledger(parts, log);
  }

  get head(): AuditHead {
    return this.#log.head;
  }

  get issuer(): string {
    return this.#parts.issuer;
  }

  /** The key that signs, and until when it is lent; null before the first is. */
  signer(): { readonly kid: string; readonly until: Date } | null {
    const lent = this.#lent;
    return lent === null ? null : { kid: lent.signer.kid, until: new Date(lent.until * 1_000) };
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
    const lent = this.#lent;
    if (lent !== null && now >= lent.from && now < lent.renewAt) return lent.signer;
    try {
      this.#borrowing ??= borrow(this.#parts, this.#log).finally(() => {
        this.#borrowing = null;
      });
      this.#lent = await this.#borrowing;
      return this.#lent.signer;
    } catch (error) {
      if (lent === null || now < lent.from || now >= lent.until) throw error;
      return lent.signer; // still good, and tried again
    }
  }

  #seconds(): number {
    return secondsOf(this.#parts);
  }

  async #inTerms<T>(run: () => Promise<T>): Promise<T> {
    try {
      return await run();
    } catch (cause) {
      if (
        !(cause instanceof EvidenceError || cause instanceof IdentityError || cause instanceof DurableError)
      )
        throw cause;
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
  const secret = readSecret(passphraseFile);
  const keys: KeyStore = await openKeyStore(keysFolder);
  try {
    return await keys.open(statementsKey, secret);
  } catch (error) {
    if (!(error instanceof IdentityError && error.code === "key_not_found")) throw error;
  }
  try {
    await keys.create(statementsKey, "Ed25519", secret);
  } catch (error) {
    const isMade =
      error instanceof IdentityError && (error.code === "key_exists" || error.code === "keys_in_use");
    if (!isMade) throw error;
    await sleep(patienceMs); // another process makes it
  }
  return keys.open(statementsKey, secret);
}
