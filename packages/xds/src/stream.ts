import type { DiscoveryRequest, Protocol } from "./discovery.ts";
import { accept, acknowledged, dispatch, isSayable, receive, select } from "./exchange.ts";
import { NameMap } from "./name-map.ts";
import { createGates, type Order } from "./ordering.ts";
import type { TypeTable } from "./resource-type.ts";
import {
  type Acknowledged,
  type Batch,
  covers,
  createSubscription,
  type Effect,
  markPending,
  publish,
  type Subscription,
  settle,
  type View,
} from "./subscription.ts";
import type { Entry, Plan } from "./table.ts";

/** What bounds a stream. Times in ms. */
export type StreamLimits = {
  /** How long a resource waits for what its cluster still has to fetch. */
  readonly patienceMs: number;
  /** How long after it connected a client may take to declare what it has. */
  readonly declareMs: number;
  /** How long a response may stay unanswered. */
  readonly ackTimeoutMs: number;
  readonly maxNames: number;
  readonly maxTypes: number;
  /** About how large a response may be that can also be sent in parts. */
  readonly maxResponseBytes: number;
};

/** One aggregated stream: its subscriptions by type URL, kept in the order of their ranks. */
export type Stream = Order & {
  readonly protocol: Protocol;
  readonly limits: StreamLimits;
  readonly subscriptions: Map<string, Subscription>;
  /** Resources to be sent even if the client declares them, because what names them was sent before. */
  readonly owed: NameMap<true>;
  ranked: readonly Subscription[];
  nonces: number;
};

export type StreamEvent =
  | { readonly kind: "request"; readonly request: DiscoveryRequest }
  | { readonly kind: "published"; readonly plan: Plan }
  | { readonly kind: "tick" };

/** A stream that starts at `now` (ms). */
export function createStream(
  protocol: Protocol,
  types: TypeTable,
  limits: StreamLimits,
  now: number,
): Stream {
  return {
    protocol,
    types,
    limits,
    declaredBy: now + limits.declareMs,
    subscriptions: new Map(),
    awaited: new NameMap(),
    owed: new NameMap(),
    ranked: [],
    nonces: 0,
  };
}

/** Takes one event in at `now` (ms) and returns what is to be done. Changes the stream in place and nothing else. */
export function step(stream: Stream, event: StreamEvent, view: View, now: number): Effect[] {
  const effects: Effect[] = [];
  if (event.kind === "request") effects.push(...takeRequest(stream, event.request, view, now));
  if (event.kind === "published") takePlan(stream, event.plan);
  if (event.kind === "tick") effects.push(...takeTick(stream, now));
  if (effects.some(({ kind }) => kind === "close")) return effects;
  return [...effects, ...pump(stream, view, now)];
}

/** Whether nothing of `revision` or older is on its way to the client, what quarantine blocks aside. */
export function isSettled(stream: Stream, revision: number, view: View, now: number): boolean {
  if (revision === 0) return true;
  for (const { name, deadline } of stream.awaited.values()) {
    const sub = stream.subscriptions.get(name.type);
    if (deadline > now && view.entry(name) && !(sub && covers(sub, name.name))) return false;
  }
  for (const { outstanding, pending, blocked } of stream.ranked) {
    if (outstanding && outstanding.revision <= revision) return false;
    for (const [name, since] of pending) if (since <= revision && !blocked.has(name)) return false;
  }
  return true;
}

function takePlan(stream: Stream, plan: Plan): void {
  for (const sub of stream.ranked) publish(sub, plan);
  for (const { resource } of plan.remove) stream.owed.delete(resource);
}

function takeRequest(stream: Stream, request: DiscoveryRequest, view: View, now: number): Effect[] {
  const known = stream.subscriptions.get(request.type);
  if (!known && stream.subscriptions.size >= stream.limits.maxTypes) {
    return [{ kind: "close", reason: "too_many_types" }];
  }
  const sub = known ?? addSubscription(stream, request.type);
  const { interest } = request;
  const givenUp = interest.kind === "change" ? interest.unsubscribe : [];
  for (const name of givenUp) stream.awaited.delete({ type: request.type, name });
  const effects = receive(sub, request, !known, view, now);
  if (countNames(stream) > stream.limits.maxNames) return [{ kind: "close", reason: "too_many_names" }];
  if (!known && sub.type.resend) {
    for (const name of sub.held.keys()) {
      if (stream.owed.has({ type: sub.type.url, name })) markPending(sub, name, view.revision, true);
    }
  }
  for (const effect of effects) if (effect.kind === "acknowledged") follow(stream, sub, effect, now);
  return effects;
}

