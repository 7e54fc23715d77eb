#!/usr/bin/env node
// Sets the checkout up, then runs one of its TypeScript programs under the project's own Node.
//
//   node setup/run.mjs                       set up and stop
//   node setup/run.mjs FILE.ts [ARG ...]     set up, then run FILE.ts with the arguments
//
// Plain JavaScript without dependencies: it is all that an older Node (20 or later) has to understand.
import { spawn } from "node:child_process";
import { constants } from "node:os";
import { join } from "node:path";
import { root, SetupError, setUp } from "./setup.mjs";

const [program, ...args] = process.argv.slice(2);

let tools;
try {
  tools = await setUp();
} catch (error) {
  if (!(error instanceof SetupError)) throw error;
  process.stderr.write(`\n${error.message}\n`);
  process.exit(1);
}
if (program === undefined) process.exit(0);

const child = spawn(tools.node, [join(root, program), ...args], {
  cwd: root,
  env: { ...process.env, PATH: `${tools.path}:${process.env.PATH ?? ""}` },
  stdio: "inherit",
});
// A terminal sends Ctrl-C to the child as well: this process only waits for it to finish.
process.on("SIGINT", () => {});
for (const signal of ["SIGTERM", "SIGHUP"]) process.on(signal, () => child.kill(signal));
child.on("exit", (code, signal) => {
  process.exit(signal === null ? (code ?? 1) : 128 + (constants.signals[signal] ?? 0));
});
