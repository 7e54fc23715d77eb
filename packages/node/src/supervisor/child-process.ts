import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import type { ChildStatus } from "@catalyst/rpc";
import { type Child, type ChildEvent, type ChildTimings, defaultChildTimings, stepChild } from "./child.ts";
import type { SupervisorEvents } from "./events.ts";
import { endOfLog, lastWords } from "./last-words.ts";
import { endingWithParent } from "./parent.ts";

/** How a process answers when it is asked whether it is ready; an unanswered one throws, in time. */
export type Probe = () => Promise<{ ready: boolean; reason: string | null }>;

export type ChildSpec = {
  readonly name: string;
  readonly command: readonly [string, ...string[]];
  readonly env: Readonly<Record<string, string>>;
  /** File that takes what the child writes; null passes it on to our own stderr. */
  readonly logFile: string | null;
  readonly probe: Probe;
};

export type ChildParts = {
  readonly events: Pick<SupervisorEvents, "childStarted" | "childChanged">;
  /** Called with the process ids of all that runs, before a new child is trusted to run. */
  readonly onSpawn: (name: string, pid: number) => void;
  readonly timings?: ChildTimings;
};

export type SupervisedChild = {
  readonly name: string;
  status(): ChildStatus;
  /** How long its process runs; null while there is none. */
  uptimeMs(): number | null;
  isReady(): boolean;
  start(): void;
  /** Asks it to end, kills it when it does not, and resolves when it is gone. `hard` kills it right away. */
  stop(how?: { readonly hard: boolean }): Promise<void>;
};

const startingProbeMs = 40;
const readyProbeMs = 1_000;

/** Carries out what {@link stepChild} asks for, and feeds it with what happens to the real process. */
export function superviseChild(spec: ChildSpec, parts: ChildParts): SupervisedChild {
  return new SupervisedProcess(spec, parts);
}

class SupervisedProcess implements SupervisedChild {
  readonly #spec: ChildSpec;
  readonly #parts: ChildParts;
  readonly #timings: ChildTimings;
  readonly #stopped = Promise.withResolvers<void>();
  #child: Child = { kind: "idle" };
  #running: ChildProcess | null = null;
  #startedAt = 0;
  #restarts = -1;
  #lastExit: string | null = null;
  #lastError: string | null = null;
  #logStart = 0;
  #since = new Date();
  #timer: NodeJS.Timeout | undefined;

  constructor(spec: ChildSpec, parts: ChildParts) {
    this.#spec = spec;
    this.#parts = parts;
    this.#timings = parts.timings ?? defaultChildTimings;
  }

  get name(): string {
    return this.#spec.name;
  }

  isReady(): boolean {
    return this.#child.kind === "ready";
  }

  uptimeMs(): number | null {
    return this.#running === null ? null : performance.now() - this.#startedAt;
  }

  status(): ChildStatus {
    const [lastExit, lastError] = [this.#lastExit, this.#lastError];
    return {
      name: this.#spec.name,
      state: stateOf(this.#child),
      pid: this.#running?.pid ?? null,
      restarts: Math.max(0, this.#restarts),
      since: this.#since.toISOString(),
      lastExit,
      lastError,
      reason: reasonOf(this.#child, lastError === null ? lastExit : `${lastExit}: ${lastError}`),
    };
  }

  start(): void {
    this.#feed({ kind: "start" });
  }

  stop({ hard } = { hard: false }): Promise<void> {
    this.#feed({ kind: "stop", hard });
    return this.#stopped.promise;
  }

  #feed(event: ChildEvent): void {
    const before = this.#child;
    const [next, effects] = stepChild(before, event, performance.now(), this.#timings);
    this.#child = next;
    for (const effect of effects) {
      if (effect.kind === "spawn") this.#launch();
      else this.#running?.kill(effect.hard ? "SIGKILL" : "SIGTERM");
    }
    if (before.kind !== next.kind) {
      this.#since = new Date();
      this.#parts.events.childChanged(before.kind, this.status());
      this.#schedule();
    }
    if (next.kind === "stopped") {
      clearTimeout(this.#timer);
      this.#stopped.resolve();
    }
  }

  #launch(): void {
    const { logFile, name } = this.#spec;
    this.#restarts += 1;
    if (logFile !== null) this.#logStart = endOfLog(logFile);
    this.#parts.events.childStarted(name, this.#restarts);
    let started: ChildProcess;
    try {
      started = spawnChild(this.#spec);
    } catch (error) {
      this.#lastExit = (error as Error).message;
      this.#lastError = null;
      queueMicrotask(() => this.#feed({ kind: "exited" }));
      return;
    }
    this.#running = started;
    this.#startedAt = performance.now();
    if (started.pid !== undefined) this.#parts.onSpawn(name, started.pid);
    started.once("error", (error) => this.#ended(started, error.message, false));
    started.once("exit", (code, signal) => {
      const gaveUp = code === null ? signal === "SIGABRT" : code !== 0;
      this.#ended(started, signal ? `killed by ${signal}` : `exit code ${code}`, gaveUp);
    });
  }

  #ended(process: ChildProcess, how: string, gaveUp: boolean): void {
    if (this.#running !== process) return;
    const { logFile } = this.#spec;
    this.#running = null;
    this.#lastExit = how;
    this.#lastError = gaveUp && logFile !== null ? lastWords(logFile, this.#logStart) : null;
    this.#feed({ kind: "exited" });
  }

  #schedule(): void {
    clearTimeout(this.#timer);
    if (this.#child.kind === "idle" || this.#child.kind === "stopped") return;
    this.#timer = setTimeout(() => void this.#beat(), waitFor(this.#child));
  }

  async #beat(): Promise<void> {
    const asked = this.#running;
    if (asked !== null && (this.#child.kind === "starting" || this.#child.kind === "ready")) {
      const answer = await this.#spec.probe().catch(() => null);
      if (this.#running === asked && answer !== null) this.#feed({ kind: "answered", ...answer });
    }
    this.#feed({ kind: "tick" });
    this.#schedule();
  }
}

function spawnChild(spec: ChildSpec): ChildProcess {
  const [program, ...args] = spec.command;
  const [command, ...all] = endingWithParent(program, args);
  const output = spec.logFile === null ? 2 : openSync(spec.logFile, "a", 0o600);
  try {
    // A group of its own: Ctrl-C reaches the supervisor, which then ends its children in order.
    return spawn(command, all, { env: spec.env, stdio: ["ignore", output, output], detached: true });
  } finally {
    if (spec.logFile !== null) closeSync(output);
  }
}

function waitFor(child: Child): number {
  if (child.kind === "ready") return readyProbeMs;
  if (child.kind === "backoff") return Math.max(1, child.until - performance.now());
  if (child.kind === "stopping") return Math.max(1, child.killAt - performance.now());
  return startingProbeMs;
}

function stateOf(child: Child): ChildStatus["state"] {
  if (child.kind === "starting") return child.reason === null ? "starting" : "unready";
  if (child.kind === "idle" || child.kind === "stopping") return "stopped";
  return child.kind;
}

/** What it says itself; else, after a failure, how the run before this one ended. */
function reasonOf(child: Child, ending: string | null): string | null {
  if (child.kind === "backoff") return `ended (${ending}), starting again`;
  if (child.kind === "starting") {
    return child.reason ?? (child.failures > 0 ? `starting again after it ended (${ending})` : null);
  }
  return child.kind === "ready" ? child.reason : null;
}