function addSubscription(stream: Stream, url: string): Subscription {
  const sub = createSubscription(stream.types.of(url), stream.protocol);
  stream.subscriptions.set(url, sub);
  stream.ranked = [...stream.subscriptions.values()].sort((a, b) => a.type.rank - b.type.rank);
  return sub;
}

function countNames(stream: Stream): number {
  return stream.ranked.reduce((sum, { names }) => sum + names.size, 0);
}

/** The client has something new: it asks for what that names, and no longer for what only what it had before names. */
function follow(stream: Stream, sub: Subscription, effect: Acknowledged, now: number): Acknowledged {
  let named: NameMap<true> | undefined;
  for (const name of effect.replaced.flatMap(({ references }) => references)) {
    if (!stream.awaited.has(name)) continue;
    named ??= namesOf(sub.held.values());
    if (!named.has(name)) stream.awaited.delete(name);
  }
  for (const { resource, references } of effect.upsert) {
    stream.awaited.delete(resource);
    for (const name of references) {
      if (stream.types.of(name.type).rank <= sub.type.rank) continue;
      if (stream.subscriptions.get(name.type)?.held.has(name.name)) continue;
      if ((stream.awaited.get(name)?.deadline ?? 0) > now) continue;
      stream.awaited.set(name, { name, deadline: now + stream.limits.patienceMs });
    }
  }
  return effect;
}

function namesOf(entries: Iterable<Entry>): NameMap<true> {
  const names = new NameMap<true>();
  for (const { references } of entries) for (const name of references) names.set(name, true);
  return names;
}

function takeTick(stream: Stream, now: number): Effect[] {
  stream.awaited.prune(({ deadline }) => deadline <= now);
  const late = stream.ranked.some(
    ({ outstanding }) => outstanding && now - outstanding.since > stream.limits.ackTimeoutMs,
  );
  return late ? [{ kind: "close", reason: "ack_timeout" }] : [];
}

/** Sends what can be sent, lower ranks first, at most one outstanding response per type. */
function pump(stream: Stream, view: View, now: number): Effect[] {
  if (view.revision === 0) return [];
  const effects: Effect[] = [];
  for (let more = true; more; ) {
    const gates = createGates(stream, view, now);
    const silent: Effect[] = [];
    for (const sub of stream.ranked) {
      if (sub.outstanding || (sub.pending.size === 0 && sub.responses > 0)) continue;
      const { batch, confirmed, waiting } = select(sub, view, gates(sub), stream.limits.maxResponseBytes);
      if (confirmed.length > 0) silent.push(follow(stream, sub, acknowledged(sub, confirmed, [], []), now));
      // What a client has that came back may wait for what is new to it, and for that in this very response.
      const isWhole = !waiting || (sub.held.size > 0 && !sub.type.warms);
      if (sub.responses === 0 && sub.wildcard && !isWhole) continue;
      if (batch.size === 0 ? sub.responses === 0 && sub.wildcard : isSayable(sub, batch)) {
        const response = { nonce: String(++stream.nonces), version: view.fingerprint(sub.type.url) };
        effects.push(dispatch(sub, batch, response, now));
        noteSent(stream, sub, batch);
      } else if (batch.size > 0) {
        silent.push(follow(stream, sub, drop(sub, batch), now));
      }
    }
    effects.push(...silent);
    more = silent.length > 0;
  }
  return effects;
}

/** What is sent has its dependents of a resent type follow it, also those that the client declares only later. */
function noteSent(stream: Stream, sub: Subscription, batch: Batch): void {
  for (const [name, entry] of batch) {
    if (sub.type.resend) stream.owed.delete({ type: sub.type.url, name });
    for (const target of entry?.references ?? []) {
      if (!stream.types.of(target.type).resend) continue;
      stream.owed.set(target, true);
      const dependent = stream.subscriptions.get(target.type);
      if (dependent?.held.has(target.name)) markPending(dependent, target.name, entry?.revision ?? 0, true);
    }
  }
}

/** Removals that the variant has no words for are done by not speaking of the resource again. */
function drop(sub: Subscription, batch: Batch): Acknowledged {
  for (const name of batch.keys()) settle(sub, name);
  return accept(sub, batch);
}
