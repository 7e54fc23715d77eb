import type { ServerCredentials } from "@grpc/grpc-js";
import type { XdsEvents } from "./events.ts";
import type { ResourceName } from "./resource.ts";
import type { ResourceType } from "./resource-type.ts";
import type { StreamLimits } from "./stream.ts";

/** What bounds a server against its clients. */
export type XdsLimits = StreamLimits & {
  /** The largest request. */
  readonly maxRequestBytes: number;
  /** What may wait to be read by one client before its stream is ended. */
  readonly maxBufferedBytes: number;
  /** How often a connection is asked for a sign of life, and how long it may take to answer. */
  readonly keepaliveMs: number;
  readonly keepaliveTimeoutMs: number;
  /** How long `close` waits for clients to go. */
  readonly drainMs: number;
};

export const defaultLimits: XdsLimits = {
  patienceMs: 5_000,
  declareMs: 1_000,
  ackTimeoutMs: 60_000,
  maxNames: 100_000,
  maxTypes: 32,
  maxResponseBytes: 3 * 1024 * 1024,
  maxRequestBytes: 32 * 1024 * 1024,
  maxBufferedBytes: 64 * 1024 * 1024,
  keepaliveMs: 30_000,
  keepaliveTimeoutMs: 10_000,
  drainMs: 2_000,
};

/** How to make a server. Only `listen` is required. */
export type XdsServerOptions = {
  /** `unix:/absolute/path` or `host:port`; port 0 lets the system choose. A stale socket file is replaced. */
  readonly listen: readonly string[];
  /** Default: insecure, for Unix sockets and loopback. */
  readonly credentials?: ServerCredentials;
  /** Which snapshot a node gets. Default: every node the one called {@link defaultKey}. */
  readonly keyOf?: (node: string) => string;
  /** What proxies know by themselves, such as static clusters: references to it resolve. */
  readonly external?: readonly ResourceName[];
  /** Types besides those of Envoy's API, or in their place. */
  readonly types?: readonly ResourceType[];
  /** Whether dangling references are refused. Default true. */
  readonly checkReferences?: boolean;
  /** How this control plane names itself in responses. Default `xds`. */
  readonly identifier?: string;
  readonly limits?: Partial<XdsLimits>;
  readonly events?: XdsEvents;
  /** Wall time in ms. Default `Date.now`. */
  readonly clock?: () => number;
};

/** The snapshot key of every node unless `keyOf` says otherwise. */
export const defaultKey = "default";
