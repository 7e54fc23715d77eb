import type { ExecutionResult } from "graphql";
import { type Dispatcher, Pool } from "undici";
import { z } from "zod";
import { GatewayError, type GatewayErrorCode } from "./errors.ts";
import { readEventStream } from "./event-stream.ts";
import type { GatewayEvents, SubRequestOutcome } from "./events.ts";
import type { RequestScope, ServiceTarget } from "./service.ts";

/** One GraphQL request to a service. */
export type SubRequest = {
  readonly query: string;
  readonly variables?: Readonly<Record<string, unknown>> | undefined;
  readonly operationName?: string | undefined;
  /** What the request is called in messages; `request` when left out. */
  readonly label?: "request" | "schema request";
  /** Bytes of the answer; the limit of the options when left out. */
  readonly maxBytes?: number;
};

export type UpstreamOptions = {
  /** Connections to the egress listener at a time, besides one per subscription. */
  readonly maxConnections: number;
  /** Bytes of one answer, or of one event of a subscription. */
  readonly maxResponseBytes: number;
};

/** How the gateway reaches services: through Envoy's egress listener, by Host. */
export type Upstream = AsyncDisposable & {
  /** Takes over a new address; requests in flight end on the old one. */
  useEgress(egress: { readonly host: string; readonly port: number }): void;
  /** Sends a query or mutation. Throws a {@link GatewayError} with a `service_…` code, the service named. */
  execute(target: ServiceTarget, request: SubRequest, scope: RequestScope): Promise<ExecutionResult>;
  /** Starts a subscription; the source ends with the scope's signal. Throws like {@link Upstream.execute}. */
  subscribe(
    target: ServiceTarget,
    request: SubRequest,
    scope: RequestScope,
  ): Promise<AsyncGenerator<ExecutionResult, void, undefined>>;
};

const executionResult = z.looseObject({
  data: z.record(z.string(), z.unknown()).nullish(),
  errors: z.array(z.looseObject({ message: z.string() })).optional(),
});

export function createUpstream(events: GatewayEvents, options: UpstreamOptions): Upstream {
  return new PooledUpstream(events, options);
}

/** Subscriptions hold a connection each; in a pool of their own they take none from queries and mutations. */
type Pools = { readonly answers: Pool; readonly streams: Pool };

class PooledUpstream implements Upstream {
  readonly #events: GatewayEvents;
  readonly #options: UpstreamOptions;
  #origin = "";
  #pools: Pools | null = null;

  constructor(events: GatewayEvents, options: UpstreamOptions) {
    this.#events = events;
    this.#options = options;
  }

  useEgress(egress: { readonly host: string; readonly port: number }): void {
    const host = egress.host.includes(":") ? `[${egress.host}]` : egress.host;
    const origin = `http://${host}:${egress.port}`;
    if (origin === this.#origin) return;
    const old = this.#pools;
    this.#origin = origin;
    // A sub-request's own timer is the only one: undici's would cut a long timeoutMs or a quiet subscription.
    const limits = { headersTimeout: 0, bodyTimeout: 0 };
    this.#pools = {
      answers: new Pool(origin, { ...limits, connections: this.#options.maxConnections }),
      streams: new Pool(origin, { ...limits, connections: null }),
    };
    for (const pool of old === null ? [] : [old.answers, old.streams]) pool.close().catch(() => undefined);
  }

  async execute(target: ServiceTarget, request: SubRequest, scope: RequestScope): Promise<ExecutionResult> {
    return this.#observed(target, scope, async () => {
      using limit = timeLimit(target, request, scope.signal);
      try {
        const answer = await this.#send(target, request, scope, limit.signal, "answers");
        const text = await readText(answer, request.maxBytes ?? this.#options.maxResponseBytes);
        return parseAnswer(target, request, answer, text);
      } catch (error) {
        throw limit.expired() ?? toFailure(target, request, error, scope.signal);
      }
    });
  }

  async subscribe(
    target: ServiceTarget,
    request: SubRequest,
    scope: RequestScope,
  ): Promise<AsyncGenerator<ExecutionResult, void, undefined>> {
    const answer = await this.#observed(target, scope, async () => {
      // The limit is for the beginning alone: a subscription may stay quiet for as long as it likes.
      using limit = timeLimit(target, request, scope.signal);
      try {
        return await this.#openStream(target, request, scope, limit);
      } catch (error) {
        throw limit.expired() ?? toFailure(target, request, error, scope.signal);
      }
    });
    return readResults(target, request, answer, scope.signal, this.#options.maxResponseBytes);
  }

