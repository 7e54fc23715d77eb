import { resolve } from "node:path";
import { DatabaseSync, type StatementSync } from "node:sqlite";
import { DurableError } from "./errors.ts";
import { failpointSync } from "./failpoint.ts";
import { createIfMissingSync } from "./files.ts";
import { lockOwner, takeLock } from "./lock.ts";
import { isBusy, sqliteError } from "./sqlite-error.ts";

/** What a column holds. Integers past 2^53 are refused on reading. */
export type SqlValue = null | number | bigint | string | Uint8Array;
export type SqlRow = Readonly<Record<string, SqlValue>>;

/** In the order of the `?`, or one object with the names after `:`, `@` or `$`. */
export type SqlParameters = readonly SqlValue[] | readonly [Readonly<Record<string, SqlValue>>];

/** A statement compiled once and run often. Every call throws DurableError with the codes of the database. */
export type Statement<Row> = {
  get(...parameters: SqlParameters): Row | undefined;
  all(...parameters: SqlParameters): Row[];
  /** Returns how many rows it changed. */
  run(...parameters: SqlParameters): number;
};

/** An open database file that belongs to this process alone. Disposing it closes the file. */
export type Database = Disposable & {
  readonly path: string;
  /** The same text again is not compiled again: a statement may stand where it is used. */
  prepare(sql: string): Statement<SqlRow>;
  /** `decode` turns a row into what the caller trusts, and throws on a row that is not it. */
  prepare<Row>(sql: string, decode: (row: SqlRow) => Row): Statement<Row>;
  /**
   * Runs the body in one transaction: all of it is kept, and survives a power cut when this returns, or none of
   * it when the body throws. The body is synchronous, and no transaction begins inside another.
   */
  transaction<T>(body: () => T): T;
};

export type DatabaseOptions = {
  /**
   * The schema, oldest step first. A file is brought up to date by the steps that it has not seen; how many it
   * has is its `user_version`. Steps are only ever appended.
   */
  readonly migrations: readonly string[];
  /**
   * `full` (default): what is committed survives a power cut. `normal`: the last transactions before one may be
   * lost, the file stays whole; for what can be made again.
   */
  readonly synchronous?: "full" | "normal";
};

/**
 * Opens a SQLite file, or makes it with mode 0o600, as the only process that may: in WAL mode, with foreign
 * keys enforced, its schema up to date.
 *
 * Throws DurableError `database_in_use` (naming the owner where the system tells), `database_newer`,
 * `database_corrupt`, `migration_failed`, `disk_full`, `io_failed`.
 *
 * Open the file by nothing else in this process: closing any other descriptor of it ends the lock (fcntl(2)).
 */
export function openDatabase(path: string, options: DatabaseOptions): Database {
  const file = resolve(path);
  createIfMissingSync(file);
  let sqlite: DatabaseSync | undefined;
  try {
    sqlite = new DatabaseSync(file, { timeout: 0, enableForeignKeyConstraints: true });
    takeLock(sqlite);
    sqlite.exec("COMMIT"); // in locking mode EXCLUSIVE the lock outlives its transaction
    sqlite.exec("PRAGMA journal_mode = WAL");
    sqlite.exec(`PRAGMA synchronous = ${options.synchronous === "normal" ? "NORMAL" : "FULL"}`);
    migrate(file, sqlite, options.migrations);
    return new OwnedDatabase(file, sqlite);
  } catch (error) {
    sqlite?.close();
    throw isBusy(error) ? inUse(file, error) : sqliteError(file, error);
  }
}

class OwnedDatabase implements Database {
  readonly path: string;
  readonly #sqlite: DatabaseSync;
  readonly #compiled = new Map<string, StatementSync>();

  constructor(path: string, sqlite: DatabaseSync) {
    this.path = path;
    this.#sqlite = sqlite;
  }

  prepare(sql: string): Statement<SqlRow>;
  prepare<Row>(sql: string, decode: (row: SqlRow) => Row): Statement<Row>;
  prepare(sql: string, decode: (row: SqlRow) => unknown = (row) => row): Statement<unknown> {
    const statement = this.#compile(sql);
    // The types of node:sqlite know either names or positions: both are passed on as they come.
    const bind = (parameters: SqlParameters) => parameters as Parameters<StatementSync["all"]>;
    return {
      get: (...parameters) => {
        const row = attempt(this.path, () => statement.get(...bind(parameters)));
        return row === undefined ? undefined : decode(row);
      },
      all: (...parameters) => attempt(this.path, () => statement.all(...bind(parameters))).map(decode),
      run: (...parameters) => Number(attempt(this.path, () => statement.run(...bind(parameters))).changes),
    };
  }

  transaction<T>(body: () => T): T {
    if (this.#sqlite.isTransaction) throw this.#misused("a transaction is open already");
    return inTransaction(this.path, this.#sqlite, () => {
      const result = body();
      if (result instanceof Promise) throw this.#misused("the body of a transaction is synchronous");
      return result;
    });
  }

  [Symbol.dispose](): void {
    if (this.#sqlite.isOpen) this.#sqlite.close();
  }

  #compile(sql: string): StatementSync {
    const known = this.#compiled.get(sql);
    if (known !== undefined) return known;
    const compiled = attempt(this.path, () => this.#sqlite.prepare(sql));
    this.#compiled.set(sql, compiled);
    return compiled;
  }

  #misused(why: string): DurableError {
    return new DurableError("transaction_misused", `${this.path}: ${why}`, { evidence: { path: this.path } });
  }
}

function inTransaction<T>(path: string, sqlite: DatabaseSync, body: () => T): T {
  attempt(path, () => sqlite.exec("BEGIN IMMEDIATE"));
  try {
    const result = body();
    failpointSync("database.commit.before");
    attempt(path, () => sqlite.exec("COMMIT"));
    failpointSync("database.commit.after");
    return result;
  } catch (error) {
    if (sqlite.isTransaction) attempt(path, () => sqlite.exec("ROLLBACK")); // a full disk has ended it already
    throw error;
  }
}

function attempt<T>(path: string, run: () => T): T {
  try {
    return run();
  } catch (error) {
    throw sqliteError(path, error);
  }
}

function migrate(path: string, sqlite: DatabaseSync, migrations: readonly string[]): void {
  const version = Number(sqlite.prepare("PRAGMA user_version").get()?.["user_version"]);
  if (version > migrations.length) {
    throw new DurableError(
      "database_newer",
      `${path} has schema ${version}, and this release knows ${migrations.length}: a later release wrote it`,
      { evidence: { path } },
    );
  }
  for (const [index, step] of migrations.entries()) {
    if (index < version) continue;
    try {
      inTransaction(path, sqlite, () => {
        sqlite.exec(step);
        sqlite.exec(`PRAGMA user_version = ${index + 1}`);
      });
    } catch (error) {
      throw migrationError(path, index + 1, error);
    }
  }
}

function migrationError(path: string, step: number, cause: unknown): DurableError {
  const error = sqliteError(path, cause);
  if (error.code !== "database_failed" && error.code !== "constraint_violated") return error;
  return new DurableError("migration_failed", `step ${step} of the schema failed on ${error.message}`, {
    cause,
    evidence: { path },
  });
}

function inUse(path: string, cause: unknown): DurableError {
  const ownerPid = lockOwner(path);
  const owner = ownerPid === null ? "another process" : `process ${ownerPid}`;
  return new DurableError("database_in_use", `${path} belongs to ${owner}`, {
    cause,
    evidence: ownerPid === null ? { path } : { path, ownerPid },
  });
}
