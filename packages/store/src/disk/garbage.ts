import type { Database } from "@catalyst/durable";
import type { Commits } from "./commits.ts";
import type { ObjectFiles } from "./object-files.ts";

/**
 * Files that nothing needs any more. They are noted in the same transaction that ends the need, and so are found again
 * after a crash, until they are gone.
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
      forget: database.prepare("DELETE FROM garbage WHERE path = ?"),
      all: database.prepare("SELECT path FROM garbage LIMIT 10000", ({ path }) => String(path)),
    };
  }

  /** Notes the files of an object, inside a transaction. */
  note(id: number): void {
    const { data, outboard } = this.#files.paths(id);
    this.#statements.add.run(data);
    this.#statements.add.run(outboard);
  }

  /** Removes what was noted. */
  async remove(): Promise<void> {
    for (let paths = this.#statements.all.all(); paths.length > 0; paths = this.#statements.all.all()) {
      for (const path of paths) await this.#files.system.remove(path);
      const folders = new Set(paths.map((path) => path.slice(0, path.lastIndexOf("/"))));
      for (const folder of folders) {
        if ((await this.#files.system.stat(folder)) !== null) await this.#files.system.syncFolder(folder);
      }
      await this.#commits.run(() => {
        for (const path of paths) this.#statements.forget.run(path);
      });
    }
  }
}
