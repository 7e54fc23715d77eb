import { z } from "zod";
import { bytes, flag, Table } from "../../table.ts";

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

const storedAuthority = z.object({
  file: z.string(),
  role: z.enum(["root", "issuing"]),
  certificate: bytes,
  since: z.int(),
});

const storedJoinToken = z.object({
  id: z.string(),
  node: z.string(),
  secret: bytes,
  createdAt: z.int(),
  expiresAt: z.int(),
  usedBy: bytes.nullable(),
  answer: bytes.nullable(),
  isUnaudited: flag,
  revokedAt: z.int().nullable(),
});

const issuedCertificate = z.object({
  serial: z.string(),
  node: z.string(),
  process: z.string(),
  issuedAt: z.int(),
  expiresAt: z.int(),
});

const storedDenial = z.object({
  node: z.string(),
  serial: z.string().nullable(),
  since: z.int(),
  until: z.int().nullable(),
  isUnaudited: flag,
});

/** The authorities' certificates, on disk. */
export class AuthorityTable extends Table {
  /** The newest first. */
  all(role: StoredAuthority["role"]): readonly StoredAuthority[] {
    return this.rows(
      storedAuthority,
      "SELECT * FROM authority WHERE role = ? ORDER BY since DESC, file",
      role,
    );
  }

  insert({ file, role, certificate, since }: StoredAuthority): void {
    this.run("INSERT INTO authority VALUES (?, ?, ?, ?)", file, role, certificate, since);
  }

  remove(file: string): void {
    this.run("DELETE FROM authority WHERE file = ?", file);
  }
}

const selectJoinToken = `SELECT id, node, secret, created_at AS createdAt, expires_at AS expiresAt, used_by AS usedBy,
  answer, unaudited AS isUnaudited, revoked_at AS revokedAt FROM join_token`;

/** Join tokens, on disk; their secrets go when they expire. */
export class JoinTokenTable extends Table {
  get(id: string): StoredJoinToken | undefined {
    return this.row(storedJoinToken, `${selectJoinToken} WHERE id = ?`, id);
  }

  /** Those that have not expired, the oldest first. */
  live(now: number): readonly StoredJoinToken[] {
    return this.rows(storedJoinToken, `${selectJoinToken} WHERE expires_at > ? ORDER BY created_at, id`, now);
  }

  insert(token: Omit<StoredJoinToken, "usedBy" | "answer" | "revokedAt" | "isUnaudited">): void {
    const { id, node, secret, createdAt, expiresAt } = token;
    const sql = "INSERT INTO join_token VALUES (?, ?, ?, ?, ?, NULL, NULL, 0, NULL)";
    this.run(sql, id, node, secret, createdAt, expiresAt);
  }

  /** Whether these requests are the ones that consume it: of those that race, exactly one. */
  consume(id: string, usedBy: Uint8Array, answer: Uint8Array, now: number): boolean {
    const sql = `UPDATE join_token SET used_by = ?, answer = ?, unaudited = 1
      WHERE id = ? AND used_by IS NULL AND revoked_at IS NULL AND expires_at > ?`;
    return this.run(sql, usedBy, answer, id, now) === 1;
  }

  /** Whether it is taken back by this: one that was used, or was taken back before, is not. */
  revoke(id: string, now: number): boolean {
    const sql = `UPDATE join_token SET revoked_at = ?, unaudited = 1
      WHERE id = ? AND used_by IS NULL AND revoked_at IS NULL`;
    return this.run(sql, now, id) === 1;
  }

  audited(id: string): void {
    this.run("UPDATE join_token SET unaudited = 0 WHERE id = ?", id);
  }

  forget(expiredBy: number): void {
    this.run("DELETE FROM join_token WHERE expires_at <= ?", expiredBy);
  }

  count(): number {
    return this.number("SELECT count(*) AS value FROM join_token");
  }
}

const selectCertificate =
  "SELECT serial, node, process, issued_at AS issuedAt, expires_at AS expiresAt FROM certificate";

/** The certificates that were issued and are still good, on disk. */
export class CertificateTable extends Table {
  insert({ serial, node, process, issuedAt, expiresAt }: IssuedCertificate): void {
    const sql = "INSERT INTO certificate VALUES (?, ?, ?, ?, ?)";
    this.run(sql, serial, node, process, issuedAt, expiresAt);
  }

  ofNode(node: string, now: number): readonly IssuedCertificate[] {
    const sql = `${selectCertificate} WHERE node = ? AND expires_at > ? ORDER BY issued_at, process`;
    return this.rows(issuedCertificate, sql, node, now);
  }

  live(now: number): readonly IssuedCertificate[] {
    const sql = `${selectCertificate} WHERE expires_at > ? ORDER BY node, process, issued_at`;
    return this.rows(issuedCertificate, sql, now);
  }

  forget(expiredBy: number): void {
    this.run("DELETE FROM certificate WHERE expires_at <= ?", expiredBy);
  }
}

const selectDenial =
  "SELECT node, nullif(serial, '') AS serial, since, until, unaudited AS isUnaudited FROM denial";

/** Who is admitted no more, on disk. A whole node has the serial number '' there. */
export class DenialTable extends Table {
  all(): readonly StoredDenial[] {
    return this.rows(storedDenial, `${selectDenial} ORDER BY denial.node, denial.serial`);
  }

  get(node: string, serial: string | null): StoredDenial | undefined {
    const sql = `${selectDenial} WHERE denial.node = ? AND denial.serial = ?`;
    return this.row(storedDenial, sql, node, serial ?? "");
  }

  insert({ node, serial, since, until, isUnaudited }: StoredDenial): void {
    const sql = "INSERT OR IGNORE INTO denial VALUES (?, ?, ?, ?, ?)";
    this.run(sql, node, serial ?? "", since, until, isUnaudited ? 1 : 0);
  }

  /** Takes back that a node is denied; its denied certificates stay so. Whether it was. */
  removeNode(node: string): boolean {
    return this.run("DELETE FROM denial WHERE node = ? AND serial = ''", node) === 1;
  }

  audited(node: string, serial: string | null): void {
    this.run("UPDATE denial SET unaudited = 0 WHERE node = ? AND serial = ?", node, serial ?? "");
  }

  /** Returns how many were not needed any more. */
  forget(expiredBy: number): number {
    return this.run("DELETE FROM denial WHERE until <= ?", expiredBy);
  }
}
