import assert from "node:assert/strict";
import { copyFileSync, existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Database, DurableError, openDatabase } from "@catalyst/durable";
import { createSimulatedDisk, type SimulatedDisk, seededNumbers } from "@catalyst/durable/testing";
import { openDiskStore, storeMigrations } from "./disk/disk-store.ts";
import type { Store } from "./store.ts";
import { Expectation, emptyStore, nextOperations, runOperations } from "./test-workload.ts";

const lives = 4;
/** Steps of the disk and of the database that a machine lives at most before its power is cut. */
const longestLife = 120;

/**
 * One case of the crash simulator: a store is used, and the power cut at some step of disk or database, four times.
 * Each time the store that is opened on what survived must keep what was acknowledged. In the end all space comes back.
 */
export async function crashStore(seed: number): Promise<void> {
  const random = seededNumbers(seed);
  const folder = mkdtempSync(join(tmpdir(), "catalyst-crash-"));
  const clock = { now: 1 };
  const expectation = new Expectation();
  let machine = new Machine(createSimulatedDisk(), join(folder, "0.db"));
  try {
    for (let life = 1; life <= lives; life++) {
      machine.cutPowerAt(1 + Math.floor(random() * longestLife), random() < 0.5);
      await live(machine, expectation, clock, random);
      machine = machine.restart(join(folder, `${life}.db`), random);
      const store = await machine.open(clock);
      await expectation.check(store, objectFilesOf(machine));
      await store[Symbol.asyncDispose]();
      machine = machine.restart(join(folder, `${life}-after.db`), random);
    }
    const store = await machine.open(clock);
    await emptyStore(store, async () => {
      clock.now += 1;
    });
    assert.deepEqual(objectFilesOf(machine), []);
    await store[Symbol.asyncDispose]();
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Uses the store until the power is cut, which may be while it is opened. */
async function live(
  machine: Machine,
  expectation: Expectation,
  clock: { now: number },
  random: () => number,
): Promise<void> {
  try {
    const store = await machine.open(clock);
    for (;;) {
      clock.now += 1;
      await runOperations(store, nextOperations(random), (entry) => {
        if (!machine.isOff) expectation.note(entry);
      });
    }
  } catch (error) {
    if (!machine.isOff) throw error;
  }
}

function objectFilesOf({ disk }: Machine): readonly string[] {
  return disk.files().filter((path) => path.startsWith("/objects/"));
}

/** A simulated disk and a database file whose power is cut at the same moment. */
class Machine {
  readonly disk: SimulatedDisk;
  readonly #path: string;
  #database: Database | undefined;
  #commits = 0;
  #cutAt = Number.POSITIVE_INFINITY;
  #afterCommit = false;
  isOff = false;

  constructor(disk: SimulatedDisk, path: string) {
    this.disk = disk;
    this.#path = path;
  }

  /** Cuts the power at a step; at one of the database, before or after what is committed counts. */
  cutPowerAt(step: number, afterCommit: boolean): void {
    this.#cutAt = step;
    this.#afterCommit = afterCommit;
    this.disk.crashAt(step, () => this.#cut());
  }

  async open(clock: { readonly now: number }): Promise<Store> {
    const database = openDatabase(this.#path, { migrations: storeMigrations });
    this.#database = database;
    const files = this.disk;
    const now = () => clock.now;
    return openDiskStore("", { files, database: this.#watched(database), now, reserveBytes: 1_000 });
  }

  /** The machine with what survived, after its power came back. */
  restart(path: string, random: () => number): Machine {
    this.#cut();
    for (const end of ["", "-wal"]) {
      const copy = `${this.#path}.cut${end}`;
      if (existsSync(copy)) copyFileSync(copy, `${path}${end}`);
    }
    this.#database?.[Symbol.dispose]();
    return new Machine(this.disk.afterPowerCut(random), path);
  }

  #cut(): void {
    if (this.isOff) return;
    this.isOff = true;
    for (const end of ["", "-wal"]) {
      if (existsSync(`${this.#path}${end}`)) copyFileSync(`${this.#path}${end}`, `${this.#path}.cut${end}`);
    }
    this.disk.crashAt(0);
  }

  #watched(database: Database): Database {
    return {
      path: database.path,
      prepare: database.prepare.bind(database),
      transaction: (body) => {
        this.#refuseOff();
        this.#commits += 1;
        const isLast = this.disk.steps + this.#commits >= this.#cutAt;
        const result = database.transaction(() => {
          const value = body();
          if (isLast && !this.#afterCommit) this.#refuseOff(true);
          return value;
        });
        if (isLast) this.#cut();
        this.#refuseOff();
        return result;
      },
      [Symbol.dispose]: () => {},
    };
  }

  #refuseOff(cut = false): void {
    if (cut) this.#cut();
    if (this.isOff) throw new DurableError("io_failed", "the simulated machine has lost its power");
  }
}
