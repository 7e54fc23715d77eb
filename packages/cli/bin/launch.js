// Runs a command line under a Node that understands TypeScript: this one, or the one that the set-up brought.
// Plain JavaScript, because an older Node has to read it.
import { spawn } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import module from "node:module";
import { constants } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const packageDir = dirname(dirname(fileURLToPath(import.meta.url)));
const tools = join(packageDir, "..", "..", ".tools");

/** Runs the program at this path below `src`. */
export async function launch(path) {
  const program = join(packageDir, "src", path);
  if (Number(process.versions.node.split(".")[0]) >= 24) {
    module.enableCompileCache(); // here, so that the first file too need not be compiled again
    try {
      await import(program);
    } catch (error) {
      if (error.code !== "ERR_MODULE_NOT_FOUND" || !error.message.startsWith("Cannot find package"))
        throw error;
      process.stderr.write(
        "This checkout is not set up yet: run `npm start` or `npm run setup` in it once, which brings all that it needs.\n",
      );
      process.exitCode = 1;
    }
  } else {
    const node = broughtNode();
    if (node === undefined) {
      process.stderr.write(
        `catalyst needs Node 24 or later, and this is ${process.version}: run \`npm run setup\` in the checkout once, which brings one.\n`,
      );
      process.exit(1);
    }
    const child = spawn(node, [program, ...process.argv.slice(2)], { stdio: "inherit" });
    process.on("SIGINT", () => {}); // the terminal tells the child as well
    for (const signal of ["SIGTERM", "SIGHUP"]) process.on(signal, () => child.kill(signal));
    child.on("exit", (code, signal) => {
      process.exit(signal === null ? (code ?? 1) : 128 + (constants.signals[signal] ?? 0));
    });
  }
}

function broughtNode() {
  if (process.env.CATALYST_NODE !== undefined) return process.env.CATALYST_NODE;
  if (!existsSync(tools)) return undefined;
  const folder = readdirSync(tools).find((name) => name.startsWith("node-"));
  return folder === undefined ? undefined : join(tools, folder, "bin", "node");
}
