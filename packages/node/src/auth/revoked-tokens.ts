import type { Database, SqlRow, Statement } from "@catalyst/durable";
import { z } from "zod";

/** An access token that is refused although it may not have expired. Times are milliseconds since 1970. */
export type RevokedToken = { readonly jti: string; readonly until: number };

const readRevoked = (row: unknown): RevokedToken => z.object({ jti: z.string(), until: z.int() }).parse(row);

/**
 * Access tokens that were revoked. Of a token nothing is kept while it is good, so that each is denied for as long as any
 * token lives.
 */
export class RevokedTokenTable {
  readonly #all: Statement<RevokedToken>;
  readonly #add: Statement<SqlRow>;
  readonly #letGo: Statement<SqlRow>;

  constructor(database: Database) {
    this.#all = database.prepare("SELECT jti, until FROM revoked_token ORDER BY jti", readRevoked);
    this.#add = database.prepare("INSERT OR IGNORE INTO revoked_token (jti, until) VALUES (?, ?)");
    this.#letGo = database.prepare("DELETE FROM revoked_token WHERE until <= ?");
  }

  all(): readonly RevokedToken[] {
    return this.#all.all();
  }

  /** Whether it was not denied before. */
  add({ jti, until }: RevokedToken): boolean {
    return this.#add.run(jti, until) > 0;
  }

  /** Denies those no longer whose time was over by then; returns how many. */
  letGo(by: number): number {
    return this.#letGo.run(by);
  }
}
