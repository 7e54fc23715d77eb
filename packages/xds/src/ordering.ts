import type { Gate, Readiness } from "./exchange.ts";
import { NameMap } from "./name-map.ts";
import type { ResourceName } from "./resource.ts";
import type { TypeTable } from "./resource-type.ts";
import { covers, type Subscription, surelyHas, type View } from "./subscription.ts";
import type { Entry } from "./table.ts";

/** What make-before-break looks at: the subscriptions of one stream, and what the client is about to ask for. */
export type Order = {
  readonly types: TypeTable;
  readonly subscriptions: ReadonlyMap<string, Subscription>;
  /** Resources that acknowledged ones name and the client has not got yet, with the time (ms) to stop waiting. */
  readonly awaited: NameMap<{ readonly name: ResourceName; readonly deadline: number }>;
  /** Until when (ms) a client that reconnected may still declare what it has. */
  readonly declaredBy: number;
};

/**
 * The gates of one moment. A resource waits until the client has what it names at lower ranks, at least as new as
 * itself, and what that in turn has the client ask for. One of a type that is not warmed and that the client has in another
 * form waits also for what it names at higher ranks, as long as a resource that is new to the client brings that. A removal
 * waits until nothing that the client has, or is being sent, names the resource.
 */
export function createGates(order: Order, view: View, now: number): (sub: Subscription) => Gate {
  let holders: NameMap<Readiness> | undefined;
  return (sub) => {
    let unknown: Readiness | undefined;
    const isReady = (entry: Entry) => {
      const made = worst(entry.references, (name) => isMade(order, sub, entry, name, view, now));
      if (made !== "ready" || sub.type.warms) return made;
      return worst(entry.references, (name) => isLed(order, sub, name, view, now));
    };
    // Taken before anything that the client declared is found to be as it should: then it is no longer new.
    const brought = sub.type.warms ? nothing : broughtBy(sub, view, isReady);
    let kept: NameMap<true> | undefined;
    const isKept = (name: ResourceName) => {
      kept ??= keptBy(sub, view);
      return kept.has(name);
    };
    return {
      upsert: (entry) => {
        const made = isReady(entry);
        if (made !== "ready" || sub.type.warms) return made;
        const added = addedTo(sub, entry).filter((name) => view.entry(name) !== undefined);
        return worst(added, (name) => isFetched(order, sub, name, { brought, isKept }, now));
      },
      remove: (name) => {
        holders ??= heldReferences(order);
        unknown ??= unknownReferences(order, sub, now);
        const known = holders.get({ type: sub.type.url, name }) ?? "ready";
        return unknown === "ready" || known === "waiting" ? known : unknown;
      },
    };
  };
}

/**
 * A client that reconnects declares versions only. What an outdated one names is not known before it is replaced, so
 * nothing that it may name is removed until then.
 */
function unknownReferences(order: Order, target: Subscription, now: number): Readiness {
  const { url } = target.type;
  const reconnected = now < order.declaredBy && isDeclared(target);
  return worst(order.types.naming(url), (naming) => {
    const sub = order.subscriptions.get(naming);
    if (!sub) return reconnected ? "waiting" : "ready";
    if (sub.outstanding && anyDeclared(sub, sub.outstanding.batch.keys())) return "waiting";
    const stuck = new Set([...sub.quarantine.keys(), ...sub.blocked]);
    const moving = [...sub.pending.keys()].filter((name) => !stuck.has(name));
    if (anyDeclared(sub, moving)) return "waiting";
    return anyDeclared(sub, stuck) ? "blocked" : "ready";
  });
}

function isDeclared(sub: Subscription): boolean {
  return anyDeclared(sub, sub.pending.keys());
}

function anyDeclared(sub: Subscription, names: Iterable<string>): boolean {
  for (const name of names) if (sub.held.get(name)?.revision === 0) return true;
  return false;
}

/** Whether the client has what `entry` names as `name`, ready for use. */
function isMade(
  order: Order,
  sub: Subscription,
  entry: Entry,
  name: ResourceName,
  view: View,
  now: number,
): Readiness {
  const target = order.subscriptions.get(name.type);
  if (!target || target.type.rank >= sub.type.rank || !covers(target, name.name)) return "ready";
  const held = target.held.get(name.name);
  const published = view.entry(name);
  if (!published && !held) return "ready";
  const known = held !== undefined && held.revision > 0;
  const has = known && surelyHas(target, name.name);
  const sameVersion = held?.resource.version === published?.resource.version;
  if (!has || (held.revision < entry.revision && !sameVersion)) {
    const stuck = target.quarantine.has(name.name) || target.blocked.has(name.name);
    if (!stuck || (known && target.unsure.has(name.name))) return "waiting";
    if (!has) return "blocked";
  }
  return worst(held?.references ?? [], (next) => isFollowed(order, target, next, now));
}

/** Whether the client has got what it asks for by itself once it has a resource of `source`. */
function isFollowed(order: Order, source: Subscription, name: ResourceName, now: number): Readiness {
  const target = order.subscriptions.get(name.type);
  if (target && (target.type.rank <= source.type.rank || surelyHas(target, name.name))) return "ready";
  if (target?.quarantine.has(name.name) || target?.blocked.has(name.name)) return "blocked";
  return (order.awaited.get(name)?.deadline ?? 0) > now ? "waiting" : "ready";
}

