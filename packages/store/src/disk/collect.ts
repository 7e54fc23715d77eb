import { type Database, DurableError } from "@catalyst/durable";
import type { Cid } from "@catalyst/wire";
import { defaultGraceMs, type GcOptions, type GcReport } from "../store.ts";
import type { DiskParts } from "./parts.ts";
import { checkKeeping, checkRecords } from "./soundness.ts";

/** Rows that one transaction looks at, so that writers have their turn in between. */
const batchRows = 500;

/** Nothing that is linked, pinned or referred to at this moment, whatever was marked before. */
const unkept = `
  NOT EXISTS (SELECT 1 FROM live WHERE live.cid = object.cid) AND NOT EXISTS (SELECT 1 FROM link WHERE link.cid = object.cid)
  AND NOT EXISTS (SELECT 1 FROM pin WHERE pin.cid = object.cid)`;

/** Mark and sweep over the tables of a store; one run at a time. */
export class Collector {
  readonly #parts: DiskParts;
  readonly #statements: ReturnType<typeof prepare>;
  #running: Promise<unknown> = Promise.resolve();

  constructor(parts: DiskParts) {
    this.#parts = parts;
    this.#statements = prepare(parts.database);
  }

  /** {@link Store.gc} on disk. Throws `database_damaged` or `record_damaged` when the database is not what was written. */
  run(options: GcOptions): Promise<GcReport> {
    const run = this.#running.then(() => this.#collect(options));
    this.#running = run.catch(() => {}); // whoever asked for it is told
    return run;
  }

  async #collect({ roots, graceMs = defaultGraceMs, onRemoved }: GcOptions): Promise<GcReport> {
    const { commits, now, emit, garbage } = this.#parts;
    const start = now();
    await checkKeeping(this.#parts);
    await checkRecords(this.#parts);
    await commits.run(() => this.#statements.expirePins.run(start));
    await this.#markLive(roots);
    const marked = await this.#condemn(start, start - graceMs);
    const { removed, removedBytes } = await this.#reclaim(start, start - graceMs, onRemoved);
    await garbage.remove();
    this.#shortenLog();
    await commits.run(() => this.#statements.collected.run(now()));
    emit({ kind: "collected", marked, removed, removedBytes });
    return { marked, removed, removedBytes, kept: this.#statements.count.get() ?? 0 };
  }

  /** Gives the space of the database's log back, where the disk has room for what is in it. */
  #shortenLog(): void {
    try {
      this.#statements.checkpoint.get();
    } catch (error) {
      if (!(error instanceof DurableError && error.code === "disk_full")) throw error;
    }
  }

  async #markLive(roots: GcOptions["roots"]): Promise<void> {
    const { clear, addLive, addKept, addReferred } = this.#statements;
    clear.run();
    for await (const cid of roots) addLive.run(cid);
    for (const cid of this.#parts.receiving) addLive.run(cid);
    addKept.run();
    while (addReferred.run() > 0);
  }

  /** What was put, linked, pinned or referred to since the cutoff is spared, and what is live is spared again. */
  async #condemn(now: number, cutoff: number): Promise<number> {
    const { condemn, spare, lastId } = this.#statements;
    let marked = 0;
    const last = lastId.get() ?? 0;
    for (let from = 0; from <= last; from += batchRows) {
      marked += await this.#parts.commits.run(() => {
        spare.run(from, from + batchRows);
        return condemn.run(now, from, from + batchRows, cutoff);
      });
    }
    return marked;
  }

  /** Parents before what they refer to: what is still referred to waits for the next batch. */
  async #reclaim(
    now: number,
    cutoff: number,
    onRemoved: GcOptions["onRemoved"],
  ): Promise<{ removed: number; removedBytes: number }> {
    const { condemned } = this.#statements;
    const { commits, objects, garbage, receiving } = this.#parts;
    let removed = 0;
    let removedBytes = 0;
    for (;;) {
      const batch = await commits.run(() => {
        const rows = condemned.all(now, cutoff).filter(({ cid }) => !receiving.has(cid));
        for (const { id, inline } of rows) {
          if (!inline) garbage.note(id);
          objects.remove(id);
        }
        return rows;
      });
      if (batch.length === 0) return { removed, removedBytes };
      removed += batch.length;
      for (const { cid, size } of batch) {
        removedBytes += size;
        onRemoved?.(cid);
      }
    }
  }
}

function prepare(database: Database) {
  database.prepare("CREATE TEMP TABLE live (cid TEXT PRIMARY KEY) WITHOUT ROWID").run();
  return {
    clear: database.prepare("DELETE FROM live"),
    addLive: database.prepare("INSERT OR IGNORE INTO live VALUES (?)"),
    addKept: database.prepare("INSERT OR IGNORE INTO live SELECT cid FROM link UNION SELECT cid FROM pin"),
    addReferred: database.prepare(`
      INSERT OR IGNORE INTO live SELECT reference.cid FROM reference CROSS JOIN object ON object.id = reference.parent
      WHERE object.cid IN (SELECT cid FROM live)`),
    expirePins: database.prepare("DELETE FROM pin WHERE until <= ?"),
    spare: database.prepare(`
      UPDATE object SET condemned_at = NULL
      WHERE id >= ? AND id < ? AND condemned_at IS NOT NULL
        AND EXISTS (SELECT 1 FROM live WHERE live.cid = object.cid)`),
    condemn: database.prepare(`
      UPDATE object SET condemned_at = ?
      WHERE id >= ? AND id < ? AND state <> 'incoming' AND condemned_at IS NULL AND used_at < ? AND ${unkept}`),
    condemned: database.prepare(
      `SELECT id, cid, size, inline FROM object
       WHERE condemned_at < ? AND condemned_at <= ? AND ${unkept}
         AND NOT EXISTS (SELECT 1 FROM reference WHERE reference.cid = object.cid)
       LIMIT ${batchRows}`,
      ({ id, cid, size, inline }) => ({
        id: Number(id),
        cid: cid as Cid,
        size: Number(size),
        inline: inline === 1,
      }),
    ),
    lastId: database.prepare("SELECT max(id) AS id FROM object", ({ id }) => Number(id ?? 0)),
    count: database.prepare("SELECT objects FROM tally", ({ objects }) => Number(objects)),
    checkpoint: database.prepare("PRAGMA wal_checkpoint(TRUNCATE)"),
    collected: database.prepare("UPDATE tally SET collected_at = ?"),
  };
}
