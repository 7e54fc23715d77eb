import type { Database, SqlRow, Statement } from "@catalyst/durable";
import type { RotatingKey, SigningKeyState, TokenKey, TokenKind } from "@catalyst/identity";
import { z } from "zod";

/** Schema of `auth.db`, oldest first; a release only ever appends. */
export const authMigrations: readonly string[] = [
  `CREATE TABLE signing_key (
     kid TEXT PRIMARY KEY,
     kind TEXT NOT NULL,
     file TEXT NOT NULL,
     x BLOB NOT NULL,
     y BLOB NOT NULL,
     state TEXT NOT NULL,
     since INTEGER NOT NULL,
     signed_until INTEGER NOT NULL
   ) STRICT;
   CREATE UNIQUE INDEX signing_key_turn ON signing_key (kind, state) WHERE state <> 'verifying';
   CREATE TABLE api_key (
     id TEXT PRIMARY KEY,
     name TEXT NOT NULL,
     services TEXT NOT NULL,
     created_at INTEGER NOT NULL,
     expires_at INTEGER NOT NULL,
     revoked_at INTEGER,
     denied INTEGER NOT NULL DEFAULT 0
   ) STRICT;
   CREATE INDEX api_key_name ON api_key (name, created_at);
   CREATE INDEX api_key_end ON api_key (expires_at);
   CREATE INDEX api_key_denied ON api_key (denied) WHERE denied = 1;
   CREATE TABLE counter (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT;
   INSERT INTO counter VALUES ('version', 1);`,
  "ALTER TABLE api_key ADD COLUMN unaudited INTEGER NOT NULL DEFAULT 0;",
  `CREATE TABLE authority (
     file TEXT PRIMARY KEY,
     role TEXT NOT NULL,
     certificate BLOB NOT NULL,
     since INTEGER NOT NULL
   ) STRICT;
   CREATE TABLE join_token (
     id TEXT PRIMARY KEY,
     node TEXT NOT NULL,
     secret BLOB NOT NULL,
     created_at INTEGER NOT NULL,
     expires_at INTEGER NOT NULL,
     used_by BLOB,
     answer BLOB,
     unaudited INTEGER NOT NULL DEFAULT 0
   ) STRICT;
   CREATE TABLE certificate (
     serial TEXT PRIMARY KEY,
     node TEXT NOT NULL,
     process TEXT NOT NULL,
     issued_at INTEGER NOT NULL,
     expires_at INTEGER NOT NULL
   ) STRICT;
   CREATE INDEX certificate_node ON certificate (node, expires_at);
   CREATE INDEX certificate_end ON certificate (expires_at);
   CREATE TABLE denial (
     node TEXT NOT NULL,
     serial TEXT NOT NULL,
     since INTEGER NOT NULL,
     until INTEGER,
     unaudited INTEGER NOT NULL DEFAULT 1,
     PRIMARY KEY (node, serial)
   ) STRICT;`,
  "ALTER TABLE join_token ADD COLUMN revoked_at INTEGER;",
  "CREATE TABLE revoked_token (jti TEXT PRIMARY KEY, until INTEGER NOT NULL) STRICT;",
];

/** A key of which the public part is kept for as long as it verifies, and the private one for as long as it may sign. */
export type StoredKey = RotatingKey & {
  readonly kind: TokenKind;
  /** Under which name the key store has its private part. */
  readonly file: string;
  readonly publicKey: TokenKey;
};

/** What is kept of an API key. Times are milliseconds since 1970. */
export type ApiKeyRecord = {
  readonly id: string;
  readonly name: string;
  readonly services: readonly string[];
  readonly createdAt: number;
  readonly expiresAt: number;
  readonly revokedAt: number | null;
  /** Whether the audit log has no entry of the revocation yet. */
  readonly isUnaudited: boolean;
};

/** One that is good from now on. */
export type NewApiKey = Omit<ApiKeyRecord, "revokedAt" | "isUnaudited">;

const bytes = z.instanceof(Uint8Array).refine(({ length }) => length === 32);

