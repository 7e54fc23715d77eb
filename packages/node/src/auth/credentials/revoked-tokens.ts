import { z } from "zod";
import { Table } from "../../table.ts";

/** An access token that is refused although it may not have expired. Times are milliseconds since 1970. */
export type RevokedToken = { readonly jti: string; readonly until: number };

const revokedToken = z.object({ jti: z.string(), until: z.int() });

/**
 * Access tokens that were revoked. Of a token nothing is kept while it is good, so that each is denied for as long as any
 * token lives.
 */
export class RevokedTokenTable extends Table {
  all(): readonly RevokedToken[] {
    return this.rows(revokedToken, "SELECT jti, until FROM revoked_token ORDER BY jti");
  }

  /** Whether it was not denied before. */
  add({ jti, until }: RevokedToken): boolean {
    return this.run("INSERT OR IGNORE INTO revoked_token (jti, until) VALUES (?, ?)", jti, until) > 0;
  }

  /** Denies those no longer whose time was over by then; returns how many. */
  letGo(by: number): number {
    return this.run("DELETE FROM revoked_token WHERE until <= ?", by);
  }
}
