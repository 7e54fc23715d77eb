import type { Database } from "@catalyst/durable";

type Job = {
  readonly body: () => unknown;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
};

/**
 * Changes of the database that wait at the same time share one transaction, and so one sync. When one of them fails,
 * each is tried alone.
 */
export class Commits {
  readonly #database: Database;
  #jobs: Job[] = [];

  constructor(database: Database) {
    this.#database = database;
  }

  /** Resolves when what the body did survives a power cut. The body may run twice, and is undone when it throws. */
  run<T>(body: () => T): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const jobs = this.#jobs;
      jobs.push({ body, resolve: (value) => resolve(value as T), reject });
      if (jobs.length > 1) return;
      setImmediate(() => {
        this.#jobs = [];
        this.#commit(jobs);
      });
    });
  }

  #commit(jobs: readonly Job[]): void {
    try {
      const values = this.#database.transaction(() => jobs.map(({ body }) => body()));
      for (const [index, { resolve }] of jobs.entries()) resolve(values[index]);
    } catch (error) {
      if (jobs.length > 1) for (const job of jobs) this.#commit([job]);
      else jobs[0]?.reject(error);
    }
  }
}
