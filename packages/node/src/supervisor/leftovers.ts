import { existsSync, readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { identifyProcess, isRunning, replaceFileSync } from "@catalyst/durable";
import { z } from "zod";

/** Written for each child that starts, so that the next supervisor can end what a killed one left. */
const record = z.array(z.object({ name: z.string(), pid: z.int().positive(), start: z.string().nullable() }));
type Recorded = z.infer<typeof record>[number];

/** The processes that this supervisor started, kept in a file. */
export class ChildRecord {
  readonly #file: string;
  #children: readonly Recorded[] = [];

  constructor(file: string) {
    this.#file = file;
  }

  /** Throws `DurableError` when the file cannot be written; what it lacks is written with the next child. */
  note(name: string, pid: number): void {
    const identity = identifyProcess(pid);
    if (identity === null) return; // gone already
    this.#children = [...this.#children.filter((child) => child.name !== name), { name, ...identity }];
    replaceFileSync(this.#file, JSON.stringify(this.#children));
  }

  /**
   * Ends what an earlier supervisor left running: asked first, killed after `graceMs`. A process id that now
   * belongs to somebody else is left alone. Returns the names of what was ended.
   */
  async endLeftovers(graceMs = 2_000): Promise<string[]> {
    const left = readRecord(this.#file).filter(isRunning);
    for (const { pid } of left) signal(pid, "SIGTERM");
    const deadline = performance.now() + graceMs;
    while (left.some(isRunning) && performance.now() < deadline) await sleep(20);
    for (const { pid } of left.filter(isRunning)) signal(pid, "SIGKILL");
    while (left.some(isRunning)) await sleep(20);
    return left.map(({ name }) => name);
  }
}

function readRecord(file: string): Recorded[] {
  if (!existsSync(file)) return [];
  try {
    return record.parse(JSON.parse(readFileSync(file, "utf8")));
  } catch {
    return []; // not ours, or of another release: nothing can be told from it
  }
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // it ended meanwhile
  }
}
