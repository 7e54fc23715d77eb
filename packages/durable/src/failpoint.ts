import { setTimeout as sleep } from "node:timers/promises";
import { DurableError } from "./errors.ts";

/**
 * Places where a test lets this process die, fail or wait: one at every step that something durable rests on.
 *
 * `CATALYST_FAILPOINT` is a comma-separated list of `name=action[@N]`, acting from the Nth pass on (default 1):
 *
 * - `kill`: the process ends as by kill -9
 * - `error[:CODE]`: the step fails with DurableError, `disk_full` for `ENOSPC`, `io_failed` for others (default `EIO`)
 * - `delay:MS`: the step takes this many milliseconds longer
 *
 * This file is the only one of the package that reads the environment; without the variable a failpoint costs
 * one comparison.
 */
type Action =
  | { readonly kind: "kill" }
  | { readonly kind: "error"; readonly code: string }
  | { readonly kind: "delay"; readonly ms: number };

type Armed = { readonly action: Action; readonly from: number; passes: number };

const grammar = /^([a-z0-9_.]+)=(?:(kill)|error(?::([A-Z0-9]+))?|delay:(\d{1,6}))(?:@([1-9]\d{0,8}))?$/;

let armed: ReadonlyMap<string, Armed> | null = parseFailpoints(process.env["CATALYST_FAILPOINT"]);

/** Acts where a test asked for it. Awaited between two steps of asynchronous code. */
export function failpoint(name: string): Promise<void> | undefined {
  const action = armed === null ? undefined : pass(armed, name);
  if (action === undefined) return undefined;
  return action.kind === "delay" ? sleep(action.ms) : act(name, action);
}

/** The same between two steps of synchronous code: a delay blocks the thread. */
export function failpointSync(name: string): void {
  const action = armed === null ? undefined : pass(armed, name);
  if (action === undefined) return;
  if (action.kind === "delay") block(action.ms);
  else act(name, action);
}

/**
 * Arms failpoints in this process, in the grammar of `CATALYST_FAILPOINT`, until disposed; what was armed before
 * is back then. Throws {@link DurableError} `failpoint_invalid`.
 */
export function armFailpoints(list: string): Disposable {
  const before = armed;
  armed = parseFailpoints(list);
  return {
    [Symbol.dispose]: () => {
      armed = before;
    },
  };
}

function parseFailpoints(list: string | undefined): ReadonlyMap<string, Armed> | null {
  if (list === undefined || list.trim() === "") return null;
  return new Map(list.split(",").map((item) => parseFailpoint(item.trim())));
}

function parseFailpoint(item: string): [string, Armed] {
  const [, name, kill, code = "EIO", ms, from = "1"] = grammar.exec(item) ?? [];
  if (name === undefined) {
    throw new DurableError(
      "failpoint_invalid",
      `"${item}" in CATALYST_FAILPOINT is not NAME=kill, NAME=error[:CODE] or NAME=delay:MS, with @N after it`,
    );
  }
  const action: Action =
    kill !== undefined
      ? { kind: "kill" }
      : ms !== undefined
        ? { kind: "delay", ms: Number(ms) }
        : { kind: "error", code };
  return [name, { action, from: Number(from), passes: 0 }];
}

function pass(points: ReadonlyMap<string, Armed>, name: string): Action | undefined {
  const point = points.get(name);
  if (point === undefined) return undefined;
  point.passes += 1;
  return point.passes >= point.from ? point.action : undefined;
}

function act(name: string, action: Exclude<Action, { kind: "delay" }>): never {
  if (action.kind === "kill") {
    process.kill(process.pid, "SIGKILL");
    block(60_000); // the signal ends the process before this does
  }
  const code = action.kind === "error" ? action.code : "EIO";
  const message = `${code}: failpoint ${name}`;
  throw new DurableError(code === "ENOSPC" ? "disk_full" : "io_failed", message);
}

function block(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}
