import type { Database, SqlRow, Statement } from "@catalyst/durable";
import { z } from "zod";

/** The certificate of an authority; `file` is the name of its key in the key store. */
export type StoredAuthority = {
  readonly file: string;
  readonly role: "root" | "issuing";
  /** DER. */
  readonly certificate: Uint8Array;
  /** Milliseconds since 1970. */
  readonly since: number;
};

/** A join token, from when it is made until it has expired. Times are milliseconds since 1970. */
export type StoredJoinToken = {
  readonly id: string;
  readonly node: string;
  readonly secret: Uint8Array;
  readonly createdAt: number;
  readonly expiresAt: number;
  /** The digest of the requests that consumed it; null as long as none did. */
  readonly usedBy: Uint8Array | null;
  /** What they were answered, so that an answer that was lost on its way can be given once more. */
  readonly answer: Uint8Array | null;
  /** When it was taken back; null as long as it was not. */
  readonly revokedAt: number | null;
  /** Whether the audit log has no entry of the enrolment, or of the withdrawal, yet. */
  readonly isUnaudited: boolean;
};

/** A certificate that was issued and has not expired. */
export type IssuedCertificate = {
  readonly serial: string;
  readonly node: string;
  readonly process: string;
  readonly issuedAt: number;
  readonly expiresAt: number;
};

/** A node that is admitted no more, or one certificate of it. */
export type StoredDenial = {
  readonly node: string;
  readonly serial: string | null;
  readonly since: number;
  /** When it may be forgotten: the certificate has expired by then. Null for a node. */
  readonly until: number | null;
  readonly isUnaudited: boolean;
};

const bytes = z.instanceof(Uint8Array);

const storedAuthority = z.object({
  file: z.string(),
  role: z.enum(["root", "issuing"]),
  certificate: bytes,
  since: z.int(),
});

const storedJoinToken = z
  .object({
    id: z.string(),
    node: z.string(),
    secret: bytes,
    created_at: z.int(),
    expires_at: z.int(),
    used_by: bytes.nullable(),
    answer: bytes.nullable(),
    unaudited: z.int(),
    revoked_at: z.int().nullable(),
  })
  .transform(({ id, node, secret, answer, ...row }): StoredJoinToken => {
    const times = { createdAt: row.created_at, expiresAt: row.expires_at, revokedAt: row.revoked_at };
    return { id, node, secret, answer, ...times, usedBy: row.used_by, isUnaudited: row.unaudited === 1 };
  });

const issuedCertificate = z
  .object({
    serial: z.string(),
    node: z.string(),
    process: z.string(),
    issued_at: z.int(),
    expires_at: z.int(),
  })
  .transform(({ issued_at: issuedAt, expires_at: expiresAt, ...rest }): IssuedCertificate => {
    return { ...rest, issuedAt, expiresAt };
  });

const storedDenial = z
  .object({
    node: z.string(),
    serial: z.string(),
    since: z.int(),
    until: z.int().nullable(),
    unaudited: z.int(),
  })
  .transform(({ serial, unaudited, ...rest }): StoredDenial => {
    return { ...rest, serial: serial === "" ? null : serial, isUnaudited: unaudited === 1 };
  });

/** The authorities' certificates, on disk. */
export class AuthorityTable {
  readonly #all: Statement<StoredAuthority>;
  readonly #put: Statement<SqlRow>;
  readonly #remove: Statement<SqlRow>;

  constructor(database: Database) {
    this.#all = database.prepare("SELECT * FROM authority ORDER BY since DESC, file", (row) =>
      storedAuthority.parse(row),
    );
    this.#put = database.prepare("INSERT INTO authority VALUES (?, ?, ?, ?)");
    this.#remove = database.prepare("DELETE FROM authority WHERE file = ?");
  }

  /** The newest first. */
  all(role: StoredAuthority["role"]): readonly StoredAuthority[] {
    return this.#all.all().filter((each) => each.role === role);
  }

  insert({ file, role, certificate, since }: StoredAuthority): void {
    this.#put.run(file, role, certificate, since);
  }

  remove(file: string): void {
    this.#remove.run(file);
  }
}

/** Join tokens, on disk; their secrets go when they expire. */
export class JoinTokenTable {
  readonly #get: Statement<StoredJoinToken>;
  readonly #all: Statement<StoredJoinToken>;
  readonly #put: Statement<SqlRow>;
  readonly #consume: Statement<SqlRow>;
  readonly #revoke: Statement<SqlRow>;
  readonly #audited: Statement<SqlRow>;
  readonly #forget: Statement<SqlRow>;
  readonly #open: Statement<number>;

