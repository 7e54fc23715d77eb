import type { RotatingKey, SigningKeyState, TokenKey, TokenKind } from "@catalyst/identity";
import { z } from "zod";
import { bytes, flag, Table } from "../../table.ts";

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

const coordinate = bytes.refine(({ length }) => length === 32);

const storedKey = z
  .object({
    kid: z.string(),
    kind: z.enum(["tokens", "apikeys"]),
    file: z.string(),
    x: coordinate,
    y: coordinate,
    state: z.enum(["next", "signing", "verifying"]),
    since: z.int(),
    signedUntil: z.int(),
  })
  .transform(({ x, y, ...rest }): StoredKey => ({ ...rest, publicKey: { algorithm: "P-256", x, y } }));

const apiKeyRecord = z.object({
  id: z.string(),
  name: z.string(),
  services: z.string().transform((text) => z.array(z.string()).parse(JSON.parse(text))),
  createdAt: z.int(),
  expiresAt: z.int(),
  revokedAt: z.int().nullable(),
  isUnaudited: flag,
});

const deniedKey = z.object({ jti: z.string(), expiresAt: z.int() });

/** The public parts and states of signing keys, on disk. A key itself is never in here. */
export class SigningKeyTable extends Table {
  all(kind: TokenKind): readonly StoredKey[] {
    const sql = `SELECT kid, kind, file, x, y, state, since, signed_until AS signedUntil FROM signing_key
      WHERE kind = ? ORDER BY since, kid`;
    return this.rows(storedKey, sql, kind);
  }

  insert({ kid, kind, file, publicKey, state, since, signedUntil }: StoredKey): void {
    const sql = "INSERT INTO signing_key VALUES (?, ?, ?, ?, ?, ?, ?, ?)";
    this.run(sql, kid, kind, file, publicKey.x, publicKey.y, state, since, signedUntil);
  }

  setState(kid: string, state: SigningKeyState, since: number): void {
    this.run("UPDATE signing_key SET state = ?, since = ? WHERE kid = ?", state, since, kid);
  }

  setSignedUntil(kid: string, signedUntil: number): void {
    this.run("UPDATE signing_key SET signed_until = ? WHERE kid = ?", signedUntil, kid);
  }

  remove(kid: string): void {
    this.run("DELETE FROM signing_key WHERE kid = ?", kid);
  }
}

const selectApiKey = `SELECT id, name, services, created_at AS createdAt, expires_at AS expiresAt,
  revoked_at AS revokedAt, unaudited AS isUnaudited FROM api_key`;

/** What is known of API keys, on disk. */
export class ApiKeyTable extends Table {
  /** By id, or else the one that is good by name, or else the last one that was. */
  find(idOrName: string): ApiKeyRecord | undefined {
    // One that is good comes before those that were revoked, however old it is.
    const byName = "WHERE name = ? ORDER BY revoked_at IS NULL DESC, expires_at DESC LIMIT 1";
    return (
      this.row(apiKeyRecord, `${selectApiKey} WHERE id = ?`, idOrName) ??
      this.row(apiKeyRecord, `${selectApiKey} ${byName}`, idOrName)
    );
  }

  page(after: string, limit: number): ApiKeyRecord[] {
    return this.rows(apiKeyRecord, `${selectApiKey} WHERE id > ? ORDER BY id LIMIT ?`, after, limit);
  }

  insert({ id, name, services, createdAt, expiresAt }: NewApiKey): void {
    const sql = "INSERT INTO api_key (id, name, services, created_at, expires_at) VALUES (?, ?, ?, ?, ?)";
    this.run(sql, id, name, JSON.stringify(services), createdAt, expiresAt);
  }

  /** Takes back a key that nobody was given, unless it was revoked meanwhile. */
  remove(id: string): void {
    this.run("DELETE FROM api_key WHERE id = ? AND revoked_at IS NULL", id);
  }

  /** The audit log lacks an entry of it until {@link audited}. */
  revoke(id: string, at: number): void {
    this.run("UPDATE api_key SET revoked_at = ?, denied = 1, unaudited = 1 WHERE id = ?", at, id);
  }

  audited(id: string): void {
    this.run("UPDATE api_key SET unaudited = 0 WHERE id = ?", id);
  }

  /** Those that are refused although their time is not over. */
  denied(): { readonly jti: string; readonly expiresAt: number }[] {
    const sql = "SELECT id AS jti, expires_at AS expiresAt FROM api_key WHERE denied = 1 ORDER BY id";
    return this.rows(deniedKey, sql);
  }

  /** Denies those no longer that had expired by then; returns how many. */
  letGo(expiredBy: number): number {
    return this.run("UPDATE api_key SET denied = 0 WHERE denied = 1 AND expires_at <= ?", expiredBy);
  }

  /** Denies again those that were let go and have not expired after all: the clock went back. Returns how many. */
  denyAgain(expiredBy: number): number {
    const sql =
      "UPDATE api_key SET denied = 1 WHERE denied = 0 AND revoked_at IS NOT NULL AND expires_at > ?";
    return this.run(sql, expiredBy);
  }

  /** Forgets those that had expired by then, and that no key that is still published can have signed. */
  forget(expiredBy: number): void {
    const sql = `DELETE FROM api_key WHERE expires_at <= ? AND denied = 0 AND NOT EXISTS
      (SELECT 1 FROM signing_key WHERE kind = 'apikeys' AND signed_until >= api_key.expires_at)`;
    this.run(sql, expiredBy);
  }

  /** Those that have not expired, revoked ones among them. */
  countUnexpired(now: number): number {
    return this.number("SELECT count(*) AS value FROM api_key WHERE expires_at > ?", now);
  }

  /** Those that are good: none that expired, was revoked, or was given for longer than is allowed. */
  countLive(now: number, maxLifetimeMs: number): number {
    const sql = `SELECT count(*) AS value FROM api_key
      WHERE expires_at > ? AND revoked_at IS NULL AND expires_at / 1000 - created_at / 1000 <= ? / 1000`;
    return this.number(sql, now, maxLifetimeMs);
  }

  /** Up to ten that are good now and not any more by then. */
  expiringBy(now: number, by: number): ApiKeyRecord[] {
    const sql = `${selectApiKey} WHERE expires_at > ? AND expires_at <= ? AND revoked_at IS NULL LIMIT 10`;
    return this.rows(apiKeyRecord, sql, now, by);
  }
}

/** The version of what everybody has to know, on disk: it never goes back. */
export class VersionCounter extends Table {
  get current(): number {
    return this.number("SELECT value FROM counter WHERE name = 'version'");
  }

  /** Part of the transaction that makes the change. */
  bump(): void {
    this.run("UPDATE counter SET value = value + 1 WHERE name = 'version'");
  }
}
