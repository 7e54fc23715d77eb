import type { Protocol } from "./discovery.ts";
import type { Resource, ResourceName } from "./resource.ts";
import type { ResourceType } from "./resource-type.ts";
import type { Entry, Plan } from "./table.ts";

/** What a subscription reads of the published resources. */
export type View = {
  /** 0 while nothing was published: until then nothing is answered. */
  readonly revision: number;
  entry(name: ResourceName): Entry | undefined;
  entries(type: string): ReadonlyMap<string, Entry>;
  resolves(name: ResourceName): boolean;
  fingerprint(type: string): string;
  /** What any client acknowledged last: the one to fall back to when a newer one is rejected. */
  accepted(name: ResourceName): Entry | undefined;
};

/** What goes into one response: name to entry, or to undefined for a removal. */
export type Batch = ReadonlyMap<string, Entry | undefined>;

/** A response that was sent and not yet answered. `revision` is the oldest of what is in it, `since` in ms. */
export type Outstanding = {
  readonly nonce: string;
  readonly version: string;
  readonly batch: Batch;
  readonly revision: number;
  readonly since: number;
};

/** A resource that the client rejected when it was alone in a response, and the versions of it that it did. */
export type Quarantined = {
  readonly version: string;
  readonly versions: ReadonlySet<string>;
  readonly message: string;
  readonly since: number;
};

/** What a stream tells its driver: to send, to close, or what the client said. */
export type Effect =
  | {
      readonly kind: "send";
      readonly type: string;
      readonly nonce: string;
      readonly version: string;
      readonly resources: readonly Resource[];
      readonly removed: readonly string[];
    }
  | Acknowledged
  | {
      readonly kind: "rejected";
      readonly type: string;
      readonly message: string;
      readonly names: readonly string[];
    }
  | {
      readonly kind: "quarantined";
      readonly type: string;
      readonly name: string;
      readonly cause: Quarantined;
    }
  | { readonly kind: "close"; readonly reason: CloseReason };

/** The client now holds `upsert` and no longer holds `removed`; `replaced` is what it held of both before. */
export type Acknowledged = {
  readonly kind: "acknowledged";
  readonly type: string;
  readonly upsert: readonly Entry[];
  readonly removed: readonly string[];
  readonly replaced: readonly Entry[];
};

export type CloseReason = "ack_timeout" | "too_many_names" | "too_many_types";

/**
 * One type on one stream. Its transitions change it in place, because it may hold 100,000 names, and do nothing
 * else: they read no clock, and whatever leaves the process is returned as an {@link Effect}.
 */
export type Subscription = {
  readonly type: ResourceType;
  readonly protocol: Protocol;
  wildcard: boolean;
  /** Whether a name was ever given: from then on an empty state-of-the-world list means nothing. */
  named: boolean;
  /** The names asked for, besides the wildcard. */
  readonly names: Set<string>;
  /** What the client acknowledged, or said at first that it has (revision 0). */
  readonly held: Map<string, Entry>;
  /** Names that may differ between client and view, with the revision since which they may. */
  readonly pending: Map<string, number>;
  /** Pending names that are sent even when the client holds the same bytes. */
  readonly forced: Set<string>;
  /** Pending names that cannot be sent before something in quarantine changes. */
  readonly blocked: Set<string>;
  readonly quarantine: Map<string, Quarantined>;
  /** What the client may have in place of what it acknowledged: the rejected responses that it was in, if others too. */
  readonly unsure: Map<string, readonly (Entry | undefined)[]>;
  /** Groups of a rejected response, tried one by one before anything else is sent. */
  readonly trials: string[][];
  outstanding: Outstanding | undefined;
  /** The nonce of the last response. */
  nonce: string;
  /** How many responses were sent. */
  responses: number;
  /** The version of the last response that was acknowledged. */
  version: string | undefined;
  rejection: { readonly message: string; readonly at: number } | undefined;
};