const storedKey = z
  .object({
    kid: z.string(),
    kind: z.enum(["tokens", "apikeys"]),
    file: z.string(),
    x: bytes,
    y: bytes,
    state: z.enum(["next", "signing", "verifying"]),
    since: z.int(),
    signed_until: z.int(),
  })
  .transform(({ x, y, signed_until: signedUntil, ...rest }): StoredKey => {
    return { ...rest, signedUntil, publicKey: { algorithm: "P-256", x, y } };
  });

const apiKeyRecord = z
  .object({
    id: z.string(),
    name: z.string(),
    services: z.string().transform((text) => z.array(z.string()).parse(JSON.parse(text))),
    created_at: z.int(),
    expires_at: z.int(),
    revoked_at: z.int().nullable(),
    unaudited: z.int(),
  })
  .transform(({ created_at, expires_at, revoked_at, unaudited, ...rest }): ApiKeyRecord => {
    const times = { createdAt: created_at, expiresAt: expires_at, revokedAt: revoked_at };
    return { ...rest, ...times, isUnaudited: unaudited === 1 };
  });

const readKey = (row: SqlRow) => storedKey.parse(row);
const readApiKey = (row: SqlRow) => apiKeyRecord.parse(row);
const readCount = ({ value }: SqlRow) => Number(value);

/** The public parts and states of signing keys, on disk. A key itself is never in here. */
export class SigningKeyTable {
  readonly #all: Statement<StoredKey>;
  readonly #put: Statement<SqlRow>;
  readonly #state: Statement<SqlRow>;
  readonly #signed: Statement<SqlRow>;
  readonly #delete: Statement<SqlRow>;

  constructor(database: Database) {
    this.#all = database.prepare("SELECT * FROM signing_key WHERE kind = ? ORDER BY since, kid", readKey);
    this.#put = database.prepare("INSERT INTO signing_key VALUES (?, ?, ?, ?, ?, ?, ?, ?)");
    this.#state = database.prepare("UPDATE signing_key SET state = ?, since = ? WHERE kid = ?");
    this.#signed = database.prepare("UPDATE signing_key SET signed_until = ? WHERE kid = ?");
    this.#delete = database.prepare("DELETE FROM signing_key WHERE kid = ?");
  }

  all(kind: TokenKind): readonly StoredKey[] {
    return this.#all.all(kind);
  }

  insert({ kid, kind, file, publicKey, state, since, signedUntil }: StoredKey): void {
    this.#put.run(kid, kind, file, publicKey.x, publicKey.y, state, since, signedUntil);
  }

  setState(kid: string, state: SigningKeyState, since: number): void {
    this.#state.run(state, since, kid);
  }

  setSignedUntil(kid: string, signedUntil: number): void {
    this.#signed.run(signedUntil, kid);
  }

  remove(kid: string): void {
    this.#delete.run(kid);
  }
}

/** What is known of API keys, on disk. */
export class ApiKeyTable {
  readonly #byId: Statement<ApiKeyRecord>;
  readonly #byName: Statement<ApiKeyRecord>;
  readonly #page: Statement<ApiKeyRecord>;
  readonly #put: Statement<SqlRow>;
  readonly #remove: Statement<SqlRow>;
  readonly #revoke: Statement<SqlRow>;
  readonly #audited: Statement<SqlRow>;
  readonly #denied: Statement<{ jti: string; expiresAt: number }>;
  readonly #letGo: Statement<SqlRow>;
  readonly #denyAgain: Statement<SqlRow>;
  readonly #forget: Statement<SqlRow>;
  readonly #unexpired: Statement<number>;
  readonly #live: Statement<number>;
  readonly #expiring: Statement<ApiKeyRecord>;