const nothing = new NameMap<true>();

/**
 * Whether what a resource will have the client ask for could be sent: a client that starts uses nothing before all that it asked for
 * has come.
 */
function isLed(order: Order, sub: Subscription, name: ResourceName, view: View, now: number): Readiness {
  const next = view.entry(name);
  if (!next || order.types.of(name.type).rank <= sub.type.rank) return "ready";
  return worst(next.references, (each) => isMade(order, sub, next, each, view, now));
}

/** Whether the client has got what a resource names at a higher rank, or nothing has it ask for that. */
function isFetched(
  order: Order,
  sub: Subscription,
  name: ResourceName,
  by: { readonly brought: NameMap<true>; readonly isKept: (name: ResourceName) => boolean },
  now: number,
): Readiness {
  if (order.types.of(name.type).rank <= sub.type.rank) return "ready";
  const target = order.subscriptions.get(name.type);
  const has = target !== undefined && surelyHas(target, name.name);
  if (has && by.isKept(name)) return "ready";
  if (!has && (target?.quarantine.has(name.name) || target?.blocked.has(name.name))) return "blocked";
  const isComing = target?.pending.has(name.name) || target?.outstanding?.batch.get(name.name) !== undefined;
  const isAsked = (order.awaited.get(name)?.deadline ?? 0) > now;
  return (!has && isComing) || isAsked || by.brought.has(name) ? "waiting" : "ready";
}

/**
 * What resources name that are on their way to the client, new to it as far as is known and waiting for nothing. One that may
 * have been in a rejected response counts as well, unless that could have been in another form.
 */
function broughtBy(sub: Subscription, view: View, isReady: (entry: Entry) => Readiness): NameMap<true> {
  const found = new NameMap<true>();
  const note = (entry: Entry | undefined) => {
    if (entry === undefined || addedTo(sub, entry).length > 0) return;
    const { name } = entry.resource;
    if (surelyHas(sub, name) && (sub.held.get(name)?.revision ?? 0) > 0) return;
    if (isReady(entry) === "blocked") return;
    for (const target of entry.references) found.set(target, true);
  };
  for (const entry of sub.outstanding?.batch.values() ?? []) note(entry);
  for (const name of sub.pending.keys()) {
    if (!sub.quarantine.has(name)) note(view.entry({ type: sub.type.url, name }));
  }
  return found;
}

/** What resources name that the client has and keeps: what none of them names it gives up by itself. */
function keptBy(sub: Subscription, view: View): NameMap<true> {
  const found = new NameMap<true>();
  for (const [name, held] of sub.held) {
    if (sub.unsure.has(name) || sub.outstanding?.batch.has(name)) continue;
    const next = sub.pending.has(name) ? view.entry({ type: sub.type.url, name }) : held;
    if (next?.resource.version === held.resource.version)
      for (const target of next.references) found.set(target, true);
  }
  return found;
}

/** What an entry names that something does not which the client may have in its place. */
function addedTo(sub: Subscription, { resource, references }: Entry): readonly ResourceName[] {
  const forms = [sub.held.get(resource.name), ...(sub.unsure.get(resource.name) ?? [])];
  const others = forms.filter((form) => form !== undefined && form.resource.version !== resource.version);
  if (others.length === 0) return [];
  const isNamed = ({ type, name }: ResourceName, by: Entry | undefined) =>
    by?.references.some((each) => each.type === type && each.name === name) === true;
  return references.filter((target) => !others.every((form) => isNamed(target, form)));
}

/**
 * What resources that are about to change name at the client. Whatever else the client has is as published, and
 * what is published names nothing that is removed.
 */
function heldReferences({ subscriptions }: Order): NameMap<Readiness> {
  const found = new NameMap<Readiness>();
  const note = (entry: Entry | undefined, readiness: Readiness): void => {
    for (const name of entry?.references ?? []) {
      if (readiness === "waiting" || !found.has(name)) found.set(name, readiness);
    }
  };
  for (const sub of subscriptions.values()) {
    const stuck = (name: string) => sub.blocked.has(name) || sub.quarantine.has(name);
    const readiness = (name: string) => (stuck(name) ? "blocked" : "waiting");
    for (const name of sub.quarantine.keys()) note(sub.held.get(name), "blocked");
    for (const name of sub.pending.keys()) note(sub.held.get(name), readiness(name));
    for (const [name, entries] of sub.unsure) for (const entry of entries) note(entry, readiness(name));
    for (const [name, entry] of sub.outstanding?.batch ?? []) {
      note(sub.held.get(name), "waiting");
      note(entry, "waiting");
    }
  }
  return found;
}

function worst<T>(all: readonly T[], readinessOf: (one: T) => Readiness): Readiness {
  let found: Readiness = "ready";
  for (const one of all) {
    const readiness = readinessOf(one);
    if (readiness === "waiting") return "waiting";
    if (readiness === "blocked") found = "blocked";
  }
  return found;
}