  constructor(database: Database) {
    const read = (row: SqlRow) => storedJoinToken.parse(row);
    this.#get = database.prepare("SELECT * FROM join_token WHERE id = ?", read);
    this.#all = database.prepare(
      "SELECT * FROM join_token WHERE expires_at > ? ORDER BY created_at, id",
      read,
    );
    this.#put = database.prepare("INSERT INTO join_token VALUES (?, ?, ?, ?, ?, NULL, NULL, 0, NULL)");
    this.#consume = database.prepare(
      "UPDATE join_token SET used_by = ?, answer = ?, unaudited = 1 WHERE id = ? AND used_by IS NULL AND revoked_at IS NULL AND expires_at > ?",
    );
    this.#revoke = database.prepare(
      "UPDATE join_token SET revoked_at = ?, unaudited = 1 WHERE id = ? AND used_by IS NULL AND revoked_at IS NULL",
    );
    this.#audited = database.prepare("UPDATE join_token SET unaudited = 0 WHERE id = ?");
    this.#forget = database.prepare("DELETE FROM join_token WHERE expires_at <= ?");
    this.#open = database.prepare("SELECT count(*) AS value FROM join_token", ({ value }) => Number(value));
  }

  get(id: string): StoredJoinToken | undefined {
    return this.#get.get(id);
  }

  /** Those that have not expired, the oldest first. */
  live(now: number): readonly StoredJoinToken[] {
    return this.#all.all(now);
  }

  insert({
    id,
    node,
    secret,
    createdAt,
    expiresAt,
  }: Omit<StoredJoinToken, "usedBy" | "answer" | "revokedAt" | "isUnaudited">): void {
    this.#put.run(id, node, secret, createdAt, expiresAt);
  }

  /** Whether these requests are the ones that consume it: of those that race, exactly one. */
  consume(id: string, usedBy: Uint8Array, answer: Uint8Array, now: number): boolean {
    return this.#consume.run(usedBy, answer, id, now) === 1;
  }

  /** Whether it is taken back by this: one that was used, or was taken back before, is not. */
  revoke(id: string, now: number): boolean {
    return this.#revoke.run(now, id) === 1;
  }

  audited(id: string): void {
    this.#audited.run(id);
  }

  forget(expiredBy: number): void {
    this.#forget.run(expiredBy);
  }

  count(): number {
    return this.#open.get() ?? 0;
  }
}

/** The certificates that were issued and are still good, on disk. */
export class CertificateTable {
  readonly #put: Statement<SqlRow>;
  readonly #of: Statement<IssuedCertificate>;
  readonly #live: Statement<IssuedCertificate>;
  readonly #forget: Statement<SqlRow>;

  constructor(database: Database) {
    const select = (rest: string) =>
      database.prepare(`SELECT * FROM certificate WHERE ${rest}`, (row) => issuedCertificate.parse(row));
    this.#put = database.prepare("INSERT INTO certificate VALUES (?, ?, ?, ?, ?)");
    this.#of = select("node = ? AND expires_at > ? ORDER BY issued_at, process");
    this.#live = select("expires_at > ? ORDER BY node, process, issued_at");
    this.#forget = database.prepare("DELETE FROM certificate WHERE expires_at <= ?");
  }

  insert({ serial, node, process, issuedAt, expiresAt }: IssuedCertificate): void {
    this.#put.run(serial, node, process, issuedAt, expiresAt);
  }

  ofNode(node: string, now: number): readonly IssuedCertificate[] {
    return this.#of.all(node, now);
  }

  live(now: number): readonly IssuedCertificate[] {
    return this.#live.all(now);
  }

  forget(expiredBy: number): void {
    this.#forget.run(expiredBy);
  }
}

/** Who is admitted no more, on disk. */
export class DenialTable {
  readonly #all: Statement<StoredDenial>;
  readonly #get: Statement<StoredDenial>;
  readonly #put: Statement<SqlRow>;
  readonly #remove: Statement<SqlRow>;
  readonly #audited: Statement<SqlRow>;
  readonly #forget: Statement<SqlRow>;

  constructor(database: Database) {
    const read = (row: SqlRow) => storedDenial.parse(row);
    this.#all = database.prepare("SELECT * FROM denial ORDER BY node, serial", read);
    this.#get = database.prepare("SELECT * FROM denial WHERE node = ? AND serial = ?", read);
    this.#put = database.prepare("INSERT OR IGNORE INTO denial VALUES (?, ?, ?, ?, ?)");
    this.#remove = database.prepare("DELETE FROM denial WHERE node = ? AND serial = ?");
    this.#audited = database.prepare("UPDATE denial SET unaudited = 0 WHERE node = ? AND serial = ?");
    this.#forget = database.prepare("DELETE FROM denial WHERE until <= ?");
  }

  all(): readonly StoredDenial[] {
    return this.#all.all();
  }

  get(node: string, serial: string | null): StoredDenial | undefined {
    return this.#get.get(node, serial ?? "");
  }

  insert({ node, serial, since, until, isUnaudited }: StoredDenial): void {
    this.#put.run(node, serial ?? "", since, until, isUnaudited ? 1 : 0);
  }

  /** Takes back that a node is denied; its denied certificates stay so. Whether it was. */
  removeNode(node: string): boolean {
    return this.#remove.run(node, "") === 1;
  }

  audited(node: string, serial: string | null): void {
    this.#audited.run(node, serial ?? "");
  }

  /** Returns how many were not needed any more. */
  forget(expiredBy: number): number {
    return this.#forget.run(expiredBy);
  }
}
