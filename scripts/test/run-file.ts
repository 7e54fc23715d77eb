import { tmpdir } from "node:os";
import { join } from "node:path";
import { run } from "node:test";
import { inspect } from "node:util";

/** `name` is the test's; null when it is the file as a whole that failed. */
export type Failure = { readonly name: string | null; readonly error: string };

/** How the tests of one file went. A suite is not counted, only the tests in it. */
export type FileResult = {
  readonly passed: number;
  readonly skipped: number;
  readonly failures: readonly Failure[];
  /** What the file printed. */
  readonly output: string;
  readonly ms: number;
};

export type RunOptions = {
  /** The whole file is stopped after this, and has failed. */
  readonly timeoutMs: number;
  /** Runs only the tests with a name that matches. */
  readonly name?: RegExp;
};

/** What a file imports was compiled for the file before it; where the command lines keep theirs too. */
const compiled = { NODE_COMPILE_CACHE: join(tmpdir(), "node-compile-cache") };

/**
 * Runs the tests of one file in a process of its own. A crash of the file, a timeout, and a file that does not end
 * count as one failed test.
 */
export async function runFile(path: string, options: RunOptions): Promise<FileResult> {
  const start = performance.now();
  const names = options.name === undefined ? {} : { testNamePatterns: [options.name] };
  const stream = run({
    files: [path],
    isolation: "process",
    env: { ...compiled, ...process.env },
    signal: AbortSignal.timeout(options.timeoutMs),
    ...names,
  });
  const result = { passed: 0, skipped: 0, failures: [] as Failure[], output: "" };
  for await (const { type, data } of stream) {
    if (type === "test:stdout" || type === "test:stderr") result.output += data.message;
    if (type === "test:diagnostic" && isTelling(data)) result.output += `${data.message}\n`;
    if (type === "test:fail") {
      const name = data.name === path ? null : data.name;
      result.failures.push({ name, error: describe(data.details.error) });
    }
    if (type !== "test:pass" || data.details.type === "suite" || data.name === path) continue;
    if (data.skip === undefined) result.passed += 1;
    else result.skipped += 1;
  }
  return { ...result, ms: performance.now() - start };
}

/** What node:test has to say besides the counts of tests: a crash after the end of a test. */
function isTelling({ level, message }: { level: string; message: string }): boolean {
  return level !== "info" || message.startsWith("Error:");
}

function describe(error: Error & { failureType?: unknown }): string {
  if (error.failureType === "testAborted") return "It did not end in time and was stopped.";
  return inspect(error.cause instanceof Error ? error.cause : error, { colors: false, depth: 8 });
}
