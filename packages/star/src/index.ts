/**
 * Files from machine to machine: StarService (`spec/proto/orbit/v1/orbit.proto`), and who commands it. What serves is loaded when a
 * star is run.
 */
import type { Logger } from "@catalyst/telemetry";
import type { RunningStar, StarOptions } from "./run.ts";

export type { TlsFiles } from "./connection/tls-files.ts";
export { StarError, type StarErrorCode } from "./errors.ts";
export type { HardLinkPolicy } from "./jail/jail.ts";
export { Nucleus, type NucleusOptions } from "./nucleus/nucleus.ts";
export type {
  FileProgress,
  RelayPolicy,
  ReplicateOptions,
  Replication,
  StarPath,
} from "./nucleus/replication.ts";
export type { StarAddress } from "./nucleus/star-client.ts";
export { readStarPath, type WrittenStarPath } from "./nucleus/star-path.ts";
export { replicateTree, type TreeOptions, type TreeProgress, type TreeReplication } from "./nucleus/tree.ts";
export type { RunningStar, StarOptions } from "./run.ts";

/**
 * Runs a star: StarService, its metrics and its log. Certificates that are renewed on the disk are taken up. Throws StarError
 * `path_missing`, `folder_wanted`, `proc_missing`, `request_invalid`, `certificate_invalid` and `listen_failed`.
 */
export async function runStar(options: StarOptions, logger: Logger): Promise<RunningStar> {
  return await (await import("./run.ts")).runStar(options, logger);
}
