import type { ParsedFlags } from "@catalyst/config";
import { type Command, Option } from "commander";
import { type CommandContext, connector } from "./context.ts";
import { loadNode } from "./load.ts";
import { type OutputFormat, outputFormats } from "./output.ts";
import type { Printer } from "./printer.ts";
import { secondsToMs } from "./seconds.ts";

/** What a command does: `args` are its arguments in their order, a variadic one as a list. */
export type Handler<Options, Args extends readonly unknown[]> = (
  context: CommandContext,
  options: Options,
  ...args: Args
) => Promise<void>;

type LocatingOptions = {
  config?: string;
  nodeDataDir?: string;
  nodeName?: string;
  output: OutputFormat;
  timeout?: string;
};

/** A command that asks a running node: it needs to know where that keeps its sockets, and how to print. */
export function asking<Options, Args extends readonly unknown[] = (string | undefined)[]>(
  command: Command,
  printer: Printer,
  handle: Handler<Options, Args>,
): Command {
  command.option("--timeout <seconds>", "how long an answer may take", "10");
  return located(command, printer, handle);
}

/** A command that looks at what a node keeps, whether it runs or not. */
export function located<Options, Args extends readonly unknown[] = (string | undefined)[]>(
  command: Command,
  printer: Printer,
  handle: Handler<Options, Args>,
): Command {
  return command
    .addOption(
      new Option("-o, --output <format>", "how to print").choices([...outputFormats]).default("table"),
    )
    .option("--config <file>", "the configuration of the node that is asked")
    .option("--node-data-dir <folder>", "its data directory, in place of the configured one")
    .option("--node-name <name>", "its name, in place of the configured one")
    .option("-q, --quiet", "print nothing but data and errors")
    .action((...received: unknown[]) => {
      const given = received.at(-2) as LocatingOptions & Options;
      const args = received.slice(0, -2) as unknown as Args;
      const { dataDir } = loadNode(given.config, locating(given));
      const connect = connector(dataDir, secondsToMs("--timeout", given.timeout ?? "10", 3_600));
      return handle({ printer, format: given.output, dataDir, connect }, given, ...args);
    });
}

function locating(given: LocatingOptions): ParsedFlags {
  return [
    ...(given.nodeDataDir === undefined ? [] : [{ flag: "--node-data-dir", value: given.nodeDataDir }]),
    ...(given.nodeName === undefined ? [] : [{ flag: "--node-name", value: given.nodeName }]),
  ];
}
