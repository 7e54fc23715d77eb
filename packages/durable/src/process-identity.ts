import { readFileSync } from "node:fs";

/**
 * One process, for good: its id is given to another one after its end, but not with the same start.
 *
 * `start` is in the system's own terms: the boot's id, and ticks since then (proc(5), field 22 of `stat`); null
 * where there is no `/proc`.
 */
export type ProcessIdentity = { readonly pid: number; readonly start: string | null };

const bootId = readBootId();

export const thisProcess: ProcessIdentity = { pid: process.pid, start: startOf(process.pid) };

/** The process that now has this id; null when none does, or when only its remains wait to be collected. */
export function identifyProcess(pid: number): ProcessIdentity | null {
  return isAlive(pid) ? { pid, start: startOf(pid) } : null;
}

/** Whether this very process still runs. Without `/proc`, another one with its id is taken for it. */
export function isRunning(identity: ProcessIdentity): boolean {
  const now = identifyProcess(identity.pid);
  return now !== null && (now.start === null || identity.start === null || now.start === identity.start);
}

/** Whether any process has this id. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM"; // it runs, and belongs to somebody else
  }
  return statOf(pid)?.[0] !== "Z";
}

function startOf(pid: number): string | null {
  const ticks = statOf(pid)?.[19];
  return ticks === undefined ? null : `${bootId}:${ticks}`;
}

/** The fields of `stat` from the third on; the second, the name, may hold spaces and parentheses. */
function statOf(pid: number): string[] | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  } catch {
    return null;
  }
}

function readBootId(): string {
  try {
    return readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
  } catch {
    return "";
  }
}
