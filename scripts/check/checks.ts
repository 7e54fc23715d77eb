import { execFile } from "node:child_process";
import { join } from "node:path";

const root = join(import.meta.dirname, "..", "..");
const binary = (name: string) => join(root, "node_modules", ".bin", name);
const script = (...path: string[]) => join(root, "scripts", ...path);

/** A property of the checkout that a program decides: it exits with 0, or says what is wrong. */
export type Check = { readonly name: string; readonly command: readonly [string, ...string[]] };

/** All checks, those that take longest first. */
export const checks: readonly Check[] = [
  { name: "generated files are up to date", command: [process.execPath, script("generate.ts"), "--check"] },
  { name: "types", command: [binary("tsc"), "-p", root] },
  { name: "dead code", command: [binary("knip"), "--no-progress", "--no-config-hints"] },
  { name: "promises are awaited", command: [process.execPath, script("check", "promises.ts")] },
  { name: "format and lint", command: [binary("biome"), "check", "--error-on-warnings", root] },
  { name: "package arrows", command: [process.execPath, script("check", "arrows.ts")] },
  { name: "limits of style", command: [process.execPath, script("check", "limits.ts")] },
];

export type CheckResult = { readonly passed: boolean; readonly output: string; readonly ms: number };

/** Runs one check to its end; one that takes longer than 5 minutes has failed. */
export function runCheck({ command: [program, ...args] }: Check): Promise<CheckResult> {
  const start = performance.now();
  const options = { cwd: root, timeout: 300_000, maxBuffer: 64 * 1024 * 1024, env: plainEnvironment() };
  return new Promise((resolve) => {
    execFile(program, args, options, (error, stdout, stderr) => {
      const told = `${stdout}${stderr}`.trim();
      const output = told === "" && error !== null ? error.message : told;
      resolve({ passed: error === null, output, ms: performance.now() - start });
    });
  });
}

/** Colours are for terminals, and the output of a check is read in logs. */
function plainEnvironment(): NodeJS.ProcessEnv {
  const { FORCE_COLOR: _, ...environment } = process.env;
  return { ...environment, NO_COLOR: "1" };
}
