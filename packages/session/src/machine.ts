import type { Instant } from "./clock.ts";
import type { EndReason, SessionErrorCode } from "./errors.ts";
import type { Credit } from "./message/credit.ts";
import type { Notification } from "./message/notification.ts";
import type { Payload } from "./message/payload.ts";
import type { Agreement } from "./negotiation.ts";

/** How patient a session is, in ms. */
export type SessionTimings = {
  /** From the beginning of a dial, or from an accepted connection, until the session is established. */
  readonly handshakeMs: number;
  /** The longest wait before the first new attempt; it doubles with each that fails, up to `maxBackoffMs`. */
  readonly minBackoffMs: number;
  readonly maxBackoffMs: number;
  /** A session that was established for this long leaves no history of failures. */
  readonly stableMs: number;
};

/** A session is dialled or answered. One that was answered ends for good; one that was dialled begins anew. */
export type SessionRole = "dialler" | "listener";

/** BGP's five states. `attempts` counts failures since the session was last stable. */
export type SessionState =
  /** `retryAt` is null while nobody wants the session. */
  | { readonly kind: "idle"; readonly attempts: number; readonly retryAt: Instant | null }
  | { readonly kind: "connect"; readonly attempts: number; readonly until: Instant }
  | { readonly kind: "open_sent"; readonly attempts: number; readonly until: Instant }
  | {
      readonly kind: "open_confirm";
      readonly attempts: number;
      readonly until: Instant;
      readonly agreement: Agreement;
    }
  | {
      readonly kind: "established";
      readonly attempts: number;
      readonly since: Instant;
      readonly agreement: Agreement;
      readonly holdUntil: Instant;
      readonly keepaliveAt: Instant;
    };

export type SessionEvent =
  /** Somebody wants the session. */
  | { readonly kind: "start" }
  /** The dialled transport is there. */
  | { readonly kind: "up" }
  /** An OPEN came that was agreed with. */
  | { readonly kind: "open"; readonly agreement: Agreement }
  /** An ACCEPT came, of the right transcript. */
  | { readonly kind: "accept" }
  | { readonly kind: "keepalive" }
  | { readonly kind: "message"; readonly message: Payload }
  | { readonly kind: "credit"; readonly credit: Credit }
  | { readonly kind: "notification"; readonly notification: Notification }
  /** What came breaks the protocol, or was refused. */
  | {
      readonly kind: "fault";
      readonly code: SessionErrorCode;
      readonly text: string;
      readonly retryAfterMs?: number;
    }
  /** The transport could not be had, or ended. */
  | { readonly kind: "lost"; readonly code: "dial_failed" | "connection_lost"; readonly text: string }
  /** Our side ends it; `again` says whether a dialler tries anew. */
  | { readonly kind: "stop"; readonly reason: EndReason; readonly again: boolean }
  /** The peer is asked for a sign of life before it is due. */
  | { readonly kind: "probe" }
  /** Time has passed. */
  | { readonly kind: "timer" };

export type SessionEffect =
  | { readonly kind: "dial" }
  | { readonly kind: "send_open" }
  | { readonly kind: "send_accept" }
  | { readonly kind: "send_keepalive" }
  | { readonly kind: "send_notification"; readonly reason: EndReason }
  /** Gives the transport up, once what was sent is out. */
  | { readonly kind: "close" }
  | { readonly kind: "established"; readonly agreement: Agreement }
  | { readonly kind: "deliver"; readonly message: Payload }
  | { readonly kind: "credit"; readonly credit: Credit }
  | { readonly kind: "ended"; readonly reason: EndReason; readonly established: boolean };

/** What a transition may know besides state and event. `random` is from 0 up to and without 1, anew each time. */
export type SessionContext = {
  readonly now: Instant;
  readonly random: number;
  readonly role: SessionRole;
  readonly timings: SessionTimings;
};

