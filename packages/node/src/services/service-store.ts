import { serviceDeclaration } from "@catalyst/rpc";
import { z } from "zod";
import { Table } from "../table.ts";
import type { Instant, ServiceChange, ServiceEntry } from "./service-table.ts";

/** Schema of `orchestrator.db`, oldest first; a release only ever appends. */
export const orchestratorMigrations: readonly string[] = [
  `CREATE TABLE service (
     name TEXT PRIMARY KEY,
     declaration TEXT NOT NULL,
     revision TEXT NOT NULL,
     lease_id TEXT,
     lease_ttl_ms INTEGER
   ) STRICT;
   CREATE TABLE counter (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT;`,
  "ALTER TABLE service ADD COLUMN lease_holder TEXT;",
  `CREATE TABLE peer (
     node TEXT PRIMARY KEY,
     address TEXT,
     anchor BLOB,
     fingerprint TEXT NOT NULL,
     invitation TEXT NOT NULL,
     since INTEGER NOT NULL,
     removed INTEGER NOT NULL DEFAULT 0,
     unaudited TEXT
   ) STRICT;
   CREATE TABLE invitation (
     id TEXT PRIMARY KEY,
     secret BLOB NOT NULL,
     peer TEXT,
     created_at INTEGER NOT NULL,
     expires_at INTEGER NOT NULL,
     used_by TEXT,
     wrong_proofs INTEGER NOT NULL DEFAULT 0
   ) STRICT;`,
  "ALTER TABLE invitation DROP COLUMN wrong_proofs;",
];

const storedRow = z.object({
  name: z.string(),
  declaration: z.string(),
  revision: z.string(),
  lease_id: z.string().nullable(),
  lease_ttl_ms: z.int().nullable(),
  lease_holder: z.string().nullable(),
});
type Row = z.infer<typeof storedRow>;

/** Services declared at run time, on disk: what was answered survives whatever happens next. */
export class ServiceStore extends Table {
  /**
   * What was kept. A lease starts anew: while the orchestrator was away nobody could renew it. A row that
   * this release does not understand is passed to `onUnreadable` and left out.
   */
  load(now: Instant, onUnreadable: (name: string, problem: string) => void): ServiceEntry[] {
    const entries: ServiceEntry[] = [];
    for (const row of this.rows(storedRow, "SELECT * FROM service ORDER BY name")) {
      try {
        entries.push(entryOf(row, now));
      } catch (error) {
        onUnreadable(row.name, (error as Error).message);
      }
    }
    return entries;
  }

  write(change: ServiceChange): void {
    if (change.kind === "remove") {
      this.run("DELETE FROM service WHERE name = ?", change.name);
      return;
    }
    const { service, revision, lease } = change.entry;
    const held = [lease?.id ?? null, lease?.ttlMs ?? null, lease?.holder ?? null] as const;
    const sql = `INSERT OR REPLACE INTO service (name, declaration, revision, lease_id, lease_ttl_ms, lease_holder)
      VALUES (?, ?, ?, ?, ?, ?)`;
    this.run(sql, service.name, JSON.stringify(service), revision, ...held);
  }

  /** Counts up durably, from 1. */
  next(counter: string): number {
    const sql = `INSERT INTO counter (name, value) VALUES (?, 1)
      ON CONFLICT (name) DO UPDATE SET value = value + 1 RETURNING value`;
    return this.number(sql, counter);
  }
}

function entryOf(row: Row, now: Instant): ServiceEntry {
  const service = serviceDeclaration.parse(JSON.parse(row.declaration));
  const { lease_id: id, lease_ttl_ms: ttlMs, lease_holder: holder } = row;
  const lease =
    id === null
      ? null
      : {
          id,
          holder: holder ?? "an unknown instance",
          ttlMs: ttlMs ?? 0,
          renewedAt: now,
          healthy: true,
          detail: null,
        };
  return { service, origin: lease === null ? "runtime" : "lease", revision: row.revision, lease };
}
