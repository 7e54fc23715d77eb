import type { RpcErrorCode } from "@catalyst/rpc";
import type { RegistrationEvent } from "./events.ts";

/** Monotonic time in ms; only differences mean anything. */
export type Instant = number;

/** What the node granted: it ends by itself `ttlMs` after the last renewal. */
export type Lease = { readonly id: string; readonly ttlMs: number; readonly host: string };

/** Where a service stands that holds no lease. */
type Quest = {
  /** Refusals in a row, for the backoff. */
  readonly refusals: number;
  /** The reason that was told last, so that it is told once. */
  readonly told: RpcErrorCode | null;
  /** Since when another service has held the name. */
  readonly taken: { readonly since: Instant; readonly told: boolean } | null;
};

/** The calls that a registration makes; one at a time, but a release does not wait for a renewal. */
export type LeaseCall = "register" | "renew" | "release";

/**
 * One registration. The connection to the node comes and goes underneath; a call is under way in `registering`,
 * `renewing` and `releasing`. A lease outlives its connection: the node keeps serving meanwhile.
 */
export type LeaseState =
  | { readonly kind: "away"; readonly lease: Lease | null; readonly quest: Quest }
  | { readonly kind: "registering"; readonly quest: Quest }
  | { readonly kind: "refused_for_now"; readonly quest: Quest }
  /** `confirmed`: the last renewal succeeded, and the connection has not broken since. */
  | { readonly kind: "held"; readonly lease: Lease; readonly confirmed: boolean }
  | { readonly kind: "renewing"; readonly lease: Lease; readonly confirmed: boolean }
  /** Without a lease: one was asked for and may yet be granted. */
  | { readonly kind: "releasing"; readonly lease: Lease | null }
  | { readonly kind: "refused" }
  | { readonly kind: "released" };

export type LeaseEvent =
  | { readonly kind: "connected" }
  /** The connection ended, or a new one could not be made. */
  | { readonly kind: "unavailable"; readonly code: RpcErrorCode; readonly message: string }
  | { readonly kind: "granted"; readonly lease: Lease }
  | { readonly kind: "renewed"; readonly ttlMs: number }
  | {
      readonly kind: "failed";
      readonly call: LeaseCall;
      readonly code: RpcErrorCode;
      readonly message: string;
    }
  | { readonly kind: "wake" }
  | { readonly kind: "release" }
  | { readonly kind: "released" };

export type LeaseEffect =
  | { readonly kind: "register" }
  | { readonly kind: "renew"; readonly leaseId: string }
  | { readonly kind: "release"; readonly leaseId: string }
  /** Send `wake` once, at a random moment between the two; any other change of state cancels it. */
  | { readonly kind: "wake"; readonly earliestMs: number; readonly latestMs: number }
  | { readonly kind: "tell"; readonly event: RegistrationEvent }
  /** Nothing more will be asked of the node. */
  | { readonly kind: "disconnect" };

/** A node that does not answer a release in time is left to notice that the lease ends. */
const releaseLimit: LeaseEffect = { kind: "wake", earliestMs: 2_000, latestMs: 2_000 };

type Step = readonly [LeaseState, readonly LeaseEffect[]];

const freshQuest: Quest = { refusals: 0, told: null, taken: null };

export const initialState: LeaseState = { kind: "away", lease: null, quest: freshQuest };

const absent: ReadonlySet<RpcErrorCode> = new Set(["disconnected", "unreachable"]);

const minRetryMs = 200;
const maxRetryMs = 10_000;
/** A name that is taken is asked for at a steady pace: its lease may end at any moment. */
const takenRetryMs = 1_000;

/**
 * One event in, the next state and the effects it asks for. `ttlMs` is the time to live that is asked for: a
 * name that is still taken after that long was not left behind by a process that died, and is a conflict.
 */
export function step(state: LeaseState, event: LeaseEvent, now: Instant, ttlMs: number): Step {
  switch (event.kind) {
    case "connected":
      return connect(state);
    case "unavailable":
      return lose(state, event.code, event.message);
    case "granted":
      return grant(state, event.lease);
    case "renewed":
      return renewed(state, event.ttlMs);
    case "failed":
      return fail(state, event, now, ttlMs);
    case "wake":
      return wake(state);
    case "release":
      return release(state);
    case "released":
      return state.kind === "releasing" ? end() : [state, []];
  }
}

function connect(state: LeaseState): Step {
  if (state.kind !== "away") return [state, []];
  return state.lease === null ? ask(state.quest) : renew(state.lease, false);
}

function wake(state: LeaseState): Step {
  if (state.kind === "refused_for_now") return ask(state.quest);
  if (state.kind === "releasing") return end();
  return state.kind === "held" ? renew(state.lease, state.confirmed) : [state, []];
}

function ask(quest: Quest): Step {
  return [{ kind: "registering", quest }, [{ kind: "register" }]];
}

function renew(lease: Lease, confirmed: boolean): Step {
  return [{ kind: "renewing", lease, confirmed }, [{ kind: "renew", leaseId: lease.id }]];
}

function grant(state: LeaseState, lease: Lease): Step {
  if (state.kind === "releasing" && state.lease === null) return giveBack(lease);
  if (state.kind !== "registering") return [state, []];
  return hold(lease, [tellRegistered(lease)]);
}

