import { type Database, DurableError } from "@catalyst/durable";
import type { Reserve } from "./reserve.ts";

type Job = {
  readonly mayUseReserve: boolean;
  readonly body: () => unknown;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
};

/**
 * Changes of the database that wait at the same time share one transaction, and so one sync. When one of them fails,
 * each is tried alone, and when the disk is full once more with the space of the reserve.
 */
export class Commits {
  readonly #database: Database;
  readonly #reserve: Reserve;
  #jobs: Job[] = [];

  constructor(database: Database, reserve: Reserve) {
    this.#database = database;
    this.#reserve = reserve;
  }

  /** Resolves when what the body did survives a power cut. The body may run twice, and is undone when it throws. */
  run<T>(body: () => T): Promise<T> {
    return this.#add(body, true);
  }

  /** The same for what stores more: it is not done with the space of the reserve. */
  store<T>(body: () => T): Promise<T> {
    return this.#add(body, false);
  }

  #add<T>(body: () => T, mayUseReserve: boolean): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const jobs = this.#jobs;
      jobs.push({ mayUseReserve, body, resolve: (value) => resolve(value as T), reject });
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
      const [first, ...others] = jobs;
      const isFull = error instanceof DurableError && error.code === "disk_full";
      if (others.length > 0) for (const job of jobs) this.#commit([job]);
      else if (isFull && first?.mayUseReserve && this.#reserve.isHeld) void this.#commitWithReserve(jobs);
      else first?.reject(error);
    }
  }

  async #commitWithReserve(jobs: readonly Job[]): Promise<void> {
    await this.#reserve.giveUp().catch(() => {}); // the next failure is told
    this.#commit(jobs);
  }
}
