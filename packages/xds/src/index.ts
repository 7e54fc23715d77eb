/** A general xDS server: aggregated discovery, delta and state of the world, for any type of resource. */
export { encodeResource } from "./encode.ts";
export { type MissingReference, XdsError, type XdsErrorCode } from "./errors.ts";
export type {
  AcknowledgedEvent,
  ProxyIdentity,
  QuarantinedEvent,
  RejectedEvent,
  XdsEvents,
} from "./events.ts";
export {
  openSnapshotJournal,
  readSnapshot,
  type SnapshotJournal,
  type SnapshotJournalOptions,
} from "./journal.ts";
export { defaultKey, defaultLimits, type XdsLimits, type XdsServerOptions } from "./options.ts";
export {
  clusterType,
  endpointType,
  extensionType,
  listenerType,
  routeType,
  scopedRouteType,
  secretType,
} from "./references.ts";
export {
  type Change,
  createResource,
  type Resource,
  type ResourceName,
  typeUrl,
} from "./resource.ts";
export { type ResourceType, resourceTypes } from "./resource-type.ts";
export { createXdsServer, type XdsServer } from "./server.ts";
export type { Settlement, SettlementOptions } from "./settlement.ts";
export { Snapshot, withRoutes } from "./snapshot.ts";
export type { ProxyStatus, QuarantinedResource, TypeStatus } from "./status.ts";
