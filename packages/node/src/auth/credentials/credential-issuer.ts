import { randomBytes } from "node:crypto";
import { type Database, DurableError } from "@catalyst/durable";
import { IdentityError, type TokenIssuer, type TokenKind } from "@catalyst/identity";
import {
  type ApiKey,
  type authContract,
  type Implementation,
  RpcError,
  type SigningKey,
} from "@catalyst/rpc";
import { type AskedAction, auditingDenial, clip } from "../../audit/denied-action.ts";
import type { Ledger } from "../../audit/ledger.ts";
import { shown, timeOf } from "./api-key.ts";
import type { ApiKeyRecord, ApiKeyTable, NewApiKey, VersionCounter } from "./auth-store.ts";
import { lingerMs } from "./credentials-publisher.ts";
import type { AuthEvents } from "./events.ts";
import type { KeyRing } from "./key-ring.ts";
import type { RevokedTokenTable } from "./revoked-tokens.ts";

export type CredentialIssuerParts = {
  readonly issuers: Readonly<Record<TokenKind, Omit<TokenIssuer, "keys">>>;
  readonly database: Database;
  readonly rings: Readonly<Record<TokenKind, KeyRing>>;
  readonly apiKeys: ApiKeyTable;
  readonly revokedTokens: RevokedTokenTable;
  readonly version: VersionCounter;
  readonly ledger: Ledger;
  readonly events: AuthEvents;
  readonly now: () => number;
  /** What everybody has to know is other than before. */
  readonly onChange: () => void;
  /** How many API keys may be unexpired at once; default 100,000. */
  readonly maxApiKeys?: number;
  /** How many access tokens may be denied at once; default 10,000. */
  readonly maxRevokedTokens?: number;
};

type Calls = Implementation<typeof authContract>;
type Request<Call extends keyof Calls> = Parameters<Calls[Call]>[0];

/** How long it is told of an API key that has expired. */
const rememberMs = 30 * 86_400_000;

/** Gives credentials and takes them back. Each time is in the audit log before it is answered. */
export class CredentialIssuer {
  readonly #parts: CredentialIssuerParts;

  constructor(parts: CredentialIssuerParts) {
    this.#parts = parts;
  }