export function createSubscription(type: ResourceType, protocol: Protocol): Subscription {
  return {
    type,
    protocol,
    wildcard: false,
    named: false,
    names: new Set(),
    held: new Map(),
    pending: new Map(),
    forced: new Set(),
    blocked: new Set(),
    quarantine: new Map(),
    unsure: new Map(),
    trials: [],
    outstanding: undefined,
    nonce: "",
    responses: 0,
    version: undefined,
    rejection: undefined,
  };
}

/** Whether the client asked for this name, by itself or with everything. */
export function covers(sub: Subscription, name: string): boolean {
  return sub.wildcard || sub.names.has(name);
}

/** Whether the client surely has some version of a name, and is not being told to drop it. */
export function surelyHas(sub: Subscription, name: string): boolean {
  const removing = sub.outstanding?.batch.has(name) && !sub.outstanding.batch.get(name);
  return sub.held.has(name) && !sub.unsure.has(name) && !removing;
}

/** Has a name looked at again; `force` sends it even when the client holds the same bytes. */
export function markPending(sub: Subscription, name: string, revision: number, force = false): void {
  if (!sub.pending.has(name)) sub.pending.set(name, revision);
  if (force) sub.forced.add(name);
}

/** Has a name looked at no more: it was sent, or the client has what it should. */
export function settle(sub: Subscription, name: string): void {
  sub.pending.delete(name);
  sub.forced.delete(name);
  sub.blocked.delete(name);
}

/** A change was published. New content leaves quarantine. */
export function publish(sub: Subscription, plan: Plan): void {
  for (const { resource } of plan.upsert) {
    if (resource.type !== sub.type.url || !covers(sub, resource.name)) continue;
    if (!sub.quarantine.get(resource.name)?.versions.has(resource.version))
      sub.quarantine.delete(resource.name);
    markPending(sub, resource.name, plan.revision);
  }
  for (const { resource } of plan.remove) {
    if (resource.type !== sub.type.url || !covers(sub, resource.name)) continue;
    sub.quarantine.delete(resource.name);
    markPending(sub, resource.name, plan.revision);
  }
}

/** What is to become of a name at the client: sent, removed, or left as it is. */
export type Decision =
  | { readonly kind: "upsert"; readonly entry: Entry }
  | { readonly kind: "remove" }
  | { readonly kind: "keep"; readonly entry: Entry | undefined };

/** Compares what the client holds with what it should hold, quarantine considered. */
export function decide(sub: Subscription, name: string, view: View): Decision {
  const held = sub.held.get(name);
  // What it may have in place of what it acknowledged has to go, whatever is published again.
  const force = sub.forced.has(name) || sub.unsure.has(name);
  const wanted = effective(sub, name, view);
  if (wanted === "withheld") {
    const takeBack = force && !held && (sub.protocol === "delta" || sub.type.complete);
    return takeBack ? { kind: "remove" } : { kind: "keep", entry: held };
  }
  if (!wanted) {
    const mayHave = held !== undefined || sub.unsure.has(name);
    const tell = mayHave || (force && sub.protocol === "delta");
    return tell ? { kind: "remove" } : { kind: "keep", entry: undefined };
  }
  const same = held?.resource.version === wanted.resource.version;
  return same && !force ? { kind: "keep", entry: wanted } : { kind: "upsert", entry: wanted };
}

/**
 * What the client should hold: what is published, or when it rejects that, what it acknowledged last, or what any
 * client did as long as what that names is still there. `withheld` leaves the client as it is.
 */
function effective(sub: Subscription, name: string, view: View): Entry | "withheld" | undefined {
  const published = view.entry({ type: sub.type.url, name });
  const rejected = sub.quarantine.get(name)?.versions;
  if (!published || !rejected?.has(published.resource.version)) return published;
  const held = sub.held.get(name);
  if (held && held.revision > 0) return held;
  const accepted = view.accepted({ type: sub.type.url, name });
  if (!accepted || rejected.has(accepted.resource.version)) return "withheld";
  return accepted.references.every((target) => view.resolves(target)) ? accepted : "withheld";
}
