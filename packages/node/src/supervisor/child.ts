/** Monotonic time in ms; only differences mean anything. */
type Instant = number;

/** How patient the supervisor is with a child, in ms. */
export type ChildTimings = {
  /** Wait before the first restart; doubles with every failure up to `maxBackoffMs`. */
  readonly minBackoffMs: number;
  readonly maxBackoffMs: number;
  /** A child that was ready for this long starts again without a history of failures. */
  readonly forgiveAfterMs: number;
  /** From the request to end until it is killed. */
  readonly stopMs: number;
  /** A child that answers nothing for this long hangs, and is killed. */
  readonly hangMs: number;
};

export const defaultChildTimings: ChildTimings = {
  minBackoffMs: 50,
  maxBackoffMs: 5_000,
  forgiveAfterMs: 10_000,
  stopMs: 10_000,
  hangMs: 30_000,
};

/** One child process, as the supervisor sees it. */
export type Child =
  | { readonly kind: "idle" }
  | (Running & { readonly kind: "starting" })
  | (Running & { readonly kind: "ready" })
  | { readonly kind: "backoff"; readonly until: Instant; readonly failures: number }
  | (Running & { readonly kind: "stopping"; readonly killAt: Instant })
  | { readonly kind: "stopped" };

type Running = {
  readonly since: Instant;
  /** When it last answered; its start before the first answer. */
  readonly heard: Instant;
  readonly failures: number;
  /** Why it is not ready, in its own words; null when it is or says nothing. */
  readonly reason: string | null;
};

export type ChildEvent =
  | { readonly kind: "start" }
  | { readonly kind: "answered"; readonly ready: boolean; readonly reason: string | null }
  | { readonly kind: "exited" }
  /** `hard`: without time to finish. */
  | { readonly kind: "stop"; readonly hard: boolean }
  /** Time has passed. */
  | { readonly kind: "tick" };

export type ChildEffect = { readonly kind: "spawn" } | { readonly kind: "signal"; readonly hard: boolean };

type Step = readonly [Child, readonly ChildEffect[]];

/** The life of a child: one event in, the next state and the effects it asks for. Pure. */
export function stepChild(child: Child, event: ChildEvent, now: Instant, timings: ChildTimings): Step {
  switch (event.kind) {
    case "start":
      return child.kind === "idle" ? spawn(0, now) : [child, []];
    case "answered":
      return [answered(child, event, now), []];
    case "exited":
      return [exited(child, now, timings), []];
    case "stop":
      return stop(child, event.hard, now, timings);
    case "tick":
      return tick(child, now, timings);
  }
}

function spawn(failures: number, now: Instant): Step {
  return [{ kind: "starting", since: now, heard: now, failures, reason: null }, [{ kind: "spawn" }]];
}

function answered(child: Child, event: { ready: boolean; reason: string | null }, now: Instant): Child {
  if (child.kind !== "starting" && child.kind !== "ready") return child;
  const kind = event.ready ? "ready" : "starting";
  const since = kind === child.kind ? child.since : now;
  return { ...child, kind, since, heard: now, reason: event.reason };
}

function exited(child: Child, now: Instant, timings: ChildTimings): Child {
  if (child.kind === "stopping" || child.kind === "stopped") return { kind: "stopped" };
  if (child.kind === "idle" || child.kind === "backoff") return child;
  const forgiven = child.kind === "ready" && now - child.since >= timings.forgiveAfterMs;
  const failures = forgiven ? 0 : child.failures;
  const wait = Math.min(timings.maxBackoffMs, timings.minBackoffMs * 2 ** Math.min(failures, 20));
  return { kind: "backoff", until: now + wait, failures: failures + 1 };
}

function stop(child: Child, hard: boolean, now: Instant, timings: ChildTimings): Step {
  if (child.kind === "idle" || child.kind === "backoff" || child.kind === "stopped") {
    return [{ kind: "stopped" }, []];
  }
  if (child.kind === "stopping" && !hard) return [child, []];
  return [{ ...child, kind: "stopping", killAt: now + timings.stopMs }, [{ kind: "signal", hard }]];
}

function tick(child: Child, now: Instant, timings: ChildTimings): Step {
  if (child.kind === "backoff" && child.until <= now) return spawn(child.failures, now);
  if (child.kind === "stopping" && child.killAt <= now) {
    return [{ ...child, killAt: now + timings.stopMs }, [{ kind: "signal", hard: true }]];
  }
  const hangs = (child.kind === "starting" || child.kind === "ready") && now - child.heard >= timings.hangMs;
  return hangs ? [{ ...child, heard: now }, [{ kind: "signal", hard: true }]] : [child, []];
}
