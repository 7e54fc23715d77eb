import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { createInterface } from "node:readline";

/** A server in a process of its own that prints its port when it listens. */
export type ServerProcess = AsyncDisposable & {
  readonly pid: number;
  readonly port: number;
  /** Sends a line, and resolves with the line that it answers. */
  readonly tell: (line: string) => Promise<string>;
};

export type StartOptions = {
  /** Where its standard error goes; by default where ours goes. */
  readonly log?: number | "inherit";
  /** Flags of Node itself. */
  readonly nodeFlags?: readonly string[];
};

/** Starts one as it runs in production. */
export async function startServer(
  file: string,
  args: readonly string[],
  { log = "inherit", nodeFlags = [] }: StartOptions = {},
): Promise<ServerProcess> {
  const env = { ...process.env, NODE_ENV: "production", NODE_NO_WARNINGS: "1" };
  const child = spawn(process.execPath, [...nodeFlags, file, ...args], { env, stdio: ["pipe", "pipe", log] });
  const { pid, stdin, stdout } = child;
  if (pid === undefined || stdin === null || stdout === null) throw new Error(`${file} did not start`);
  const lines = createInterface({ input: stdout })[Symbol.asyncIterator]();
  const read = async () => String((await lines.next()).value ?? "");
  const port = Number(await read());
  if (!(port > 0)) throw new Error(`${file} ended before it listened`);
  return {
    pid,
    port,
    tell: async (line) => {
      stdin.write(`${line}\n`);
      return await read();
    },
    [Symbol.asyncDispose]: async () => {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const exited = once(child, "exit");
      child.kill("SIGKILL");
      await exited;
    },
  };
}

/** The processes with all that they started, as they are now. */
export function familyOf(pids: readonly number[]): number[] {
  return pids.flatMap((pid) => {
    const tasks = readdirSync(`/proc/${pid}/task`);
    const children = tasks.flatMap((task) =>
      readFileSync(`/proc/${pid}/task/${task}/children`, "latin1").split(" ").filter(Boolean),
    );
    return [pid, ...familyOf(children.map(Number))];
  });
}

/** Linux counts in ticks of 10 ms. */
const ticksPerSecond = 100;

/** CPU that processes have used so far, user and system of all their threads, in s. */
export function cpuSeconds(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => sum + secondsOf(pid, ["utime", "stime"]), 0);
}

/** The same of a process and of those of its children that have ended, in s. */
export function cpuSecondsWithEnded(pid: number): number {
  return secondsOf(pid, ["utime", "stime", "cutime", "cstime"]);
}

/** Where proc_pid_stat(5) has them behind the name, which is in parentheses and may hold anything. */
const places = { utime: 11, stime: 12, cutime: 13, cstime: 14 } as const;

function secondsOf(pid: number, names: readonly (keyof typeof places)[]): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "latin1").split(") ").at(-1)?.split(" ") ?? [];
  return names.reduce((sum, name) => sum + Number(fields[places[name]]), 0) / ticksPerSecond;
}
