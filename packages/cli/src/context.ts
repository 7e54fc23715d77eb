import {
  type Connection,
  type Contract,
  connectRpc,
  type ProcessName,
  RpcError,
  socketPath,
} from "@catalyst/rpc";
import type { OutputFormat } from "./output.ts";
import type { Printer } from "./printer.ts";

/** What a command that talks to a running node is given. */
export type CommandContext = {
  readonly printer: Printer;
  readonly format: OutputFormat;
  readonly dataDir: string;
  /** Connects to a process of the node. Throws {@link RpcError}; `unreachable` says how to start the node. */
  connect<C extends Contract>(process: ProcessName, contract: C): Promise<Connection<C>>;
};

/** Connects to the processes of the node in a data directory; `timeoutMs` is for each call. */
export function connector(dataDir: string, timeoutMs: number): CommandContext["connect"] {
  return async (process, contract) => {
    try {
      return await connectRpc(socketPath(dataDir, process), contract, { timeoutMs });
    } catch (error) {
      if (!(error instanceof RpcError) || error.code !== "unreachable") throw error;
      throw unreachable(dataDir, process, error);
    }
  };
}

/** That nobody listens on a process's socket, and how to start who would. */
export function unreachable(dataDir: string, process: ProcessName, cause: unknown): RpcError {
  const alone = process === "content" || process === "auth" ? ` or \`catalyst ${process}\`` : "";
  return new RpcError(
    "unreachable",
    `The ${process} of the node in ${dataDir} does not answer: start the node with \`catalyst up\`${alone}, or name another one with --node-data-dir or --config.`,
    { cause },
  );
}
