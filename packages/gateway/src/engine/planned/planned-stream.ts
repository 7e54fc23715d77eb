import type { ExecutionResult } from "graphql";
import { GatewayError, toGraphQLError } from "../../errors.ts";
import type { RequestScope, ServiceTarget } from "../../service.ts";
import type { SubRequest, Upstream } from "../../upstream/upstream.ts";
import type { ResultStream } from "../engine.ts";
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
  readonly complete: (run: PlanRun) => ExecutionResult;
};

type Events = AsyncGenerator<ExecutionResult, void, undefined>;

/** The events of one service; a reader that takes over goes on where the one before stopped. */
class EventSource {
  /** Equal for sources that give the same events. */
  readonly identity: string;
  readonly #events: Events;
  readonly #stopped: AbortController;
  #next: Promise<IteratorResult<ExecutionResult, void>> | null = null;

  constructor(identity: string, events: Events, stopped: AbortController) {
    this.identity = identity;
    this.#events = events;
    this.#stopped = stopped;
  }

  /** The next event; it stays the next one until it is taken. */
  peek(): Promise<IteratorResult<ExecutionResult, void>> {
    this.#next ??= this.#events.next();
    return this.#next;
  }

  take(): void {
    this.#next = null;
  }

  async close(): Promise<void> {
    // Ends a pending event as well, for which a generator's return() would wait.
    this.#stopped.abort();
    this.#next?.catch(() => undefined);
    await this.#events.return(undefined);
  }
}

/** Results of a subscription: each event of the service it comes from, with what others know of it. */
export class PlannedStream implements ResultStream {
  readonly #parts: StreamParts;
  readonly #source: EventSource;
  /** Resolves when the stream is to end before its source does. */
  readonly #left = Promise.withResolvers<"left">();
  #state: "open" | "left" | "ended" = "open";

  private constructor(parts: StreamParts, source: EventSource) {
    this.#parts = parts;
    this.#source = source;
  }

  /** Opens a stream, on the source of the previous one where that gives the same events. */
  static async open(
    parts: StreamParts,
    previous: PlannedStream | null,
  ): Promise<PlannedStream | ExecutionResult> {
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
      return new PlannedStream(parts, new EventSource(identity, events, stopped));
    } catch (error) {
      if (error instanceof GatewayError) return { errors: [toGraphQLError(error)] };
      throw error;
    }
  }

  /** Gives up the source for one that wants the same events; what has begun is still delivered. */
  leaveTo(identity: string): EventSource | null {
    if (this.#state !== "open" || this.#source.identity !== identity) return null;
    this.#state = "left";
    this.#left.resolve("left");
    return this.#source;
  }

  async next(): Promise<IteratorResult<ExecutionResult>> {
    if (this.#state !== "open") return { done: true, value: undefined };
    try {
      const event = await Promise.race([this.#source.peek(), this.#left.promise]);
      if (event === "left" || this.#state !== "open") return { done: true, value: undefined };
      this.#source.take();
      if (event.done === true) {
        this.#state = "ended";
        return { done: true, value: undefined };
      }
      return { done: false, value: await this.#result(event.value) };
    } catch (error) {
      this.#state = "ended";
      if (!(error instanceof GatewayError)) throw error;
      return { done: false, value: { errors: [toGraphQLError(error)] } };
    }
  }

  async return(): Promise<IteratorResult<ExecutionResult>> {
    if (this.#state === "open") {
      this.#state = "ended";
      this.#left.resolve("left");
      await this.#source.close();
    }
    return { done: true, value: undefined };
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async #result(event: ExecutionResult): Promise<ExecutionResult> {
    const { source, joins } = this.#parts;
    const run = this.#parts.newRun();
    takeRoot(source, readSubAnswer(source.service, source.shape, event), run);
    if (joins !== null) await runStep(joins, run);
    return this.#parts.complete(run);
  }
}
