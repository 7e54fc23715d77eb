import { type Admission, admit, type Breaker, type BreakerEvent, closedBreaker, step } from "./breaker.ts";
import { Bulkhead } from "./bulkhead.ts";
import type { Deadline } from "./deadline.ts";
import { RetryBudget } from "./retry.ts";
import type { UpstreamOptions } from "./upstream-options.ts";
import { cancelled, type Failed, failureOf, isFailed, type Subject, timedOut } from "./verdict.ts";

/** Whether one service is sent requests, and how many at a time: what is kept of it between them. */
export class AdmissionControl {
  readonly retries = new RetryBudget();
  /** The service has shown that it takes subscriptions over WebSocket, and not as server-sent events. */
  prefersWebSocket = false;
  readonly #options: UpstreamOptions;
  readonly #bulkhead: Bulkhead;
  readonly #onBreaker: (kind: Breaker["kind"]) => void;
  #breaker: Breaker;

  constructor(options: UpstreamOptions, onBreaker: (kind: Breaker["kind"]) => void) {
    this.#options = options;
    this.#bulkhead = new Bulkhead(options.perService);
    this.#onBreaker = onBreaker;
    this.#breaker = closedBreaker(performance.now());
  }

  /** Runs a request unless the service fails too often; how it ends is held against the service, or for it. */
  async throughBreaker<Good extends object>(
    subject: Subject,
    deadline: Deadline,
    run: () => Promise<Good | Failed>,
  ): Promise<Good | Failed> {
    if (!this.#options.breaker.enabled) return await run();
    const by = this.#breaker.kind === "closed" ? "call" : admit(this.#breaker, performance.now());
    if (by === "refuse") return this.#refused(subject);
    if (by === "probe") this.#advance(by, "sent");
    let what: BreakerEvent["what"] = "dropped";
    try {
      const verdict = await run();
      if (deadline.ended !== "cancelled") what = whatOf(verdict);
      return verdict;
    } finally {
      this.#advance(by, what);
    }
  }

  /** Runs a request when it is its turn among those to this service; refuses it when too many wait already. */
  async throughBulkhead<Good extends object>(
    subject: Subject,
    deadline: Deadline,
    run: () => Promise<Good | Failed>,
  ): Promise<Good | Failed> {
    const place = this.#bulkhead.tryEnter();
    if (place === "full") return full(subject);
    if (place === "busy" && !(await this.#turn(deadline))) return queuedInVain(subject, deadline);
    try {
      return await run();
    } finally {
      this.#bulkhead.leave();
    }
  }

  async #turn(deadline: Deadline): Promise<boolean> {
    const entered = await new Promise<boolean>((resolve) => {
      const give = this.#bulkhead.queue(() => resolve(true));
      deadline.listen(() => {
        give();
        resolve(false);
      });
    });
    deadline.listen(null);
    return entered;
  }

  #advance(by: Exclude<Admission, "refuse">, what: BreakerEvent["what"]): void {
    const before = this.#breaker.kind;
    this.#breaker = step(this.#breaker, { by, what }, performance.now(), this.#options.breaker);
    if (this.#breaker.kind !== before) this.#onBreaker(this.#breaker.kind);
  }

  #refused(subject: Subject): Failed {
    const waitMs = this.#breaker.kind === "open" ? this.#breaker.until - performance.now() : 0;
    const when =
      waitMs > 0 ? `it is tried again in ${(waitMs / 1_000).toFixed(1)} s` : "it is being tried now";
    const message = `fails too often to be sent the ${subject.label}: ${when}`;
    return notSent(subject, message, "none");
  }
}

function whatOf(verdict: object | Failed): "succeeded" | "failed" | "dropped" {
  if (!isFailed(verdict) || verdict.fault === "content") return "succeeded";
  return verdict.fault === "service" ? "failed" : "dropped";
}

function full(subject: Subject): Failed {
  return notSent(subject, `has too many requests already to be sent the ${subject.label}`, "way");
}

/** The time was over, or the client gone, before the request was sent at all: others are slow, not this one. */
function queuedInVain(subject: Subject, deadline: Deadline): Failed {
  const ending = deadline.ended === "timeout" ? timedOut(subject) : cancelled(subject);
  return { ...ending, fault: "way" };
}

function notSent(subject: Subject, message: string, fault: Failed["fault"]): Failed {
  return { failure: failureOf("service_unavailable", subject, message), fault, again: "nothing" };
}
