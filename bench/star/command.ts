import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { familyOf } from "../gateway/process-under-test.ts";
import { type Cost, peakMegabytes } from "../report.ts";

/** How often the memory of what runs is looked at, in ms. */
const lookMs = 20;

/** Runs a command to its end: how long it took, its processor time and its children's, and the most memory that one of them had. */
export async function runCommand(
  [program, ...args]: readonly [string, ...string[]],
  environment: Readonly<Record<string, string>> = {},
): Promise<Omit<Cost, "bytes">> {
  const began = performance.now();
  const child = spawn("bash", ["-c", 'TIMEFORMAT="%U %S"; time "$@"', "bash", program, ...args], {
    env: { ...process.env, ...environment, LC_ALL: "C" },
    stdio: ["ignore", "ignore", "pipe"],
  });
  let said = "";
  child.stderr.on("data", (chunk) => {
    said += chunk;
  });
  let rssMegabytes = 0;
  const look = setInterval(() => {
    if (child.pid !== undefined) rssMegabytes = Math.max(rssMegabytes, peakOf(child.pid));
  }, lookMs);
  const [code] = await once(child, "close");
  clearInterval(look);
  if (code !== 0) throw new Error(`${program} ended with ${code}: ${said}`);
  const [user = Number.NaN, system = Number.NaN] = (said.trim().split("\n").at(-1) ?? "")
    .split(" ")
    .map(Number);
  return { seconds: (performance.now() - began) / 1_000, cpuSeconds: user + system, rssMegabytes };
}

function peakOf(pid: number): number {
  let peak = 0;
  try {
    for (const each of familyOf([pid])) {
      if (existsSync(`/proc/${each}/status`)) peak = Math.max(peak, peakMegabytes(each) || 0);
    }
  } catch {
    // It ended while it was looked at.
  }
  return peak;
}
