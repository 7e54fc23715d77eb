import { closeSync, fstatSync, openSync, readSync, statSync } from "node:fs";
import { stripVTControlCharacters } from "node:util";

/** What a process writes before it ends is read from this close to the end. */
const tailBytes = 16 * 1024;
const mostCharacters = 500;

/** Where in a log what is written from now on begins. */
export function endOfLog(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}

/**
 * Why a process ended, in its own words: the last error among what it wrote to its log since `from`, or the last
 * line; null when it wrote nothing. A log that was emptied meanwhile is read from its beginning.
 */
export function lastWords(path: string, from: number): string | null {
  try {
    return lastErrorIn(readEnd(path, from));
  } catch {
    return null; // the log is gone: nobody can say
  }
}

/** The error in lines as our processes, Envoy, and Node on a crash write them. */
export function lastErrorIn(text: string): string | null {
  const lines = text.split("\n").map((line) => stripVTControlCharacters(line).trimEnd());
  const told = lines.flatMap(errorIn).at(-1) ?? lines.filter((line) => line !== "").at(-1);
  return told === undefined ? null : told.slice(0, mostCharacters);
}

/** Levels of our logs, and of Envoy's. */
const failing = new Set(["error", "fatal", "critical"]);
const command = /^error (.+)$/;
/** Uncaught: `TypeError: …`, also with a code; the stack below it says nothing to a person. */
const thrown = /^(?:Uncaught )?(\w*Error(?: \[\w+\])?: .+)$/;
const engine = /^FATAL ERROR: .+$/;

function errorIn(line: string): string[] {
  if (line.startsWith("{")) return loggedError(line);
  return [command.exec(line)?.[1] ?? thrown.exec(line)?.[1] ?? engine.exec(line)?.[0] ?? []].flat();
}

function loggedError(line: string): string[] {
  try {
    const { level, msg, err } = JSON.parse(line) as {
      level?: string;
      msg?: string;
      err?: { message?: string };
    };
    if (level === undefined || msg === undefined || !failing.has(level)) return [];
    return [err?.message === undefined ? msg : `${msg}: ${err.message}`];
  } catch {
    return []; // cut off, or none of ours
  }
}

function readEnd(path: string, from: number): string {
  const file = openSync(path, "r");
  try {
    const { size } = fstatSync(file);
    const start = Math.max(from <= size ? from : 0, size - tailBytes);
    const bytes = Buffer.alloc(size - start);
    return bytes.toString("utf8", 0, readSync(file, bytes, 0, bytes.length, start));
  } finally {
    closeSync(file);
  }
}
