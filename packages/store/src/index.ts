export { type Cutter, createCutter } from "./chunk/cutter.ts";
export { type ChunkMean, chunkMeans } from "./chunk/parameters.ts";
export { type DiskStoreOptions, openDiskStore, storeMigrations } from "./disk/disk-store.ts";
export { StoreError, type StoreErrorCode, type StoreEvidence } from "./errors.ts";
export type { Damage, StoreEvent } from "./events.ts";
export { type ManifestOutcome, openManifest } from "./manifest/file.ts";
export { type ImportOptions, type ImportOutcome, importChunked } from "./manifest/import.ts";
export { createMemoryStore } from "./memory-store.ts";
export {
  copies,
  openPlacement,
  type Placement,
  type PlacementParts,
  type PlacementRepair,
  type PlacementStatus,
  type PlaceOutcome,
  type ShardStatus,
} from "./place/placement.ts";
export type { Scheme } from "./place/plan.ts";
export type {
  ByteSource,
  FileFact,
  GcOptions,
  GcReport,
  GetOptions,
  GetOutcome,
  LeafSource,
  LinkOutcome,
  ObjectStat,
  Pin,
  PinClass,
  PinOptions,
  PinOutcome,
  PutOptions,
  PutOutcome,
  QuotaExceeded,
  RangeWriter,
  ReadingOptions,
  ReceiveOptions,
  ReceiveOutcome,
  Receiver,
  RepairOutcome,
  ScrubOptions,
  ScrubReport,
  Store,
  StoreOptions,
  StoreStats,
  TreeClaim,
  Usage,
  VerifyOutcome,
} from "./store.ts";
