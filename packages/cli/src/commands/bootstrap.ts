import { envoyBootstrap, envoyCommand } from "@catalyst/node";
import type { Loaded } from "../load.ts";
import type { Printer } from "../printer.ts";

/** Where the bootstrap is taken to be kept, unless `--command` names another file. */
const defaultFile = "envoy.json";

export type BootstrapOptions = { command?: string | true };

/**
 * `catalyst bootstrap`: what an Envoy of the node is configured with, and as talk how it is started. With `--command
 * [FILE]` the command alone, as data for a shell.
 */
export async function printBootstrap(
  printer: Printer,
  { config, dataDir }: Loaded,
  options: BootstrapOptions,
): Promise<void> {
  const { command: wanted } = options;
  const file = typeof wanted === "string" ? wanted : defaultFile;
  const command = (await envoyCommand(config, file)).map(quoted).join(" ");
  if (wanted !== undefined) return printer.data(command);
  printer.data(JSON.stringify(await envoyBootstrap(config, dataDir), null, 2));
  printer.talk(`With this in ${file}, start Envoy as the supervisor does: ${command}`);
}

/** An argument as a POSIX shell reads it. */
function quoted(argument: string): string {
  return /^[\w@%+=:,./-]+$/.test(argument) ? argument : `'${argument.replaceAll("'", "'\\''")}'`;
}
