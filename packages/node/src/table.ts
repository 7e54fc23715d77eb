import type { Database, SqlValue } from "@catalyst/durable";
import { z } from "zod";

/** A column of bytes. */
export const bytes = z.instanceof(Uint8Array);

/** A column that is 1 for yes. */
export const flag = z.int().transform((value) => value === 1);

const counted = z.object({ value: z.int() });

/** A table on disk. Its statements stand where they are used; what they give is checked as anything that comes from outside. */
export abstract class Table {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  protected rows<Row>(schema: z.ZodType<Row>, sql: string, ...parameters: readonly SqlValue[]): Row[] {
    return this.#database.prepare(sql, (row) => schema.parse(row)).all(...parameters);
  }

  /** The first row, if there is one. */
  protected row<Row>(
    schema: z.ZodType<Row>,
    sql: string,
    ...parameters: readonly SqlValue[]
  ): Row | undefined {
    return this.#database.prepare(sql, (row) => schema.parse(row)).get(...parameters);
  }

  /** The column `value` of the one row. */
  protected number(sql: string, ...parameters: readonly SqlValue[]): number {
    return this.row(counted, sql, ...parameters)?.value ?? 0;
  }

  /** Returns how many rows it changed. */
  protected run(sql: string, ...parameters: readonly SqlValue[]): number {
    return this.#database.prepare(sql).run(...parameters);
  }
}
