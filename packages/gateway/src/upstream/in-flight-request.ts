import type { ServiceTarget } from "../service.ts";
import { whenAborted } from "./abort-signal.ts";
import type { Deadline } from "./deadline.ts";
import type { Verdict } from "./verdict.ts";

type Headers = Readonly<Record<string, string>>;

/** A request as it leaves for a service: everything that makes the service answer as it does. */
export type OutgoingRequest = {
  readonly target: ServiceTarget;
  readonly headers: Headers;
  readonly body: string;
};

type Waiting = {
  readonly settle: (verdict: Verdict | null) => void;
  readonly fail: (defect: unknown) => void;
};

/** A request that is under way, and those who wait for its answer: nobody any more, and it is given up. */
export class InFlightRequest {
  readonly outgoing: OutgoingRequest;
  readonly #deadline: Deadline;
  readonly #waiting = new Set<Waiting>();

  constructor(outgoing: OutgoingRequest, deadline: Deadline) {
    this.outgoing = outgoing;
    this.#deadline = deadline;
  }

  /** Whether one can still join. */
  get open(): boolean {
    return this.#deadline.ended === null;
  }

  /** Waits for the answer; null when `signal`, which is not aborted yet, was aborted before it came. */
  join(signal: AbortSignal): Promise<Verdict | null> {
    return new Promise((resolve, reject) => {
      const leave = () => {
        this.#waiting.delete(waiting);
        if (this.#waiting.size === 0) this.#deadline.end("cancelled");
        resolve(null);
      };
      const unlisten = whenAborted(signal, leave);
      const settle = (verdict: Verdict | null) => {
        unlisten();
        resolve(verdict);
      };
      const waiting = { settle, fail: reject };
      this.#waiting.add(waiting);
    });
  }

  settle(verdict: Verdict): void {
    for (const { settle } of this.#waiting) settle(verdict);
  }

  /** Ends because of a defect of ours. */
  fail(defect: unknown): void {
    for (const { fail } of this.#waiting) fail(defect);
  }
}

/** What may differ between two equal requests without changing the answer; baggage may name a tenant. */
const traceContext: ReadonlySet<string> = new Set(["traceparent", "tracestate"]);

/**
 * Queries under way, so that an equal one need not be sent. Equal are those to the same service with the same body and
 * the same headers, credentials included: answers never go from one caller to another.
 */
export class InFlightRequests {
  #byBody = new Map<string, InFlightRequest[]>();

  find(outgoing: OutgoingRequest): InFlightRequest | undefined {
    const same = this.#byBody.get(outgoing.body);
    return same?.find((inFlight) => inFlight.open && isEqual(inFlight.outgoing, outgoing));
  }

  add(inFlight: InFlightRequest): void {
    const { body } = inFlight.outgoing;
    const same = this.#byBody.get(body);
    if (same === undefined) this.#byBody.set(body, [inFlight]);
    else same.push(inFlight);
  }

  remove(inFlight: InFlightRequest): void {
    const { body } = inFlight.outgoing;
    const same = this.#byBody.get(body);
    const at = same?.indexOf(inFlight) ?? -1;
    if (same === undefined || at < 0) return;
    if (same.length === 1) this.#byBody.delete(body);
    else same.splice(at, 1);
  }

  /** Lets nobody join those that are under way: what they bring may be older than a mutation that has ended. */
  close(): void {
    this.#byBody = new Map();
  }
}

function isEqual(one: OutgoingRequest, other: OutgoingRequest): boolean {
  const sameService = one.target.host === other.target.host && one.target.path === other.target.path;
  return sameService && covers(one.headers, other.headers) && covers(other.headers, one.headers);
}

function covers(one: Headers, other: Headers): boolean {
  for (const name in one) if (one[name] !== other[name] && !traceContext.has(name)) return false;
  return true;
}
