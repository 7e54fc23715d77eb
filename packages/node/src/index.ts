/**
 * One node: its configuration, and one composition per process. The command line starts them; nothing else has
 * to know how they are put together. A process is loaded when it is run: asking a node a question is quick.
 */
import { existsSync } from "node:fs";
import { IdentityError, type JoinToken } from "@catalyst/identity";
import { prepareDataDir } from "./data-dir.ts";
import type { NodeConfig } from "./options.ts";
import { paths } from "./paths.ts";
import type { SupervisorParts } from "./supervisor/supervisor.ts";

export { dataDirOf } from "./data-dir.ts";
export { NodeError, type NodeErrorCode } from "./errors.ts";
export { type NodeConfig, nodeConfig } from "./options.ts";
export { paths } from "./paths.ts";
export { release } from "./release.ts";
export { lastErrorIn } from "./supervisor/last-words.ts";
export { endingWithParent } from "./supervisor/parent.ts";
export type { SupervisorParts } from "./supervisor/supervisor.ts";

/** Runs the auth process until it is asked to end. Throws {@link NodeError}, and what the keys or the disk refuse. */
export async function runAuth(config: NodeConfig, dataDir: string): Promise<void> {
  await (await import("./auth/auth.ts")).runAuth(config, dataDir);
}

/**
 * Makes this machine the node that a join token names, before it runs: spec/enrolment.md §4. Again with the same token it
 * changes nothing. Throws {@link NodeError} `data_dir_unusable`, IdentityError, or RpcError `authority_unreachable` or
 * `enrolment_refused`.
 */
export async function joinOrganisation(dataDir: string, token: JoinToken): Promise<void> {
  if (existsSync(paths.authDatabase(dataDir))) {
    const why = "has been a root of its own: its API keys and nodes would be lost";
    throw new IdentityError("identity_taken", `${dataDir} ${why}; give --node-data-dir another folder`);
  }
  prepareDataDir(dataDir);
  const join = await import("./auth/member/join.ts");
  await join.joinOrganisation(paths.identity(dataDir), token);
}

/** Runs the content process until it is asked to end. Throws {@link NodeError}, and what the store or keys refuse. */
export async function runContent(config: NodeConfig, dataDir: string): Promise<void> {
  await (await import("./content/content.ts")).runContent(config, dataDir);
}

/** Runs the GraphQL gateway until it is asked to end. Throws {@link NodeError}. */
export async function runGateway(config: NodeConfig, dataDir: string): Promise<void> {
  await (await import("./gateway/gateway.ts")).runGateway(config, dataDir);
}

/**
 * The bootstrap for an Envoy that is started by somebody else than the supervisor. Makes the folder of sockets
 * that it names, because Envoy does not. Throws {@link NodeError} `data_dir_unusable`.
 */
export async function envoyBootstrap(config: NodeConfig, dataDir: string): Promise<Record<string, unknown>> {
  prepareDataDir(dataDir);
  return (await import("./supervisor/envoy-process.ts")).envoyBootstrap(config, dataDir);
}

/** The command by which the supervisor would start that Envoy, with the bootstrap in a file. */
export async function envoyCommand(config: NodeConfig, bootstrapPath: string): Promise<string[]> {
  const binary = config.mesh.envoy.path ?? "envoy";
  const { envoyCommand: command } = await import("./supervisor/envoy-process.ts");
  return command(binary, bootstrapPath, config.mesh.envoy.concurrency);
}

/** Runs the orchestrator until it is asked to end. Throws {@link NodeError}. */
export async function runOrchestrator(config: NodeConfig, dataDir: string): Promise<void> {
  await (await import("./orchestrator/orchestrator.ts")).runOrchestrator(config, dataDir);
}

/** Runs the whole node until it is asked to end. Throws {@link NodeError}. */
export async function runSupervisor(
  config: NodeConfig,
  dataDir: string,
  parts: SupervisorParts,
): Promise<void> {
  await (await import("./supervisor/supervisor.ts")).runSupervisor(config, dataDir, parts);
}
