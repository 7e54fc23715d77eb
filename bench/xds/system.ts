import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Resource } from "@catalyst/xds";
import { ours, peakMegabytes } from "../report.ts";

/** A control plane in a process of its own. */
export type System = AsyncDisposable & {
  readonly name: string;
  /** Publishes, and resolves with the monotonic time in ns just before it did. */
  readonly publish: (upsert: readonly Resource[]) => Promise<bigint>;
  /** The most memory that the process ever had, in MB. */
  readonly peakMegabytes: () => number;
};

/** What can be measured here: how to start each, by its name. */
export type Launch = { readonly name: string; readonly command: readonly [string, ...string[]] };

const peer = join(import.meta.dirname, "../peers/go-control-plane");
const tools = join(import.meta.dirname, "../../.tools/bench");

/** Ours, and the reference in Go where it can be built. */
export function findSystems(say: (text: string) => void): Launch[] {
  const found: Launch[] = [
    { name: ours, command: [process.execPath, join(import.meta.dirname, "server.ts")] },
  ];
  const binary = join(tools, "go-control-plane");
  mkdirSync(tools, { recursive: true });
  const built = spawnSync("go", ["build", "-o", binary, "."], { cwd: peer, encoding: "utf8" });
  if (built.status === 0) found.push({ name: "go-control-plane", command: [binary] });
  else
    say(`go-control-plane is skipped: ${built.error ? "there is no go on the PATH" : built.stderr.trim()}`);
  return found;
}

/** Starts a control plane that serves Envoy on a socket. */
export async function startSystem({ name, command }: Launch, socket: string): Promise<System> {
  const [program, ...args] = command;
  const child = spawn(program, [...args, socket], { stdio: ["pipe", "pipe", "inherit"] });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const read = async () => String((await lines.next()).value);
  await read();
  return {
    name,
    publish: async (upsert) => {
      const encoded = upsert.map(({ type, name: own, body }) => [
        type,
        own,
        Buffer.from(body).toString("base64"),
      ]);
      child.stdin.write(`${JSON.stringify({ upsert: encoded })}\n`);
      return BigInt(await read());
    },
    peakMegabytes: () => peakMegabytes(child.pid),
    [Symbol.asyncDispose]: async () => {
      const exited = once(child, "exit");
      child.kill("SIGKILL");
      await exited;
    },
  };
}