  async #openStream(
    target: ServiceTarget,
    request: SubRequest,
    scope: RequestScope,
    limit: TimeLimit,
  ): Promise<Dispatcher.ResponseData> {
    const answer = await this.#send(target, request, scope, limit.signal, "streams");
    answer.body.on("error", () => undefined);
    if (mediaType(answer) === "text/event-stream") return answer;
    const text = await readText(answer, this.#options.maxResponseBytes);
    const { errors } = parseAnswer(target, request, answer, text);
    const why = errors?.[0]?.message ?? "no event stream";
    throw failure("service_bad_response", target, `answered the subscription with ${JSON.stringify(why)}`);
  }

  #send(
    target: ServiceTarget,
    request: SubRequest,
    scope: RequestScope,
    signal: AbortSignal,
    pool: keyof Pools,
  ): Promise<Dispatcher.ResponseData> {
    if (this.#pools === null) throw failure("service_unavailable", target, "has no egress to be reached by");
    const { query, variables, operationName } = request;
    return this.#pools[pool].request({
      method: "POST",
      path: target.path,
      headers: {
        ...scope.headers,
        host: target.host,
        "content-type": "application/json",
        accept: pool === "streams" ? "text/event-stream" : "application/json",
        "x-request-id": scope.requestId,
      },
      body: JSON.stringify({ query, variables, operationName }),
      signal,
    });
  }

  async #observed<T>(target: ServiceTarget, scope: RequestScope, call: () => Promise<T>): Promise<T> {
    let outcome: SubRequestOutcome = "ok";
    try {
      return await call();
    } catch (error) {
      outcome = outcomeOf(error, scope.signal);
      throw error;
    } finally {
      this.#events.subRequest(target.name, outcome);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([this.#pools?.answers.destroy(), this.#pools?.streams.destroy()]);
  }
}

function outcomeOf(error: unknown, signal: AbortSignal): SubRequestOutcome {
  if (signal.aborted) return "cancelled";
  if (error instanceof GatewayError && error.code === "service_timeout") return "timeout";
  if (error instanceof GatewayError && error.code === "service_bad_response") return "bad_response";
  return "unavailable";
}

type TimeLimit = Disposable & {
  readonly signal: AbortSignal;
  /** The error to throw when the time was up. */
  expired(): GatewayError | null;
};

function timeLimit(target: ServiceTarget, request: SubRequest, signal: AbortSignal): TimeLimit {
  const controller = new AbortController();
  let error: GatewayError | null = null;
  const timer = setTimeout(() => {
    const detail = `did not answer the ${request.label ?? "request"} within ${target.timeoutMs} ms`;
    error = failure("service_timeout", target, detail);
    controller.abort();
  }, target.timeoutMs);
  return {
    signal: AbortSignal.any([signal, controller.signal]),
    expired: () => error,
    [Symbol.dispose]: () => clearTimeout(timer),
  };
}

async function readText(answer: Dispatcher.ResponseData, maxBytes: number): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of answer.body as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > maxBytes) throw new RangeError(`more than ${maxBytes} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

function parseAnswer(
  target: ServiceTarget,
  request: SubRequest,
  answer: Dispatcher.ResponseData,
  text: string,
): ExecutionResult {
  const result = executionResult.safeParse(parseJson(text));
  if (result.success && ("data" in result.data || "errors" in result.data)) {
    return result.data as unknown as ExecutionResult;
  }
  const label = request.label ?? "request";
  const { statusCode } = answer;
  const status = `answered ${statusCode} to the ${label}`;
  if (statusCode === 504) throw failure("service_timeout", target, status);
  if (statusCode >= 500) throw failure("service_unavailable", target, status);
  const garbage = `answered the ${label} with something that is not GraphQL`;
  throw failure("service_bad_response", target, statusCode === 200 ? garbage : status);
}

async function* readResults(
  target: ServiceTarget,
  request: SubRequest,
  answer: Dispatcher.ResponseData,
  signal: AbortSignal,
  maxBytes: number,
): AsyncGenerator<ExecutionResult, void, undefined> {
  try {
    for await (const { event, data } of readEventStream(answer.body, maxBytes)) {
      if (event === "complete") return;
      if (event !== "next" && event !== "message") continue;
      yield parseAnswer(target, request, answer, data);
    }
  } catch (error) {
    if (signal.aborted) return;
    throw toFailure(target, request, error, signal);
  } finally {
    answer.body.destroy();
  }
  throw failure("service_unavailable", target, "ended the subscription without completing it");
}

function toFailure(
  target: ServiceTarget,
  request: SubRequest,
  error: unknown,
  signal: AbortSignal,
): GatewayError {
  if (error instanceof GatewayError) return error;
  const label = request.label ?? "request";
  if (signal.aborted) {
    const timedOut = signal.reason instanceof DOMException && signal.reason.name === "TimeoutError";
    return timedOut
      ? failure("service_timeout", target, `did not answer the ${label} before its time was up`, error)
      : failure("service_unavailable", target, `was not waited for: the ${label} was cancelled`, error);
  }
  const why = error instanceof Error ? error.message : String(error);
  if (error instanceof RangeError) {
    return failure("service_bad_response", target, `answered the ${label} with ${why}`, error);
  }
  return failure("service_unavailable", target, `could not be reached for the ${label} (${why})`, error);
}

function failure(
  code: GatewayErrorCode,
  target: ServiceTarget,
  detail: string,
  cause?: unknown,
): GatewayError {
  return new GatewayError(code, detail, { service: target.name, cause });
}

function mediaType(answer: Dispatcher.ResponseData): string {
  const header = answer.headers["content-type"];
  return (Array.isArray(header) ? header[0] : header)?.split(";")[0]?.trim().toLowerCase() ?? "";
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
