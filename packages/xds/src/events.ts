import type { Resource } from "./resource.ts";

/** Which client an event is about. */
export type ProxyIdentity = { readonly node: string; readonly key: string };

/** What a server tells its owner. Callbacks run on the path of the stream: they must be quick and must not throw. */
export type XdsEvents = {
  readonly onConnected?: (proxy: ProxyIdentity) => void;
  /** `reason` is a text for people; the stream is gone. */
  readonly onDisconnected?: (proxy: ProxyIdentity, reason: string) => void;
  /** The proxy now holds `upsert` and no longer holds the names in `removed`. */
  readonly onAcknowledged?: (proxy: ProxyIdentity, acknowledged: AcknowledgedEvent) => void;
  /** The proxy rejected a response with these names in it. */
  readonly onRejected?: (proxy: ProxyIdentity, rejected: RejectedEvent) => void;
  /** The proxy rejected this resource alone: it is not sent to it again before its content changes. */
  readonly onQuarantined?: (proxy: ProxyIdentity, quarantined: QuarantinedEvent) => void;
};

export type AcknowledgedEvent = {
  readonly type: string;
  readonly upsert: readonly Resource[];
  readonly removed: readonly string[];
};

export type RejectedEvent = {
  readonly type: string;
  readonly names: readonly string[];
  readonly message: string;
};

export type QuarantinedEvent = {
  readonly type: string;
  readonly name: string;
  readonly version: string;
  readonly message: string;
};