function renewed(state: LeaseState, ttlMs: number): Step {
  if (state.kind !== "renewing") return [state, []];
  const lease = { ...state.lease, ttlMs };
  return hold(lease, state.confirmed ? [] : [tellRegistered(lease)]);
}

/** Renews after a third of the time at the latest, so that two more attempts fit before the lease ends. */
function hold(lease: Lease, effects: readonly LeaseEffect[]): Step {
  const latestMs = Math.floor(lease.ttlMs / 3);
  const earliestMs = Math.floor(latestMs * 0.8);
  return [{ kind: "held", lease, confirmed: true }, [...effects, { kind: "wake", earliestMs, latestMs }]];
}

function lose(state: LeaseState, code: RpcErrorCode, message: string): Step {
  switch (state.kind) {
    case "releasing":
      return end();
    case "refused":
    case "released":
      return [state, []];
    case "held":
    case "renewing":
      return waitAway(state.lease, freshQuest, code, message);
    case "away":
      return waitAway(state.lease, state.quest, code, message);
    case "registering":
    case "refused_for_now":
      return waitAway(null, state.quest, code, message);
  }
}

function waitAway(lease: Lease | null, quest: Quest, code: RpcErrorCode, message: string): Step {
  return [{ kind: "away", lease, quest: { ...quest, told: code } }, tellOnce(quest, code, message)];
}

type Failure = { readonly call: LeaseCall; readonly code: RpcErrorCode; readonly message: string };

function fail(state: LeaseState, failure: Failure, now: Instant, ttlMs: number): Step {
  const { call, code, message } = failure;
  if (state.kind === "releasing") return call === "renew" ? [state, []] : end();
  if (state.kind === "renewing" && call === "renew") return failRenewal(state, code, message);
  if (state.kind !== "registering" || call !== "register") return [state, []];
  if (code === "service_declared") return refuse("service_declared", message);
  if (code === "invalid_request") return refuse("declaration_refused", message);
  const refusals = state.quest.refusals + 1;
  if (code === "service_name_taken" || code === "service_leased") {
    return failTaken({ ...state.quest, refusals }, code, message, now, ttlMs);
  }
  const latestMs = Math.min(maxRetryMs, minRetryMs * 2 ** Math.min(refusals - 1, 10));
  return retryIn(latestMs, { ...state.quest, refusals, taken: null }, code, message);
}

/** The lease may still be good: three more attempts fit into what is left of it. */
function failRenewal(
  { lease, confirmed }: { readonly lease: Lease; readonly confirmed: boolean },
  code: RpcErrorCode,
  message: string,
): Step {
  if (code === "lease_unknown") return ask(freshQuest);
  const latestMs = Math.floor(lease.ttlMs / 9);
  const again: LeaseEffect = { kind: "wake", earliestMs: Math.floor(latestMs / 2), latestMs };
  const tell: LeaseEffect = { kind: "tell", event: { kind: "waiting", code, message } };
  return [{ kind: "held", lease, confirmed: false }, confirmed ? [tell, again] : [again]];
}

function failTaken(quest: Quest, code: RpcErrorCode, message: string, now: Instant, ttlMs: number): Step {
  const taken = quest.taken ?? { since: now, told: false };
  const conflict = !taken.told && now - taken.since >= ttlMs;
  const [state, effects] = retryIn(
    takenRetryMs,
    { ...quest, taken: { ...taken, told: taken.told || conflict } },
    code,
    message,
  );
  return [state, conflict ? [{ kind: "tell", event: { kind: "conflict", message } }, ...effects] : effects];
}

function retryIn(latestMs: number, quest: Quest, code: RpcErrorCode, message: string): Step {
  const again: LeaseEffect = { kind: "wake", earliestMs: Math.floor(latestMs / 2), latestMs };
  const state: LeaseState = { kind: "refused_for_now", quest: { ...quest, told: code } };
  return [state, [...tellOnce(quest, code, message), again]];
}

function tellOnce(quest: Quest, code: RpcErrorCode, message: string): readonly LeaseEffect[] {
  return sameReason(quest.told, code) ? [] : [{ kind: "tell", event: { kind: "waiting", code, message } }];
}

/** A connection that breaks and one that cannot be made are one thing: nobody is there. */
function sameReason(told: RpcErrorCode | null, code: RpcErrorCode): boolean {
  return told === code || (told !== null && absent.has(told) && absent.has(code));
}

function refuse(code: "service_declared" | "declaration_refused", message: string): Step {
  const event: RegistrationEvent = { kind: "refused", code, message };
  return [{ kind: "refused" }, [{ kind: "tell", event }, { kind: "disconnect" }]];
}

function release(state: LeaseState): Step {
  switch (state.kind) {
    case "releasing":
    case "refused":
    case "released":
      return [state, []];
    case "registering":
      return [{ kind: "releasing", lease: null }, [releaseLimit]];
    case "held":
    case "renewing":
      return giveBack(state.lease);
    case "away":
    case "refused_for_now":
      return end();
  }
}

function giveBack(lease: Lease): Step {
  return [{ kind: "releasing", lease }, [{ kind: "release", leaseId: lease.id }, releaseLimit]];
}

function end(): Step {
  return [{ kind: "released" }, [{ kind: "tell", event: { kind: "released" } }, { kind: "disconnect" }]];
}

function tellRegistered(lease: Lease): LeaseEffect {
  return { kind: "tell", event: { kind: "registered", host: lease.host } };
}
