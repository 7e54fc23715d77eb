import { readFileSync } from "node:fs";

/** What a process has used: processor time since it started, and the memory that it has in RAM now. */
export type ProcessUsage = { readonly cpuSeconds: number; readonly residentBytes: number };

/** Linux counts processor time in hundredths of a second for programs (`USER_HZ`, proc(5)). */
const ticksPerSecond = 100;

/** Reads Linux's `/proc`; null for a process that is gone, and on other systems. */
export function usageOf(pid: number): ProcessUsage | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    // The second field is the program's name in parentheses, which may hold anything: the third comes after the last.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    const ticks = Number(fields[14 - 3]) + Number(fields[15 - 3]);
    const resident = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
    return { cpuSeconds: ticks / ticksPerSecond, residentBytes: Number(resident ?? 0) * 1024 };
  } catch {
    return null;
  }
}
