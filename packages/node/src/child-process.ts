import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, existsSync, openSync } from "node:fs";
import type { ChildStatus } from "@catalyst/rpc";
import type { Logger } from "@catalyst/telemetry";
import { type Child, type ChildEvent, type ChildTimings, defaultChildTimings, stepChild } from "./child.ts";

/** How a process answers when it is asked whether it is ready; an unanswered probe throws. */
export type Probe = (signal: AbortSignal) => Promise<{ ready: boolean; reason: string | null }>;

export type ChildSpec = {
  readonly name: string;
  readonly command: readonly [string, ...string[]];
  readonly env: Readonly<Record<string, string>>;
  /** File that takes what the child writes; null passes it on to our own stderr. */
  readonly logFile: string | null;
  readonly probe: Probe;
};

export type ChildParts = {
  readonly logger: Logger;
  /** Called with the process ids of all that runs, before a new child is trusted to run. */
  readonly onSpawn: (name: string, pid: number) => void;
  readonly timings?: ChildTimings;
};

export type SupervisedChild = {
  readonly name: string;
  status(): ChildStatus;
  isReady(): boolean;
  start(): void;
  /** Asks it to end, kills it when it does not, and resolves when it is gone. `hard` kills it right away. */
  stop(how?: { readonly hard: boolean }): Promise<void>;
};

const startingProbeMs = 40;
const readyProbeMs = 1_000;
const probeTimeoutMs = 3_000;

/** Linux can end a child when its parent dies, whatever the parent dies of; `setpriv` (util-linux) asks for it. */
const setpriv = ["/usr/bin/setpriv", "/bin/setpriv"].find((path) => existsSync(path));

/** Whether children end by themselves when the supervisor is killed. */
export const endsWithParent = process.platform === "linux" && setpriv !== undefined;

/** Carries out what {@link stepChild} asks for, and feeds it with what happens to the real process. */
export function superviseChild(spec: ChildSpec, parts: ChildParts): SupervisedChild {
  const timings = parts.timings ?? defaultChildTimings;
  let child: Child = { kind: "idle" };
  let running: ChildProcess | null = null;
  let restarts = -1;
  let lastExit: string | null = null;
  let since = new Date();
  let timer: NodeJS.Timeout | undefined;
  let onStopped = () => {};
  const stopped = new Promise<void>((resolve) => {
    onStopped = resolve;
  });

  const feed = (event: ChildEvent) => {
    const before = child;
    const [next, effects] = stepChild(child, event, performance.now(), timings);
    child = next;
    for (const effect of effects) {
      if (effect.kind === "spawn") launch();
      else running?.kill(effect.hard ? "SIGKILL" : "SIGTERM");
    }
    if (before.kind !== child.kind) {
      since = new Date();
      parts.logger.info({ child: spec.name, from: before.kind, to: child.kind, lastExit }, "child changed");
      schedule();
    }
    if (child.kind === "stopped") {
      clearTimeout(timer);
      onStopped();
    }
  };

  const launch = () => {
    restarts += 1;
    let started: ChildProcess;
    try {
      started = spawnChild(spec);
    } catch (error) {
      lastExit = (error as Error).message;
      queueMicrotask(() => feed({ kind: "exited" }));
      return;
    }
    running = started;
    if (started.pid !== undefined) parts.onSpawn(spec.name, started.pid);
    const ended = (how: string) => {
      if (running !== started) return;
      running = null;
      lastExit = how;
      feed({ kind: "exited" });
    };
    started.once("error", (error) => ended(error.message));
    started.once("exit", (code, signal) => ended(signal ? `killed by ${signal}` : `exit code ${code}`));
  };

  const schedule = () => {
    clearTimeout(timer);
    if (child.kind === "idle" || child.kind === "stopped") return;
    timer = setTimeout(() => void beat(), waitFor(child));
  };

  const beat = async () => {
    const asked = running;
    if (asked !== null && (child.kind === "starting" || child.kind === "ready")) {
      const answer = await spec.probe(AbortSignal.timeout(probeTimeoutMs)).catch(() => null);
      if (running === asked && answer !== null) feed({ kind: "answered", ...answer });
    }
    feed({ kind: "tick" });
    schedule();
  };

  return {
    name: spec.name,
    isReady: () => child.kind === "ready",
    status: () => ({
      name: spec.name,
      state: stateOf(child),
      pid: running?.pid ?? null,
      restarts: Math.max(0, restarts),
      since: since.toISOString(),
      lastExit,
      reason: reasonOf(child, lastExit),
    }),
    start: () => feed({ kind: "start" }),
    stop: ({ hard } = { hard: false }) => {
      feed({ kind: "stop", hard });
      return stopped;
    },
  };
}

function spawnChild(spec: ChildSpec): ChildProcess {
  const [program, ...args] = spec.command;
  const command = endsWithParent ? (setpriv ?? program) : program;
  const all = endsWithParent ? ["--pdeathsig", "TERM", program, ...args] : args;
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

function reasonOf(child: Child, lastExit: string | null): string | null {
  if (child.kind === "backoff") return `ended (${lastExit}), starting again`;
  return child.kind === "starting" || child.kind === "ready" ? child.reason : null;
}
