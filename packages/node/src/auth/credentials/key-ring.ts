import { randomBytes } from "node:crypto";
import { type Database, failpoint } from "@catalyst/durable";
import {
  IdentityError,
  type KeySecret,
  type KeyStore,
  mintToken,
  type PrivateKey,
  planRotation,
  type RotationStep,
  type RotationTimings,
  removedAt,
  type TokenClaims,
  type TokenJwk,
  type TokenKind,
  type TokenRequest,
  tokenJwkOf,
  waitsUntil,
} from "@catalyst/identity";
import { RpcError } from "@catalyst/rpc";
import type { SigningKeyTable, StoredKey, VersionCounter } from "./auth-store.ts";
import type { AuthEvents } from "./events.ts";

export type KeyRingParts = {
  readonly kind: TokenKind;
  readonly database: Database;
  readonly table: SigningKeyTable;
  readonly version: VersionCounter;
  readonly keys: KeyStore;
  readonly secret: KeySecret;
  readonly timings: RotationTimings;
  readonly now: () => number;
  readonly events: AuthEvents;
  /** The public keys are others than before. */
  readonly onChange: () => void;
};

/**
 * The keys that sign one kind of credential: spec/tokens.md §5. The private part of a key is on disk from before it is
 * published until it has signed for the last time, and in memory only while it signs.
 */
export class KeyRing {
  readonly #parts: KeyRingParts;
  #signer: PrivateKey | null = null;
  #rotating: Promise<void> = Promise.resolve();

  private constructor(parts: KeyRingParts) {
    this.#parts = parts;
  }

  /**
   * Goes on with the keys that there are, and makes the first ones. What a kill has left half done is ended. Throws
   * IdentityError or DurableError for keys that cannot be read, opened or made.
   */
  static async open(parts: KeyRingParts): Promise<KeyRing> {
    const ring = new KeyRing(parts);
    await ring.#settle();
    await ring.rotate();
    await ring.#openSigner();
    return ring;
  }

  all(): readonly StoredKey[] {
    return this.#parts.table.all(this.#parts.kind);
  }

  jwks(): TokenJwk[] {
    return this.all().map(({ publicKey }) => tokenJwkOf(publicKey));
  }

  /** When a rotation that is asked for is possible; 0 when it is possible already. */
  waitsUntil(): number {
    const { timings, now } = this.#parts;
    const next = this.all().find(({ state }) => state === "next");
    const at = next === undefined ? 0 : waitsUntil(next, timings);
    return at <= now() ? 0 : at;
  }

  /** When one of the keys is published no longer; null as long as it has not begun to verify only. */
  removedAt(key: StoredKey): number | null {
    return key.state === "verifying" ? removedAt(key, this.#parts.timings) : null;
  }

  /** Carries out what is due, one after the other. Throws IdentityError or DurableError; what was done stays done. */
  rotate(asked = false): Promise<void> {
    const run = async () => {
      const { now, timings } = this.#parts;
      for (const step of planRotation(this.all(), now(), timings, asked)) await this.#carryOut(step);
    };
    const rotated = this.#rotating.then(run);
    this.#rotating = rotated.catch(() => undefined);
    return rotated;
  }

  /**
   * Signs a credential. `coverMs` says how long from now the key has to verify at least: on disk before this returns.
   */
  mint(
    request: Omit<TokenRequest, "kind">,
    coverMs: number,
  ): { readonly token: string; readonly claims: TokenClaims } {
    const { kind, table } = this.#parts;
    const signer = this.#signer;
    const stored = this.all().find(({ kid }) => kid === signer?.kid);
    if (signer === null || stored === undefined) throw new RpcError("keys_failed", `no key signs ${kind}`);
    const minted = mintToken(signer, { ...request, kind });
    const expiresAt = minted.claims.exp * 1_000;
    if (expiresAt > stored.signedUntil)
      table.setSignedUntil(stored.kid, Math.max(expiresAt, request.now + coverMs));
    return minted;
  }

  async #carryOut(step: RotationStep): Promise<void> {
    const { kind, events } = this.#parts;
    switch (step.kind) {
      case "make":
        await this.#make(step.state);
        break;
      case "promote":
        await this.#promote(step.kid);
        break;
      case "remove":
        this.#change(() => this.#parts.table.remove(step.kid));
    }
    events.rotated(kind, step);
  }

  async #make(state: "next" | "signing"): Promise<void> {
    const { kind, keys, secret, table, now } = this.#parts;
    const file = `${kind}-${randomBytes(8).toString("hex")}`;
    const { kid, publicKey } = await keys.create(file, "P-256", secret);
    if (publicKey.algorithm !== "P-256") throw new IdentityError("key_algorithm", `${file} is no P-256 key`);
    await failpoint("auth.key.made");
    this.#change(() => table.insert({ kid, kind, file, publicKey, state, since: now(), signedUntil: 0 }));
  }

  async #promote(kid: string): Promise<void> {
    const { keys, table, now } = this.#parts;
    const before = this.all().find(({ state }) => state === "signing");
    const next = this.all().find((key) => key.kid === kid);
    if (next === undefined) return;
    const opened = await this.#opened(next);
    this.#change(() => {
      const since = now();
      if (before !== undefined) table.setState(before.kid, "verifying", since);
      table.setState(kid, "signing", since);
    });
    this.#signer = opened;
    await failpoint("auth.key.promoted");
    if (before !== undefined) await keys.remove(before.file);
  }

  /** One transaction, of which everybody is told. */
  #change(make: () => void): void {
    const { database, version, onChange } = this.#parts;
    database.transaction(() => {
      make();
      version.bump();
    });
    onChange();
  }

  async #openSigner(): Promise<void> {
    const signing = this.all().find(({ state }) => state === "signing");
    if (signing !== undefined) this.#signer = await this.#opened(signing);
  }

  async #opened({ file, kid }: StoredKey): Promise<PrivateKey> {
    const { keys, secret } = this.#parts;
    const opened = await keys.open(file, secret);
    if (opened.kid === kid) return opened;
    throw new IdentityError("key_damaged", `${file} is another key than ${kid}`, {
      evidence: { name: file },
    });
  }

  /**
   * Brings table and files together again. A file that the table knows nothing of was never published, or signs no
   * more: it goes. A key of which the file is gone signs no more: what it signed stays good.
   */
  async #settle(): Promise<void> {
    const { kind, keys, table, now, events } = this.#parts;
    const files = (await keys.list()).map(({ name }) => name).filter((name) => name.startsWith(`${kind}-`));
    const needed = this.all().filter(({ state }) => state !== "verifying");
    for (const file of files) {
      if (!needed.some((key) => key.file === file)) await keys.remove(file);
    }
    for (const { kid, file, state } of needed) {
      if (files.includes(file)) continue;
      events.keyLost(kind, kid);
      this.#change(() => (state === "next" ? table.remove(kid) : table.setState(kid, "verifying", now())));
    }
  }
}