  constructor(database: Database) {
    const columns = "id, name, services, created_at, expires_at, revoked_at, unaudited";
    const select = (rest: string) => database.prepare(`SELECT ${columns} FROM api_key ${rest}`, readApiKey);
    const count = (rest: string) =>
      database.prepare(`SELECT count(*) AS value FROM api_key WHERE ${rest}`, readCount);
    this.#byId = select("WHERE id = ?");
    // One that is good comes before those that were revoked, however old it is.
    this.#byName = select("WHERE name = ? ORDER BY revoked_at IS NULL DESC, expires_at DESC LIMIT 1");
    this.#page = select("WHERE id > ? ORDER BY id LIMIT ?");
    this.#put = database.prepare(`INSERT INTO api_key (${columns}) VALUES (?, ?, ?, ?, ?, NULL, 0)`);
    this.#remove = database.prepare("DELETE FROM api_key WHERE id = ? AND revoked_at IS NULL");
    this.#revoke = database.prepare(
      "UPDATE api_key SET revoked_at = ?, denied = 1, unaudited = 1 WHERE id = ?",
    );
    this.#audited = database.prepare("UPDATE api_key SET unaudited = 0 WHERE id = ?");
    this.#denied = database.prepare(
      "SELECT id, expires_at FROM api_key WHERE denied = 1 ORDER BY id",
      ({ id, expires_at }) => ({ jti: String(id), expiresAt: Number(expires_at) }),
    );
    this.#letGo = database.prepare("UPDATE api_key SET denied = 0 WHERE denied = 1 AND expires_at <= ?");
    this.#denyAgain = database.prepare(
      "UPDATE api_key SET denied = 1 WHERE denied = 0 AND revoked_at IS NOT NULL AND expires_at > ?",
    );
    this.#forget = database.prepare(
      `DELETE FROM api_key WHERE expires_at <= ? AND denied = 0 AND NOT EXISTS
       (SELECT 1 FROM signing_key WHERE kind = 'apikeys' AND signed_until >= api_key.expires_at)`,
    );
    this.#unexpired = count("expires_at > ?");
    this.#live = count(
      "expires_at > ? AND revoked_at IS NULL AND expires_at / 1000 - created_at / 1000 <= ? / 1000",
    );
    this.#expiring = select("WHERE expires_at > ? AND expires_at <= ? AND revoked_at IS NULL LIMIT 10");
  }

  /** By id, or else the one that is good by name, or else the last one that was. */
  find(idOrName: string): ApiKeyRecord | undefined {
    return this.#byId.get(idOrName) ?? this.#byName.get(idOrName);
  }

  page(after: string, limit: number): ApiKeyRecord[] {
    return this.#page.all(after, limit);
  }

  insert({ id, name, services, createdAt, expiresAt }: NewApiKey): void {
    this.#put.run(id, name, JSON.stringify(services), createdAt, expiresAt);
  }

  /** Takes back a key that nobody was given, unless it was revoked meanwhile. */
  remove(id: string): void {
    this.#remove.run(id);
  }

  /** The audit log lacks an entry of it until {@link audited}. */
  revoke(id: string, at: number): void {
    this.#revoke.run(at, id);
  }

  audited(id: string): void {
    this.#audited.run(id);
  }

  /** Those that are refused although their time is not over. */
  denied(): { readonly jti: string; readonly expiresAt: number }[] {
    return this.#denied.all();
  }

  /** Denies those no longer that had expired by then; returns how many. */
  letGo(expiredBy: number): number {
    return this.#letGo.run(expiredBy);
  }

  /** Denies again those that were let go and have not expired after all: the clock went back. Returns how many. */
  denyAgain(expiredBy: number): number {
    return this.#denyAgain.run(expiredBy);
  }

  /** Forgets those that had expired by then, and that no key that is still published can have signed. */
  forget(expiredBy: number): void {
    this.#forget.run(expiredBy);
  }

  /** Those that have not expired, revoked ones among them. */
  countUnexpired(now: number): number {
    return this.#unexpired.get(now) ?? 0;
  }

  /** Those that are good: none that expired, was revoked, or was given for longer than is allowed. */
  countLive(now: number, maxLifetimeMs: number): number {
    return this.#live.get(now, maxLifetimeMs) ?? 0;
  }

  /** Up to ten that are good now and not any more by then. */
  expiringBy(now: number, by: number): ApiKeyRecord[] {
    return this.#expiring.all(now, by);
  }
}

/** The version of what everybody has to know, on disk: it never goes back. */
export class VersionCounter {
  readonly #read: Statement<number>;
  readonly #bump: Statement<SqlRow>;

  constructor(database: Database) {
    this.#read = database.prepare("SELECT value FROM counter WHERE name = 'version'", readCount);
    this.#bump = database.prepare("UPDATE counter SET value = value + 1 WHERE name = 'version'");
  }

  get current(): number {
    return this.#read.get() ?? 1;
  }

  /** Part of the transaction that makes the change. */
  bump(): void {
    this.#bump.run();
  }
}
