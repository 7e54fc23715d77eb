import type { ExecutionResult } from "graphql";
import type { ServiceTarget } from "../service.ts";
import { readAnswer } from "./answer.ts";
import { type Patience, whenAborted } from "./patience.ts";
import type { Failed, Verdict } from "./verdict.ts";

type Headers = Readonly<Record<string, string>>;

/** Everything that makes a service answer as it does. */
export type Freight = { readonly target: ServiceTarget; readonly headers: Headers; readonly body: string };

type Waiting = {
  readonly land: (verdict: Verdict | null) => void;
  readonly crash: (defect: unknown) => void;
};

/** A request that is under way, and those who wait for its answer: nobody any more, and it is given up. */
export class Flight {
  readonly freight: Freight;
  readonly #patience: Patience;
  readonly #waiting = new Set<Waiting>();
  #taken = false;

  constructor(freight: Freight, patience: Patience) {
    this.freight = freight;
    this.#patience = patience;
  }

  /** Whether one can still join. */
  get open(): boolean {
    return this.#patience.ended === null;
  }

  /** Waits for the answer; null when `signal`, which is not aborted yet, was aborted before it came. */
  join(signal: AbortSignal): Promise<Verdict | null> {
    return new Promise((resolve, reject) => {
      const leave = () => {
        this.#waiting.delete(waiting);
        if (this.#waiting.size === 0) this.#patience.end("cancelled");
        resolve(null);
      };
      const stay = whenAborted(signal, leave);
      const land = (verdict: Verdict | null) => {
        stay();
        resolve(verdict);
      };
      const waiting = { land, crash: reject };
      this.#waiting.add(waiting);
    });
  }

  land(verdict: Verdict): void {
    for (const { land } of this.#waiting) land(verdict);
  }

  /** Ends of a defect of ours. */
  crash(defect: unknown): void {
    for (const { crash } of this.#waiting) crash(defect);
  }

  /** The result, for each who waits one of their own: engines change what they get. */
  take({ result, reply }: Exclude<Verdict, Failed>): ExecutionResult {
    if (!this.#taken) {
      this.#taken = true;
      return result;
    }
    return readAnswer(this.freight.target.name, reply.text) ?? result;
  }
}

/** What may differ between two equal requests without changing the answer; baggage may name a tenant. */
const traceContext: ReadonlySet<string> = new Set(["traceparent", "tracestate"]);

/**
 * Queries under way, so that an equal one need not be sent. Equal are those to the same service with the same body and
 * the same headers, credentials included: answers never go from one caller to another.
 */
export class Flights {
  #byBody = new Map<string, Flight[]>();

  find(freight: Freight): Flight | undefined {
    const same = this.#byBody.get(freight.body);
    return same?.find((flight) => flight.open && isEqual(flight.freight, freight));
  }

  add(flight: Flight): void {
    const { body } = flight.freight;
    const same = this.#byBody.get(body);
    if (same === undefined) this.#byBody.set(body, [flight]);
    else same.push(flight);
  }

  remove(flight: Flight): void {
    const { body } = flight.freight;
    const same = this.#byBody.get(body);
    const at = same?.indexOf(flight) ?? -1;
    if (same === undefined || at < 0) return;
    if (same.length === 1) this.#byBody.delete(body);
    else same.splice(at, 1);
  }

  /** Lets nobody join those that are under way: what they bring may be older than a mutation that has ended. */
  close(): void {
    this.#byBody = new Map();
  }
}

function isEqual(one: Freight, other: Freight): boolean {
  const sameService = one.target.host === other.target.host && one.target.path === other.target.path;
  return sameService && covers(one.headers, other.headers) && covers(other.headers, one.headers);
}

function covers(one: Headers, other: Headers): boolean {
  for (const name in one) if (one[name] !== other[name] && !traceContext.has(name)) return false;
  return true;
}