export type Step = readonly [SessionState, readonly SessionEffect[]];

/** Refusals that time alone does not mend: the next attempt waits long. */
const lasting: ReadonlySet<SessionErrorCode> = new Set([
  "version_unsupported",
  "protocol_unsupported",
  "identity_mismatch",
  "not_admitted",
  "self_connection",
  "too_many_sessions",
]);

/** The state in which a session begins: dialled ones in Idle, answered ones in Connect, where they wait for an OPEN. */
export function firstState({ role, now, timings }: Omit<SessionContext, "random">): SessionState {
  return role === "dialler"
    ? { kind: "idle", attempts: 0, retryAt: null }
    : { kind: "connect", attempts: 0, until: now + timings.handshakeMs };
}

/** The table of spec/session.md §3: one event in, the next state and the effects it asks for. Pure. */
export function step(state: SessionState, event: SessionEvent, context: SessionContext): Step {
  switch (event.kind) {
    case "start":
      return state.kind === "idle" && context.role === "dialler" ? dial(state, context) : [state, []];
    case "up":
      return state.kind === "connect" && context.role === "dialler"
        ? [{ ...state, kind: "open_sent" }, [{ kind: "send_open" }]]
        : [state, []];
    case "open":
      return opened(state, event.agreement, context);
    case "accept":
      return accepted(state, context);
    case "keepalive":
    case "message":
    case "credit":
      return state.kind === "established"
        ? heard(state, event, context)
        : unexpected(state, event.kind, context);
    case "notification":
      return end(state, reasonOf(event.notification), context, { notify: false });
    case "fault":
      return end(state, refusalOf(event), context);
    case "lost":
      return end(state, { code: event.code, text: event.text, by: null }, context, { notify: false });
    case "stop":
      return end(state, event.reason, context, { again: event.again });
    case "probe":
      return state.kind === "established" ? probe(state, context) : [state, []];
    case "timer":
      return timer(state, context);
  }
}

/** When the state wants a `timer` event; null for never. */
export function wakesAt(state: SessionState): Instant | null {
  if (state.kind === "idle") return state.retryAt;
  return state.kind === "established" ? Math.min(state.holdUntil, state.keepaliveAt) : state.until;
}

function dial({ attempts }: SessionState, { now, timings }: SessionContext): Step {
  return [{ kind: "connect", attempts, until: now + timings.handshakeMs }, [{ kind: "dial" }]];
}

function opened(state: SessionState, agreement: Agreement, context: SessionContext): Step {
  if (state.kind === "connect" && context.role === "listener") {
    return [{ ...state, kind: "open_confirm", agreement }, [{ kind: "send_open" }, { kind: "send_accept" }]];
  }
  if (state.kind === "open_sent")
    return [{ ...state, kind: "open_confirm", agreement }, [{ kind: "send_accept" }]];
  return unexpected(state, "open", context);
}

function accepted(state: SessionState, context: SessionContext): Step {
  if (state.kind !== "open_confirm") return unexpected(state, "accept", context);
  const { attempts, agreement } = state;
  const { holdMs } = agreement;
  const { now } = context;
  return [
    {
      kind: "established",
      attempts,
      since: now,
      agreement,
      holdUntil: now + holdMs,
      keepaliveAt: now + holdMs / 3,
    },
    [{ kind: "established", agreement }],
  ];
}

type Established = Extract<SessionState, { kind: "established" }>;
type Heard = Extract<SessionEvent, { kind: "keepalive" | "message" | "credit" }>;

/** Whatever comes is a sign of life. */
function heard(state: Established, event: Heard, { now }: SessionContext): Step {
  const alive = { ...state, holdUntil: now + state.agreement.holdMs };
  if (event.kind === "message") return [alive, [{ kind: "deliver", message: event.message }]];
  if (event.kind === "credit") return [alive, [{ kind: "credit", credit: event.credit }]];
  return [alive, []];
}

