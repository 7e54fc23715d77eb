import { type Command, CommanderError } from "commander";
import { exitCode, explainFailure } from "./exit-code.ts";
import { createPrinter, type Printer } from "./printer.ts";

/** Runs one command line and returns its exit code; what failed is told without a stack. */
export async function runProgram(
  argv: readonly string[],
  build: (printer: Printer) => Command,
): Promise<number> {
  const printer = createPrinter({ quiet: argv.includes("-q") || argv.includes("--quiet") });
  try {
    await build(printer).parseAsync([...argv], { from: "user" });
    return exitCode.done;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? exitCode.done : exitCode.usage;
    const failure = explainFailure(error);
    if (failure === null) throw error;
    printer.fail(failure.message);
    return failure.code;
  }
}
