import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";

/** Starts two services that answer `a` and `b`, in a process that ends with the stack; resolves with their ports. */
export async function startBackends(started: AsyncDisposableStack): Promise<[a: number, b: number]> {
  const child = spawn(process.execPath, [join(import.meta.dirname, "backend.ts")], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  started.defer(async () => {
    const exited = once(child, "exit");
    child.kill("SIGKILL");
    await exited;
  });
  const [line] = await once(createInterface({ input: child.stdout }), "line");
  return JSON.parse(line);
}
