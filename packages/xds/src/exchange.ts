import { splitRejected } from "./bisection.ts";
import type { DiscoveryRequest } from "./discovery.ts";
import { takeInterest, takeStaleInterest } from "./interest.ts";
import {
  type Acknowledged,
  type Batch,
  covers,
  decide,
  type Effect,
  markPending,
  type Outstanding,
  type Quarantined,
  type Subscription,
  settle,
  type View,
} from "./subscription.ts";
import type { Entry } from "./table.ts";

/** How many characters of an error are kept. */
const maxMessage = 1_000;

/** Whether a change may go out now; `blocked` means not before something in quarantine changes. */
export type Readiness = "ready" | "waiting" | "blocked";

/** Says of each change whether make-before-break lets it go out. */
export type Gate = {
  readonly upsert: (entry: Entry) => Readiness;
  readonly remove: (name: string) => Readiness;
};

/**
 * A request of the client. Its nonce settles the outstanding response when it answers that one. A stale one says
 * nothing; its names still count in delta, where they are changes. In the state of the world the answer to the newer
 * response repeats them, and a stale list only tells what the client has given up in between.
 */
export function receive(
  sub: Subscription,
  request: DiscoveryRequest,
  first: boolean,
  view: View,
  now: number,
): Effect[] {
  if (sub.protocol === "sotw" && !first && request.nonce !== sub.nonce) {
    takeStaleInterest(sub, request.interest, view);
    return [];
  }
  const effects = takeAnswer(sub, request, now);
  const dropped = takeInterest(sub, request.interest, first, view);
  const removed = dropped.filter((name) => !view.entry({ type: sub.type.url, name }));
  if (view.revision > 0 && removed.length > 0) effects.push(acknowledged(sub, [], removed, []));
  return effects;
}

function takeAnswer(sub: Subscription, request: DiscoveryRequest, now: number): Effect[] {
  const { outstanding } = sub;
  if (!outstanding || request.nonce !== outstanding.nonce) return [];
  sub.outstanding = undefined;
  if (request.error === undefined) sub.version = outstanding.version;
  return request.error === undefined
    ? [accept(sub, outstanding.batch)]
    : reject(sub, outstanding, request.error, now);
}

/** The client holds what was in a batch. */
export function accept(sub: Subscription, batch: Batch): Acknowledged {
  const upsert: Entry[] = [];
  const removed: string[] = [];
  const replaced: Entry[] = [];
  for (const [name, entry] of batch) {
    const before = sub.held.get(name);
    if (before) replaced.push(before);
    sub.unsure.delete(name);
    if (!entry) {
      sub.held.delete(name);
      removed.push(name);
    } else if (covers(sub, name)) {
      sub.held.set(name, entry);
      upsert.push(entry);
    }
  }
  return acknowledged(sub, upsert, removed, replaced);
}

/**
 * The client rejected a response, of which it may have applied a part. One resource alone goes into quarantine;
 * of several, all are sent again in smaller groups until each was accepted or stood alone.
 */
function reject(sub: Subscription, { batch, revision }: Outstanding, message: string, now: number): Effect[] {
  const names = [...batch.keys()];
  const shown = shorten(message);
  sub.rejection = { message: shown, at: now };
  const effects: Effect[] = [{ kind: "rejected", type: sub.type.url, message: shown, names }];
  const [name, other] = names;
  if (name === undefined) return effects;
  if (other !== undefined) {
    for (const [each, entry] of batch) {
      markPending(sub, each, revision, true);
      sub.unsure.set(each, [...(sub.unsure.get(each) ?? []), entry]);
    }
    sub.trials.unshift(...splitRejected(names, message));
    return effects;
  }
  const entry = batch.get(name);
  if (!entry) return [...effects, accept(sub, batch)];
  const { version } = entry.resource;
  const unsure = sub.unsure.get(name)?.filter((other) => other?.resource.version !== version) ?? [];
  if (unsure.length === 0) sub.unsure.delete(name);
  markPending(sub, name, revision, unsure.length > 0);
  const versions = new Set([...(sub.quarantine.get(name)?.versions ?? []), version]);
  const cause: Quarantined = { version, versions, message: shown, since: now };
  sub.quarantine.set(name, cause);
  return [...effects, { kind: "quarantined", type: sub.type.url, name, cause }];
}