  mint(asked: Request<"mint">) {
    const denied = { action: "token.mint", target: clip(asked.subject) };
    return auditingDenial(this.#parts.ledger, denied, () => this.#mint(asked));
  }

  createApiKey(asked: Request<"createApiKey">) {
    const name = asked.name ?? `key-${randomBytes(3).toString("hex")}`;
    const denied = { action: "apikey.create", target: name };
    return auditingDenial(this.#parts.ledger, denied, async () => {
      const { key, record } = this.#makeApiKey({ ...asked, name });
      await this.#auditApiKey(record);
      this.#parts.events.apiKeyCreated(name, record.id);
      return { ...this.#shown({ ...record, revokedAt: null }), key };
    });
  }

  /** Makes a token for a person or a program; `by` is the node that asks, where it is another. */
  createToken(asked: Request<"createToken">, by: string | null = null) {
    const action = { action: "token.create", target: clip(asked.subject) };
    const { services, audience } = asked;
    const details = [services.join(" "), ...(audience === undefined ? [] : [`for ${audience}`])];
    if (by !== null) details.unshift(`asked by ${by}:`);
    return auditingDenial(this.#parts.ledger, action, () => this.#sign(asked, action, details.join(" ")));
  }

  #mint(asked: Request<"mint">) {
    const { subject, services } = asked;
    const { audience } = this.#parts.issuers.tokens;
    if (!subject.startsWith(`spiffe://${audience}/`)) {
      throw new RpcError("invalid_request", `${subject} is not of ${audience}: tokens are for its own alone`);
    }
    return this.#sign(asked, { action: "token.mint", target: subject }, services.join(" "));
  }

  /** Signs a token, which is in the audit log before anybody has it. */
  async #sign(asked: Request<"createToken">, action: AskedAction, reason: string) {
    const { rings, ledger, events, issuers } = this.#parts;
    const { subject, services, ttlMs, certificate } = asked;
    this.#checkLifetime("tokens", ttlMs);
    const { audience = issuers.tokens.audience } = asked;
    const request = { ...this.#request("tokens", ttlMs), subject, services, audience, certificate };
    const { token, claims } = inTerms(() => rings.tokens.mint(request, issuers.tokens.maxLifetimeMs));
    await ledger.act({ ...action, outcome: "done", reason: clip(reason) });
    events.minted(subject);
    return { token, jti: claims.jti, expiresAt: timeOf(claims.exp * 1_000) };
  }

  /**
   * Refuses an access token from now on, for as long as any lives: on disk, and told to all who wait, before the audit log
   * is written.
   */
  async revokeToken({ jti }: Request<"revokeToken">) {
    const { revokedTokens, issuers, ledger, maxRevokedTokens = 10_000 } = this.#parts;
    const known = revokedTokens.all();
    if (known.length >= maxRevokedTokens && !known.some((each) => each.jti === jti)) {
      const hours = issuers.tokens.maxLifetimeMs / 3_600_000;
      const how = `let some of them expire, or rotate the keys: \`catalyst keys rotate tokens\``;
      throw new RpcError(
        "busy",
        `${known.length} tokens were revoked within ${hours} h, more are not kept: ${how}`,
      );
    }
    const until = this.#parts.now() + issuers.tokens.maxLifetimeMs + lingerMs;
    this.#changeIf(() => revokedTokens.add({ jti, until }));
    await ledger.act({
      action: "token.revoke",
      target: jti,
      outcome: "done",
      reason: `until ${timeOf(until)}`,
    });
    return { jti };
  }

  listApiKeys({ after = "", limit }: Request<"apiKeys">): ApiKey[] {
    return this.#parts.apiKeys.page(after, limit).map((key) => this.#shown(key));
  }

  /**
   * Revoking is on disk, and told to all who wait, before the audit log is written: it must not fail with the log. An
   * entry that failed is made up for when the key is revoked again.
   */
  revokeApiKey({ key }: Request<"revokeApiKey">): Promise<ApiKey> {
    const denied = { action: "apikey.revoke", target: clip(key) };
    return auditingDenial(this.#parts.ledger, denied, () => this.#revokeApiKey(key));
  }

  async #revokeApiKey(key: string): Promise<ApiKey> {
    const { apiKeys, ledger, events } = this.#parts;
    const found = apiKeys.find(key);
    if (found === undefined) throw new RpcError("api_key_unknown", `there is no API key ${key}`);
    if (found.revokedAt !== null && !found.isUnaudited) return this.#shown(found);
    const { id, name } = found;
    const revokedAt = found.revokedAt ?? this.#parts.now();
    if (found.revokedAt === null) this.#change(() => apiKeys.revoke(id, revokedAt));
    await ledger.act({ action: "apikey.revoke", target: name, outcome: "done", reason: id });
    inTerms(() => apiKeys.audited(id));
    events.apiKeyRevoked(name, id);
    return this.#shown({ ...found, revokedAt });
  }

  signingKeys(): SigningKey[] {
    return (["tokens", "apikeys"] as const).flatMap((kind) => {
      const ring = this.#parts.rings[kind];
      return ring.all().map((key) => {
        const { kid, state, since } = key;
        const removedAt = ring.removedAt(key);
        return {
          kind,
          kid,
          state,
          since: timeOf(since),
          until: removedAt === null ? null : timeOf(removedAt),
        };
      });
    });
  }

  async rotate({ kind }: Request<"rotate">): Promise<SigningKey[]> {
    const { rings, ledger } = this.#parts;
    const waitsUntil = rings[kind].waitsUntil();
    if (waitsUntil > 0) {
      const when = `it may sign from ${timeOf(waitsUntil)} on`;
      throw new RpcError(
        "key_too_new",
        `the next key was published a moment ago, not everybody has it yet: ${when}`,
      );
    }
    await inTermsAsync(() => rings[kind].rotate(true));
    const signing = rings[kind].all().find(({ state }) => state === "signing");
    await ledger.act({ action: "keys.rotate", target: kind, outcome: "done", reason: signing?.kid ?? "" });
    return this.signingKeys();
  }

  /** What is due with time alone: rotations, and the end of what has expired. */
  async keepUp(): Promise<void> {
    const { apiKeys, revokedTokens, rings, now } = this.#parts;
    const expiredBy = now() - lingerMs;
    this.#changeIf(() => apiKeys.letGo(expiredBy) + apiKeys.denyAgain(expiredBy) > 0);
    this.#changeIf(() => revokedTokens.letGo(now()) > 0);
    apiKeys.forget(now() - rememberMs);
    await rings.tokens.rotate();
    await rings.apikeys.rotate();
  }

  /** One transaction: an API key is counted, named, signed and recorded, or there is none. */
  #makeApiKey({ name, services, ttlMs }: Request<"createApiKey"> & { readonly name: string }) {
    const { database, apiKeys, rings, maxApiKeys = 100_000 } = this.#parts;
    this.#checkLifetime("apikeys", ttlMs);
    const request = { ...this.#request("apikeys", ttlMs), subject: `apikey:${name}`, services };
    return inTerms(() =>
      database.transaction(() => {
        if (apiKeys.countUnexpired(request.now) >= maxApiKeys) {
          throw new RpcError(
            "api_keys_full",
            `${maxApiKeys} API keys have not expired yet: more are not kept`,
          );
        }
        const namesake = apiKeys.find(name);
        if (namesake !== undefined && namesake.revokedAt === null && namesake.expiresAt > request.now) {
          const until = timeOf(namesake.expiresAt);
          throw new RpcError("api_key_name_taken", `${name} is a key that is good until ${until}`);
        }
        const { token, claims } = rings.apikeys.mint(request, ttlMs);
        const expiresAt = claims.exp * 1_000;
        const record = { id: claims.jti, name, services, createdAt: request.now, expiresAt };
        apiKeys.insert(record);
        return { key: token, record };
      }),
    );
  }

  /** A key that the audit log does not take is not given to anybody: it goes, and its name is free. */
  async #auditApiKey({ id, name, services, expiresAt }: NewApiKey): Promise<void> {
    const { ledger, apiKeys } = this.#parts;
    const reason = clip(`${id} until ${timeOf(expiresAt)}: ${services.join(" ")}`);
    try {
      await ledger.act({ action: "apikey.create", target: name, outcome: "done", reason });
    } catch (error) {
      inTerms(() => apiKeys.remove(id));
      throw error;
    }
  }