function keepalive(state: Established, { now }: SessionContext): Step {
  return [{ ...state, keepaliveAt: now + state.agreement.holdMs / 3 }, [{ kind: "send_keepalive" }]];
}

/** Asked for more often, it waits: the peer accepts no more than so many. */
function probe(state: Established, context: SessionContext): Step {
  const { holdMs } = state.agreement;
  const last = state.keepaliveAt - holdMs / 3;
  return context.now - last < holdMs / 12 ? [state, []] : keepalive(state, context);
}

function timer(state: SessionState, context: SessionContext): Step {
  const { now } = context;
  if (state.kind === "idle") {
    return state.retryAt !== null && state.retryAt <= now ? dial(state, context) : [state, []];
  }
  if (state.kind === "established") {
    if (state.holdUntil <= now) {
      const text = `nothing came for ${state.agreement.holdMs} ms`;
      return end(state, { code: "hold_expired", text, by: "us" }, context);
    }
    return state.keepaliveAt <= now ? keepalive(state, context) : [state, []];
  }
  if (state.until > now) return [state, []];
  const text = `not established within ${context.timings.handshakeMs} ms`;
  return end(state, { code: "handshake_timeout", text, by: "us" }, context);
}

/** A message where it has no place; a dialler that has no transport yet cannot have got it. */
function unexpected(state: SessionState, kind: string, context: SessionContext): Step {
  if (state.kind === "connect" && context.role === "dialler") return [state, []];
  const text = `${kind.toUpperCase()} in the state ${state.kind}`;
  return end(state, { code: "message_unexpected", text, by: "us" }, context);
}

/** Back to Idle; the peer is told why unless it said so itself, is gone, or was not there yet. */
function end(
  state: SessionState,
  reason: EndReason,
  context: SessionContext,
  { notify = true, again = true }: { notify?: boolean; again?: boolean } = {},
): Step {
  if (state.kind === "idle") return [again ? state : { ...state, retryAt: null }, []];
  const established = state.kind === "established";
  const stable = established && context.now - state.since >= context.timings.stableMs;
  const failures = stable ? 0 : state.attempts;
  const retry = again && context.role === "dialler";
  const idle: SessionState = {
    kind: "idle",
    attempts: failures + 1,
    // Who was let in before may show something else by now: a refusal then is none for long.
    retryAt: retry ? context.now + backoffMs(failures, reason, context, !established) : null,
  };
  const reachable = state.kind !== "connect" || context.role === "listener";
  const told: SessionEffect[] = notify && reachable ? [{ kind: "send_notification", reason }] : [];
  return [idle, [...told, { kind: "close" }, { kind: "ended", reason, established }]];
}

/** Full jitter: anything up to the bound, so that many nodes do not come back at once. */
function backoffMs(
  failures: number,
  reason: EndReason,
  { random, timings }: SessionContext,
  mayLast: boolean,
): number {
  const { minBackoffMs, maxBackoffMs } = timings;
  if (mayLast && lasting.has(reason.code)) return maxBackoffMs * (0.5 + random / 2);
  const told = Math.min(maxBackoffMs, reason.retryAfterMs ?? 0);
  return told + random * Math.min(maxBackoffMs, minBackoffMs * 2 ** Math.min(failures, 30));
}

function refusalOf({ code, text, retryAfterMs }: Extract<SessionEvent, { kind: "fault" }>): EndReason {
  return { code, text, by: "us", ...(retryAfterMs === undefined ? {} : { retryAfterMs }) };
}

function reasonOf({ code, text, protocol, protocolCode, retryAfterMs }: Notification): EndReason {
  return {
    code,
    text,
    by: "peer",
    ...(protocol === undefined ? {} : { protocol }),
    ...(protocolCode === undefined ? {} : { protocolCode }),
    ...(retryAfterMs === undefined || code !== "too_soon" ? {} : { retryAfterMs }),
  };
}
