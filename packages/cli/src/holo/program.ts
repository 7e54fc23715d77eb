import { release } from "@catalyst/node";
import { Command } from "commander";
import type { Printer } from "../printer.ts";
import { runProgram } from "../run-program.ts";
import { addCam } from "./cam/cam.ts";
import { addKeys } from "./keys.ts";
import { addReceipts } from "./receipts.ts";

/** Runs one command line of `holo` and returns its exit code. */
export function runHolo(argv: readonly string[]): Promise<number> {
  return runProgram(argv, buildHolo);
}

function buildHolo(printer: Printer): Command {
  const program = new Command("holo")
    .description("Content: named, digest-addressed data, with evidence of what was done.")
    .version(release, "-V, --version", "print the release")
    .helpCommand(false)
    .showHelpAfterError("(`--help` lists what there is)")
    .exitOverride();
  addCam(program, printer);
  addKeys(program, printer);
  addReceipts(program, printer);
  return program;
}
