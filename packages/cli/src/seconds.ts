import { CommandError, exitCode } from "./exit-code.ts";

/** Milliseconds from a number of seconds on the command line. Throws {@link CommandError} with exit code 2. */
export function secondsToMs(flag: string, text: string, maxSeconds: number): number {
  const seconds = text.trim() === "" ? Number.NaN : Number(text);
  if (seconds >= 0 && seconds <= maxSeconds) return Math.round(seconds * 1_000);
  throw new CommandError(
    exitCode.usage,
    `${flag} is a number of seconds from 0 to ${maxSeconds}, not "${text}"`,
  );
}

/** A timestamp as people read it: without the fraction of its second. */
export function secondsOf(timestamp: string): string {
  return timestamp.replace(/\.\d+Z$/, "Z");
}
