/** Files from star to star, for programs: the same as `catalyst replicate` does. */
export {
  type FileProgress,
  Nucleus,
  type NucleusOptions,
  type RelayPolicy,
  type ReplicateOptions,
  type Replication,
  replicateTree,
  type StarAddress,
  StarError,
  type StarErrorCode,
  type StarPath,
  type TlsFiles,
  type TreeOptions,
  type TreeProgress,
  type TreeReplication,
} from "@catalyst/star";
