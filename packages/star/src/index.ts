/** Files from machine to machine: StarService (`spec/proto/orbit/v1/orbit.proto`), and who commands it. */
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
export { type RunningStar, runStar, type StarOptions } from "./run.ts";
