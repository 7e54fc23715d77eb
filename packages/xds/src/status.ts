import type { Protocol } from "./discovery.ts";
import type { Stream } from "./stream.ts";
import type { Subscription } from "./subscription.ts";

/** One connected proxy. Times are ISO 8601. */
export type ProxyStatus = {
  readonly node: string;
  readonly key: string;
  readonly peer: string;
  readonly protocol: Protocol;
  readonly connectedSince: string;
  readonly types: readonly TypeStatus[];
};

/** One type that a proxy subscribed to. */
export type TypeStatus = {
  readonly type: string;
  readonly wildcard: boolean;
  /** How many names it asked for, besides the wildcard. */
  readonly subscribed: number;
  /** How many responses were sent. */
  readonly responses: number;
  /** The version of the last response that it acknowledged; equal to that of every server with equal resources. */
  readonly version: string | null;
  /** How many resources it acknowledged and holds. */
  readonly acknowledged: number;
  /** How many resources are on their way, or wait to be sent. */
  readonly outstanding: number;
  readonly pending: number;
  /** Names that wait because something that they name, or that names them, is in quarantine. */
  readonly blocked: readonly string[];
  readonly rejected: { readonly message: string; readonly at: string } | null;
};

/** A resource that a proxy rejected. `serving` is the version it has instead, null when it has none. */
export type QuarantinedResource = {
  readonly node: string;
  readonly type: string;
  readonly name: string;
  readonly version: string;
  readonly serving: string | null;
  readonly message: string;
  readonly since: string;
};

export function typesOf(stream: Stream): TypeStatus[] {
  return stream.ranked.map(typeStatus);
}

function typeStatus(sub: Subscription): TypeStatus {
  const { rejection } = sub;
  return {
    type: sub.type.url,
    wildcard: sub.wildcard,
    subscribed: sub.names.size,
    responses: sub.responses,
    version: sub.version ?? null,
    acknowledged: sub.held.size,
    outstanding: sub.outstanding?.batch.size ?? 0,
    pending: sub.pending.size,
    blocked: [...sub.blocked],
    rejected: rejection ? { message: rejection.message, at: new Date(rejection.at).toISOString() } : null,
  };
}

export function quarantineOf(node: string, stream: Stream): QuarantinedResource[] {
  return stream.ranked.flatMap((sub) =>
    [...sub.quarantine].map(([name, { version, message, since }]) => ({
      node,
      type: sub.type.url,
      name,
      version,
      serving: sub.held.get(name)?.resource.version ?? null,
      message,
      since: new Date(since).toISOString(),
    })),
  );
}
