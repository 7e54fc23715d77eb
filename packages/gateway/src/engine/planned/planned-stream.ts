import type { ExecutionResult } from "graphql";
import { GatewayError, toGraphQLError } from "../../errors.ts";
import type { RequestScope, ServiceTarget } from "../../service.ts";
import type { SubRequest, Upstream } from "../../upstream/upstream.ts";
import type { OperationResult, ResultStream } from "../engine.ts";
import type { PlanStep, RootFetch } from "./plan.ts";
import { type PlanRun, runStep, takeRoot, variablesOf } from "./plan-run.ts";
import { readSubAnswer } from "./sub-answer.ts";

export type StreamParts = {
  readonly target: ServiceTarget;
  readonly source: RootFetch;
  /** What is fetched for each event. */
  readonly joins: PlanStep | null;
  readonly upstream: Upstream;
  readonly scope: RequestScope;
  readonly newRun: () => PlanRun;
  readonly complete: (run: PlanRun) => OperationResult;
};

type Events = AsyncGenerator<ExecutionResult, void, undefined>;

type Next = Promise<IteratorResult<ExecutionResult, void>>;

/** The events of one service; a reader that takes over goes on where the one before stopped. */
class EventSource {
  /** Equal for sources that give the same events. */
  readonly identity: string;
  readonly #events: Events;
  readonly #stopped: AbortController;
  #next: Next | null = null;
  #arrived = false;
  /** Has the one reader that waits for the next event go on. */
  #tell: (next: Next) => void = () => undefined;

  constructor(identity: string, events: Events, stopped: AbortController) {
    this.identity = identity;
    this.#events = events;
    this.#stopped = stopped;
  }

  /**
   * The next event; it stays the next one until it is taken. Each reader waits by a promise of its own, in place of the
   * one before: that of a quiet service would remember all of them.
   */
  peek(): Next {
    if (this.#next === null) {
      const next = this.#events.next();
      const arrive = () => {
        this.#arrived = true;
        this.#tell(next);
      };
      this.#next = next;
      next.then(arrive, arrive);
    }
    if (this.#arrived) return this.#next;
    return new Promise((resolve) => {
      this.#tell = resolve;
    });
  }

  take(): void {
    this.#next = null;
    this.#arrived = false;
  }

  async close(): Promise<void> {
    // Ends a pending event as well, for which a generator's return() would wait.
    this.#stopped.abort();
    await this.#events.return(undefined);
  }
}

/** What one stream leaves to the next. */
type Handover = { readonly source: EventSource; readonly working: Promise<OperationResult> | null };

const done: IteratorResult<OperationResult> = { done: true, value: undefined };

/** Results of a subscription: each event of the service it comes from, with what others know of it. */
export class PlannedStream implements ResultStream {
  readonly #parts: StreamParts;
  readonly #source: EventSource;
  /** The result of the event that was taken last, until it is delivered. */
  #working: Promise<OperationResult> | null;
  /** Ends the waiting of the one who reads, when the stream is to end before its source does. */
  #leave: () => void = () => undefined;
  #state: "open" | "left" | "ended" = "open";

  private constructor(parts: StreamParts, { source, working }: Handover) {
    this.#parts = parts;
    this.#source = source;
    this.#working = working;
  }

  /** Opens a stream, on the source of the previous one where that gives the same events. */
  static async open(
    parts: StreamParts,
    previous: PlannedStream | null,
  ): Promise<PlannedStream | OperationResult> {
    const { target, source, scope } = parts;
    const variables = variablesOf(source.variables, parts.newRun());
    const identity = JSON.stringify([
      target.name,
      target.host,
      target.path,
      source.operation.query,
      variables,
    ]);
    const taken = previous?.leaveTo(identity) ?? null;
    if (taken !== null) return new PlannedStream(parts, taken);
    const stopped = new AbortController();
    const signal = AbortSignal.any([scope.signal, stopped.signal]);
    const request: SubRequest =
      variables === undefined ? { operation: source.operation } : { operation: source.operation, variables };
    try {
      const events = await parts.upstream.subscribe(target, request, { ...scope, signal });
      return new PlannedStream(parts, {
        source: new EventSource(identity, events, stopped),
        working: null,
      });
    } catch (error) {
      if (error instanceof GatewayError) return { errors: [toGraphQLError(error)] };
      throw error;
    }
  }

  /** Gives up the source, and what it has begun, to a stream that wants the same events. */
  leaveTo(identity: string): Handover | null {
    if (this.#state !== "open" || this.#source.identity !== identity) return null;
    this.#state = "left";
    this.#leave();
    return { source: this.#source, working: this.#working };
  }

  async next(): Promise<IteratorResult<OperationResult>> {
    try {
      while (this.#state === "open" && this.#working === null) {
        const event = await this.#unlessLeft(this.#source.peek());
        // What came in the same moment is the other's.
        if (event === "left" || this.#state !== "open") return done;
        this.#source.take();
        if (event.done === true) this.#state = "ended";
        else this.#working = this.#result(event.value);
      }
      if (this.#state !== "open" || this.#working === null) return done;
      const value = await this.#unlessLeft(this.#working);
      if (value === "left" || this.#state !== "open") return done;
      this.#working = null;
      return { done: false, value };
    } catch (error) {
      if (this.#state !== "open") return done;
      this.#state = "ended";
      if (!(error instanceof GatewayError)) throw error;
      return { done: false, value: { errors: [toGraphQLError(error)] } };
    }
  }

  async return(): Promise<IteratorResult<OperationResult>> {
    if (this.#state === "open") {
      this.#state = "ended";
      this.#leave();
      await this.#source.close();
    }
    return done;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  /** A race with one promise for the whole stream would have that remember every event. */
  #unlessLeft<T>(result: Promise<T>): Promise<T | "left"> {
    return new Promise((resolve, reject) => {
      this.#leave = () => resolve("left");
      result.then(resolve, reject);
    });
  }

  async #result(event: ExecutionResult): Promise<OperationResult> {
    const { source, joins } = this.#parts;
    const run = this.#parts.newRun();
    takeRoot(source, readSubAnswer(source.service, source.shape, event), run);
    if (joins !== null) await runStep(joins, run);
    return this.#parts.complete(run);
  }
}