  #shown(key: Omit<ApiKeyRecord, "isUnaudited">): ApiKey {
    const { issuers, now } = this.#parts;
    return shown(key, issuers.apikeys.maxLifetimeMs, now());
  }

  #request(kind: TokenKind, ttlMs: number) {
    const { issuer, audience } = this.#parts.issuers[kind];
    return { issuer, audience, ttlMs, now: this.#parts.now() };
  }

  #checkLifetime(kind: TokenKind, ttlMs: number): void {
    const { maxLifetimeMs } = this.#parts.issuers[kind];
    if (ttlMs <= maxLifetimeMs) return;
    const [what, option, most] =
      kind === "tokens"
        ? ["an access token", "maxTokenMinutes", `${maxLifetimeMs / 60_000} minutes`]
        : ["an API key", "maxApiKeyDays", `${maxLifetimeMs / 86_400_000} days`];
    throw new RpcError(
      "ttl_too_long",
      `${what} is good for ${most} at most: ask for less, or raise auth.keys.${option}`,
    );
  }

  #change(make: () => void): void {
    this.#changeIf(() => {
      make();
      return true;
    });
  }

  /** Makes a change, and tells of it when there was one. */
  #changeIf(make: () => boolean): void {
    const { database, version, onChange } = this.#parts;
    const changed = inTerms(() =>
      database.transaction(() => {
        if (!make()) return false;
        version.bump();
        return true;
      }),
    );
    if (changed) onChange();
  }
}

/** Runs something, and says what the keys or the disk refuse in the terms of the interface. */
function inTerms<T>(run: () => T): T {
  try {
    return run();
  } catch (error) {
    throw refusalOf(error);
  }
}

async function inTermsAsync<T>(run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    throw refusalOf(error);
  }
}

function refusalOf(error: unknown): unknown {
  if (error instanceof DurableError && error.code === "disk_full") {
    return new RpcError("disk_full", error.message, { cause: error });
  }
  if (!(error instanceof IdentityError || error instanceof DurableError)) return error;
  return new RpcError("keys_failed", `${error.message} (${error.code})`, { cause: error });
}
