import { CommandError, exitCode } from "./exit-code.ts";

const unitsMs: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** A time that something takes, as people read it: `0 s`, `59 s`, `4 min 10 s`, `3 h 5 min`, `12 days`. */
export function formatDuration(ms: number): string {
  const seconds = Math.round(ms / 1_000);
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min ${seconds % 60} s`;
  const hours = Math.floor(minutes / 60);
  return hours < 48 ? `${hours} h ${minutes % 60} min` : `${Math.round(hours / 24)} days`;
}

/** Reads `30d`, `12h`, `45m` or `90s`, in milliseconds. Throws {@link CommandError} with exit code 2. */
export function parseDuration(flag: string, text: string): number {
  const ms = readDuration(text);
  if (ms !== null) return ms;
  throw new CommandError(exitCode.usage, `${flag} is a time such as 30d, 12h, 45m or 90s, not "${text}"`);
}

/**
 * Reads a moment such as `2027-01-15T08:00:00Z`, or how long ago it was, such as `12h`; milliseconds since 1970. Throws
 * {@link CommandError} with exit code 2.
 */
export function parseMoment(flag: string, text: string): number {
  const ago = readDuration(text);
  const ms = ago === null ? Date.parse(text) : Date.now() - ago;
  if (!Number.isNaN(ms)) return ms;
  const examples = "2027-01-15T08:00:00Z, or how long ago, such as 12h";
  throw new CommandError(exitCode.usage, `${flag} is a time such as ${examples}, not "${text}"`);
}

function readDuration(text: string): number | null {
  const [, amount = "", unit = ""] = /^(\d+(?:\.\d+)?)([smhd])$/.exec(text) ?? [];
  const ms = Math.round(Number(amount || Number.NaN) * (unitsMs[unit] ?? Number.NaN));
  return Number.isSafeInteger(ms) ? ms : null;
}
