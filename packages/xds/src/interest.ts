import type { Interest } from "./discovery.ts";
import { createResource } from "./resource.ts";
import { covers, markPending, type Subscription, settle, type View } from "./subscription.ts";
import type { Entry } from "./table.ts";

type ListInterest = Extract<Interest, { kind: "list" }>;
type ChangeInterest = Extract<Interest, { kind: "change" }>;

const everything = "*";
const noBody = new Uint8Array(0);

/**
 * Takes over what a request asks for. `first` is the first request for the type on its stream. Returns the names that
 * the client had and that it no longer asks for.
 */
export function takeInterest(sub: Subscription, interest: Interest, first: boolean, view: View): string[] {
  return interest.kind === "list" ? takeList(sub, interest, view) : takeChange(sub, interest, first, view);
}

/**
 * State of the world: a list that crossed a response. It is younger than all that was taken over, so the client has
 * dropped what it leaves out, and needs it again should the next list name it.
 */
export function takeStaleInterest(sub: Subscription, interest: Interest, view: View): void {
  if (interest.kind !== "list" || sub.wildcard) return;
  const wanted = new Set(interest.names);
  for (const name of sub.held.keys()) {
    if (wanted.has(name)) continue;
    sub.held.delete(name);
    markPending(sub, name, view.revision);
  }
}

/** State of the world: naming nothing means everything until a first name was given, and nothing afterwards. */
function takeList(sub: Subscription, { names }: ListInterest, view: View): string[] {
  const wanted = new Set(names);
  const asksAll = wanted.delete(everything) || (names.length === 0 && !sub.named);
  sub.named ||= names.length > 0;
  const wildcard = asksAll && sub.type.wildcard;
  if (wildcard && !sub.wildcard) addEverything(sub, view);
  for (const name of wanted) {
    if (sub.names.has(name)) continue;
    sub.names.add(name);
    markPending(sub, name, view.revision);
  }
  for (const name of sub.names) if (!wanted.has(name)) sub.names.delete(name);
  sub.wildcard = wildcard;
  return dropUncovered(sub);
}

/**
 * Delta: a first request that names nothing, or `*`, asks for everything. A name that is asked for is answered even
 * when the client has it, and one given up under the wildcard is answered too, because the client may have dropped it.
 */
function takeChange(sub: Subscription, interest: ChangeInterest, first: boolean, view: View): string[] {
  const { subscribe, unsubscribe, initial } = interest;
  const asksAll = subscribe.includes(everything) || (first && subscribe.length === 0);
  const gainsAll = asksAll && sub.type.wildcard && !sub.wildcard;
  if (gainsAll) sub.wildcard = true;
  for (const name of subscribe) {
    if (name === everything && sub.type.wildcard) continue;
    sub.names.add(name);
    markPending(sub, name, view.revision, !initial.has(name));
  }
  if (gainsAll) addEverything(sub, view);
  if (first) takeInitial(sub, initial, view);
  return takeUnsubscribed(sub, unsubscribe, view);
}

function takeUnsubscribed(sub: Subscription, unsubscribe: readonly string[], view: View): string[] {
  const given = unsubscribe.filter((name) => sub.names.delete(name));
  const losesAll = sub.wildcard && unsubscribe.includes(everything);
  if (losesAll) sub.wildcard = false;
  if (sub.wildcard) for (const name of given) markPending(sub, name, view.revision, true);
  return losesAll ? dropUncovered(sub) : given.filter((name) => drop(sub, name));
}

function addEverything(sub: Subscription, view: View): void {
  for (const name of view.entries(sub.type.url).keys()) markPending(sub, name, view.revision);
}

/** What a reconnecting client holds: known by version only until it turns out to be what is published. */
function takeInitial(sub: Subscription, initial: ReadonlyMap<string, string>, view: View): void {
  for (const [name, version] of initial) {
    if (name === "" || !covers(sub, name)) continue;
    sub.held.set(name, declared(sub.type.url, name, version));
    markPending(sub, name, view.revision);
  }
}

function declared(type: string, name: string, version: string): Entry {
  return { resource: { ...createResource(type, name, noBody), version }, references: [], revision: 0 };
}

function dropUncovered(sub: Subscription): string[] {
  const dropped = [...sub.held.keys()].filter((name) => drop(sub, name));
  for (const name of sub.pending.keys()) drop(sub, name);
  for (const name of sub.quarantine.keys()) drop(sub, name);
  return dropped;
}

/** Forgets a name that is no longer asked for; true when the client had it. */
function drop(sub: Subscription, name: string): boolean {
  if (covers(sub, name)) return false;
  sub.quarantine.delete(name);
  sub.unsure.delete(name);
  settle(sub, name);
  return sub.held.delete(name);
}
