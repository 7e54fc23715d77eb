/** When a service that fails is not asked for a while, so that nobody waits for it. */
export type BreakerOptions = {
  readonly enabled: boolean;
  /** Share of the requests of the window that must have failed. */
  readonly failureRatio: number;
  /** Requests that the window must hold before they say anything. */
  readonly minRequests: number;
  readonly windowMs: number;
  /** How long the service is left alone before one request tries it. */
  readonly openMs: number;
};

type Counts = { readonly requests: number; readonly failures: number };

/**
 * `closed`: requests go through, and how they end is counted, in the running half of the window and the one before.
 * `open`: none goes through until `until`. `half_open`: one at a time tries it. Instants are monotonic, in ms.
 */
export type Breaker =
  | { readonly kind: "closed"; readonly since: number; readonly now: Counts; readonly before: Counts }
  | { readonly kind: "open"; readonly until: number }
  | { readonly kind: "half_open"; readonly probing: boolean };

/** What a request may do; `probe`: it is the one that tries. */
export type Admission = "call" | "probe" | "refuse";

/** A request that was admitted and is sent, or how it ended; `dropped`: given up, or not for the service to answer. */
export type BreakerEvent = {
  readonly by: Exclude<Admission, "refuse">;
  readonly what: "sent" | "succeeded" | "failed" | "dropped";
};

const none: Counts = { requests: 0, failures: 0 };

export function closedBreaker(now: number): Breaker {
  return { kind: "closed", since: now, now: none, before: none };
}

/** Whether a request may be sent now. */
export function admit(breaker: Breaker, now: number): Admission {
  switch (breaker.kind) {
    case "closed":
      return "call";
    case "open":
      return now < breaker.until ? "refuse" : "probe";
    case "half_open":
      return breaker.probing ? "refuse" : "probe";
  }
}

/** The next state. Requests that were sent before it opened say nothing new when they end. */
export function step(
  breaker: Breaker,
  { by, what }: BreakerEvent,
  now: number,
  options: BreakerOptions,
): Breaker {
  if (by === "call") {
    if (breaker.kind !== "closed" || what === "sent" || what === "dropped") return breaker;
    return count(breaker, what === "failed" ? 1 : 0, now, options);
  }
  if (what === "sent") return { kind: "half_open", probing: true };
  if (breaker.kind !== "half_open") return breaker;
  if (what === "dropped") return { kind: "half_open", probing: false };
  return what === "succeeded" ? closedBreaker(now) : { kind: "open", until: now + options.openMs };
}

function count(
  breaker: Extract<Breaker, { kind: "closed" }>,
  failed: 0 | 1,
  at: number,
  options: BreakerOptions,
): Breaker {
  const { since, now, before } = turned(breaker, at, options.windowMs / 2);
  const counted = { requests: now.requests + 1, failures: now.failures + failed };
  const requests = counted.requests + before.requests;
  const failures = counted.failures + before.failures;
  // What succeeds never opens it, even where it makes up the number of requests.
  if (failed === 1 && requests >= options.minRequests && failures >= requests * options.failureRatio) {
    return { kind: "open", until: at + options.openMs };
  }
  return { kind: "closed", since, now: counted, before };
}

/** Begins a new half of the window where the running one is over. */
function turned(breaker: Extract<Breaker, { kind: "closed" }>, at: number, halfMs: number) {
  const age = at - breaker.since;
  if (age < halfMs) return breaker;
  return { since: at, now: none, before: age < 2 * halfMs ? breaker.now : none };
}
