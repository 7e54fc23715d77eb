import type { Database } from "@catalyst/durable";
import type { Commits } from "./commits.ts";
import type { ObjectFiles } from "./object-files.ts";

/** Objects whose files are removed with one sync of each folder. */
const batchRows = 5_000;

/**
 * Objects whose files nothing needs any more. They are noted in the same transaction that ends the need, and so are
 * found again after a crash, until the files are gone. By id: a copy of the store in another folder has its own files.
 */
export class Garbage {
  readonly #commits: Commits;
  readonly #files: ObjectFiles;
  readonly #statements;

  constructor(database: Database, commits: Commits, files: ObjectFiles) {
    this.#commits = commits;
    this.#files = files;
    this.#statements = {
      add: database.prepare("INSERT OR IGNORE INTO garbage VALUES (?)"),
      forget: database.prepare("DELETE FROM garbage WHERE object = ?"),
      some: database.prepare(`SELECT object FROM garbage LIMIT ${batchRows}`, ({ object }) => Number(object)),
    };
  }

  /** Notes the files of an object, inside a transaction. */
  note(id: number): void {
    this.#statements.add.run(id);
  }

  /** Removes what was noted. */
  async remove(): Promise<void> {
    for (let ids = this.#statements.some.all(); ids.length > 0; ids = this.#statements.some.all()) {
      await this.#files.remove(ids);
      await this.#commits.run(() => {
        for (const id of ids) this.#statements.forget.run(id);
      });
    }
  }
}