/** Clients may quote the whole resource; the reason stands at an end. */
function shorten(message: string): string {
  const text = message.trim();
  return text.length <= maxMessage
    ? text
    : `${text.slice(0, maxMessage / 4)} … ${text.slice(-maxMessage / 2)}`;
}

/** What can be sent next. `waiting` says that a resource is held back for the order's sake. */
export type Selection = {
  readonly batch: Batch;
  readonly confirmed: readonly Entry[];
  readonly waiting: boolean;
};

/** Picks the next response from what is pending, about `maxBytes` of it where a response may be a part. */
export function select(sub: Subscription, view: View, gate: Gate, maxBytes: number): Selection {
  let selection = selectAmong(sub, sub.trials.shift(), view, gate, maxBytes);
  while (selection.batch.size === 0 && sub.trials.length > 0) {
    const next = selectAmong(sub, sub.trials.shift(), view, gate, maxBytes);
    selection = { ...next, confirmed: [...selection.confirmed, ...next.confirmed] };
  }
  return selection;
}

function selectAmong(
  sub: Subscription,
  group: readonly string[] | undefined,
  view: View,
  gate: Gate,
  maxBytes: number,
): Selection {
  const batch = new Map<string, Entry | undefined>();
  const confirmed: Entry[] = [];
  const whole = sub.protocol === "sotw" && sub.type.complete;
  let waiting = false;
  let bytes = 0;
  for (const name of group ?? sub.pending.keys()) {
    if (!sub.pending.has(name)) continue;
    const decision = decide(sub, name, view);
    if (decision.kind === "keep") {
      if (keep(sub, name, decision.entry)) confirmed.push(...(decision.entry ? [decision.entry] : []));
      continue;
    }
    const entry = decision.kind === "upsert" ? decision.entry : undefined;
    const readiness = entry ? gate.upsert(entry) : gate.remove(name);
    if (readiness === "blocked") sub.blocked.add(name);
    else sub.blocked.delete(name);
    waiting ||= entry !== undefined && readiness === "waiting";
    if (readiness !== "ready") continue;
    const size = (entry?.resource.body.length ?? 0) + name.length;
    if (!whole && batch.size > 0 && bytes + size > maxBytes) break;
    bytes += size;
    batch.set(name, entry);
  }
  return { batch, confirmed, waiting };
}

/** Leaves a name as the client has it; true when that confirms a version that was only declared so far. */
function keep(sub: Subscription, name: string, entry: Entry | undefined): boolean {
  settle(sub, name);
  const held = sub.held.get(name);
  if (!entry || !held || held === entry) return false;
  sub.held.set(name, entry);
  return held.revision === 0;
}

/** Makes a batch the outstanding response. `version` is of everything that is published of the type. */
export function dispatch(
  sub: Subscription,
  batch: Batch,
  response: { readonly nonce: string; readonly version: string },
  now: number,
): Effect {
  const { nonce, version } = response;
  let revision = Number.POSITIVE_INFINITY;
  for (const name of batch.keys()) {
    revision = Math.min(revision, sub.pending.get(name) ?? revision);
    settle(sub, name);
  }
  sub.outstanding = { nonce, version, batch, revision, since: now };
  sub.nonce = nonce;
  sub.responses++;
  const resources = sub.protocol === "sotw" && sub.type.complete ? keptBeside(sub, batch) : [];
  const removed: string[] = [];
  for (const [name, entry] of batch) {
    if (entry) resources.push(entry.resource);
    else removed.push(name);
  }
  return { kind: "send", type: sub.type.url, nonce, version, resources, removed };
}

/** A complete response repeats what the client holds and keeps. */
function keptBeside(sub: Subscription, batch: Batch) {
  const kept = [];
  for (const [name, entry] of sub.held) if (!batch.has(name)) kept.push(entry.resource);
  return kept;
}

/** Whether a batch has something that the variant can say: a partial state of the world has no removals. */
export function isSayable(sub: Subscription, batch: Batch): boolean {
  if (sub.protocol === "delta" || sub.type.complete) return true;
  for (const entry of batch.values()) if (entry) return true;
  return false;
}

export function acknowledged(
  sub: Subscription,
  upsert: readonly Entry[],
  removed: readonly string[],
  replaced: readonly Entry[],
): Acknowledged {
  return { kind: "acknowledged", type: sub.type.url, upsert, removed, replaced };
}
