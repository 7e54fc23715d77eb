import type { ExecutionResult } from "graphql";
import { type Dispatcher, Pool } from "undici";
import { z } from "zod";
import { type AnswerCode, GatewayError, type GatewayErrorCode } from "../errors.ts";
import type { GatewayEvents, SubRequestOutcome } from "../events.ts";
import type { RequestScope, ServiceTarget } from "../service.ts";
import { isTimedOut, startDeadline } from "./deadline.ts";
import { readEventStream } from "./event-stream.ts";
import { bodyOf, type SubOperation, type SubVariables } from "./sub-operation.ts";

/** One GraphQL request to a service. */
export type SubRequest = {
  readonly operation: SubOperation;
  readonly variables?: SubVariables | undefined;
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
  /** Told how every request of a client to a service ended, those that the client gave up aside. */
  readonly onAnswer?: (service: string, failure: GatewayError | null) => void;
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
  errors: z.array(z.looseObject({ message: z.string(), extensions: z.unknown().optional() })).optional(),
});

/** Errors of one answer that are passed on, and characters of each message: every error costs the thread time. */
const maxErrors = 100;
const maxMessageLength = 2_000;

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

  execute(target: ServiceTarget, request: SubRequest, scope: RequestScope): Promise<ExecutionResult> {
    return this.#limited(target, request, scope, async (signal) => {
      const answer = await this.#send(target, request, scope, signal, "answers");
      const text = await readText(answer, request.maxBytes ?? this.#options.maxResponseBytes);
      return parseAnswer(target, request, answer, text);
    });
  }

  async subscribe(
    target: ServiceTarget,
    request: SubRequest,
    scope: RequestScope,
  ): Promise<AsyncGenerator<ExecutionResult, void, undefined>> {
    // The limit is for the beginning alone: a subscription may stay quiet for as long as it likes.
    const answer = await this.#limited(target, request, scope, async (signal) => {
      const stream = await this.#send(target, request, scope, signal, "streams");
      stream.body.on("error", () => undefined);
      if (mediaType(stream) === "text/event-stream") return stream;
      const text = await readText(stream, this.#options.maxResponseBytes);
      const { errors } = parseAnswer(target, request, stream, text);
      const why = errors?.[0]?.message ?? "no event stream";
      throw failure("service_bad_response", target, `answered the subscription with ${JSON.stringify(why)}`);
    });
    return readResults(target, request, answer, scope.signal, this.#options.maxResponseBytes);
  }

  /** Runs a call within the service's time, counts how it ended, and gives what it throws a code. */
  async #limited<T>(
    target: ServiceTarget,
    request: SubRequest,
    scope: RequestScope,
    call: (signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    using limit = startDeadline(target.timeoutMs);
    const started = performance.now();
    let outcome: SubRequestOutcome = "ok";
    let failed: GatewayError | null = null;
    try {
      return await call(AbortSignal.any([scope.signal, limit.signal]));
    } catch (error) {
      failed = toFailure(target, request, error, scope.signal, limit.signal);
      outcome = scope.signal.aborted ? "cancelled" : outcomeOf(failed);
      throw failed;
    } finally {
      const ofClient = request.label === undefined && outcome !== "cancelled";
      if (ofClient) this.#options.onAnswer?.(target.name, failed);
      this.#events.subRequest({
        requestId: scope.requestId,
        service: target.name,
        label: request.label ?? "request",
        outcome,
        durationMs: performance.now() - started,
        reason: failed === null ? null : reasonOf(failed),
      });
    }
  }

  #send(
    target: ServiceTarget,
    request: SubRequest,
    scope: RequestScope,
    signal: AbortSignal,
    pool: keyof Pools,
  ): Promise<Dispatcher.ResponseData> {
    if (this.#pools === null) throw failure("service_unavailable", target, "has no egress to be reached by");
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
      body: bodyOf(request.operation, request.variables),
      signal,
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([this.#pools?.answers.destroy(), this.#pools?.streams.destroy()]);
  }
}

function reasonOf({ message, detail }: GatewayError): string {
  return detail === undefined ? message : `${message} (${detail})`;
}

function outcomeOf({ code }: GatewayError): SubRequestOutcome {
  if (code === "service_timeout") return "timeout";
  return code === "service_bad_response" ? "bad_response" : "unavailable";
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
  const label = request.label ?? "request";
  const { statusCode } = answer;
  const result = executionResult.safeParse(withFewErrors(target, parseJson(text)));
  if (result.success && ("data" in result.data || "errors" in result.data)) {
    const reply = envoyReply(statusCode, result.data.errors?.[0]?.extensions);
    if (reply === null) return result.data as unknown as ExecutionResult;
    const { code, details } = reply;
    const [failed, told] = envoyFailures[code];
    const options = { service: target.name, ...(details === undefined ? {} : { detail: details }) };
    throw new GatewayError(failed, told(label), options);
  }
  const status = `answered ${statusCode} to the ${label}`;
  if (statusCode === 504) throw failure("service_timeout", target, status);
  if (statusCode >= 500) throw failure("service_unavailable", target, status);
  const garbage = `answered the ${label} with something that is not GraphQL`;
  throw failure("service_bad_response", target, statusCode === 200 ? garbage : status);
}

/** What Envoy's own answers mean: what failed, and how it is told of a request by its label. */
const envoyFailures: Record<EnvoyReplyCode, readonly [GatewayErrorCode, (label: string) => string]> = {
  SERVICE_UNAVAILABLE: ["service_unavailable", (label) => `could not be reached for the ${label}`],
  SERVICE_OVERLOADED: ["service_unavailable", (label) => `has too many requests to take the ${label}`],
  SERVICE_TIMEOUT: ["service_timeout", (label) => `did not answer the ${label} in time`],
  SERVICE_BAD_RESPONSE: ["service_bad_response", (label) => `answered the ${label} with what is not HTTP`],
  HOST_NOT_FOUND: ["service_unavailable", (label) => `has no route yet that takes the ${label}`],
  REQUEST_REFUSED: ["service_unavailable", (label) => `could not be reached: Envoy refused the ${label}`],
};
const envoyReplyCode = z.enum([
  "SERVICE_UNAVAILABLE",
  "SERVICE_OVERLOADED",
  "SERVICE_TIMEOUT",
  "SERVICE_BAD_RESPONSE",
  "HOST_NOT_FOUND",
  "REQUEST_REFUSED",
]);
type EnvoyReplyCode = z.output<typeof envoyReplyCode>;
const envoyExtensions = z.object({
  code: envoyReplyCode,
  details: z.string().optional(),
});

/** The extensions of an answer that Envoy gave in place of the service; null where the service did. */
function envoyReply(statusCode: number, extensions: unknown): z.output<typeof envoyExtensions> | null {
  const reply = envoyExtensions.safeParse(extensions);
  if (!reply.success) return null;
  return (reply.data.code === "HOST_NOT_FOUND" ? statusCode === 404 : statusCode >= 502) ? reply.data : null;
}

/** The answer with as many errors as are passed on, and one more that counts the rest. */
function withFewErrors(target: ServiceTarget, answer: unknown): unknown {
  if (typeof answer !== "object" || answer === null || !("errors" in answer)) return answer;
  if (!Array.isArray(answer.errors)) return answer;
  const errors: unknown[] = answer.errors.slice(0, maxErrors).map(withShortMessage);
  const more = answer.errors.length - errors.length;
  if (more > 0) {
    const message = `Service "${target.name}" answered ${more} more errors.`;
    errors.push({ message, extensions: { code: "ERRORS_LEFT_OUT" satisfies AnswerCode } });
  }
  return { ...answer, errors };
}

function withShortMessage(error: unknown): unknown {
  if (typeof error !== "object" || error === null || !("message" in error)) return error;
  const { message } = error;
  if (typeof message !== "string" || message.length <= maxMessageLength) return error;
  return { ...error, message: `${message.slice(0, maxMessageLength)}…` };
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
  scope: AbortSignal,
  limit?: AbortSignal,
): GatewayError {
  const label = request.label ?? "request";
  if (limit?.aborted === true) {
    const detail = `did not answer the ${label} within ${target.timeoutMs} ms`;
    return failure("service_timeout", target, detail, error);
  }
  if (error instanceof GatewayError) return error;
  if (isTimedOut(scope)) {
    return failure("service_timeout", target, `did not answer the ${label} before its time was up`, error);
  }
  if (scope.aborted) {
    return failure("service_unavailable", target, `was not waited for: the ${label} was cancelled`, error);
  }
  if (error instanceof RangeError) {
    return failure("service_bad_response", target, `answered the ${label} with ${error.message}`, error);
  }
  // Only the code: the message holds addresses, which are nobody's business outside.
  const code = error instanceof Error && "code" in error ? String(error.code) : "unknown";
  const why = code === "ECONNREFUSED" ? "nothing listens on egress" : "the connection broke";
  return failure(
    "service_unavailable",
    target,
    `could not be reached for the ${label}: ${why} (${code})`,
    error,
  );
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
