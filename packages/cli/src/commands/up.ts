import { type NodeConfig, runSupervisor } from "@catalyst/node";
import { environment } from "../environment.ts";
import type { Printer } from "../printer.ts";
import { watchStatus } from "../status-screen.ts";

/** `catalyst up`: runs the whole node until it is asked to end, with its status on the terminal. */
export async function up(
  printer: Printer,
  config: NodeConfig,
  dataDir: string,
  entry: string,
  prepare: () => Promise<void>,
): Promise<void> {
  const ending = new AbortController();
  const supervisor = runSupervisor(config, dataDir, {
    command: [process.execPath, entry],
    env: environment,
    prepare,
    envoy: { variable: environment["CATALYST_ENVOY"], path: environment["PATH"] ?? "" },
    onStopping: () => {
      ending.abort();
      printer.talk("Draining: what runs is finished. Press Ctrl-C again to end at once.");
    },
  });
  const screen = watchStatus(printer, dataDir, { signal: ending.signal });
  try {
    await supervisor;
  } finally {
    ending.abort();
    await screen;
  }
}
