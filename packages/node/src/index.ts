/**
 * One node: its configuration, and one composition per process. The command line starts them; nothing else has
 * to know how they are put together.
 */
export { dataDirOf } from "./data-dir.ts";
export { NodeError, type NodeErrorCode } from "./errors.ts";
export { runGateway } from "./gateway.ts";
export { type NodeConfig, nodeConfig } from "./options.ts";
export { runOrchestrator } from "./orchestrator.ts";
export { paths } from "./paths.ts";
export { release } from "./release.ts";
export { runSupervisor, type SupervisorParts } from "./supervisor.ts";
