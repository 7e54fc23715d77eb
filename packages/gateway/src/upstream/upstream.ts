import type { ExecutionResult } from "graphql";
import { Pool } from "undici";
import type { GatewayError } from "../errors.ts";
import type { GatewayEvents, SubRequestOutcome } from "../events.ts";
import type { RequestScope, ServiceTarget } from "../service.ts";
import { isTimedOut } from "./abort-signal.ts";
import { AdmissionControl } from "./admission-control.ts";
import { readAnswer } from "./answer.ts";
import { Deadline } from "./deadline.ts";
import { type Egress, type EgressOrigin, originOf } from "./egress.ts";
import { exchange, type Message } from "./exchange.ts";
import type { HeaderRules } from "./header-rules.ts";
import { InFlightRequest, InFlightRequests, type OutgoingRequest } from "./in-flight-request.ts";
import { pauseBeforeRetry } from "./retry.ts";
import type { ServiceFailures } from "./service-failures.ts";
import { bodyOf, type SubOperation, type SubVariables } from "./sub-operation.ts";
import { type Opening, openEventStream, type Results } from "./subscription.ts";
import type { UpstreamOptions } from "./upstream-options.ts";
import { cancelled, type Failed, failureOf, isFailed, judge, type Subject, type Verdict } from "./verdict.ts";
import { openWebSocket } from "./web-socket.ts";

/** One GraphQL request to a service. */
export type SubRequest = {
  readonly operation: SubOperation;
  readonly variables?: SubVariables | undefined;
  /** What the request is called in messages; `request` when left out. One for the schema is sent in any case. */
  readonly label?: "request" | "schema request";
  /** Bytes of the answer; the limit of the options when left out. */
  readonly maxBytes?: number;
  /** Reads the JSON of the answer, undefined for what is none; by default {@link parseJson}. */
  readonly parse?: ((body: Buffer) => unknown) | undefined;
};

export type UpstreamParts = {
  /** Told how clients' requests to services end. */
  readonly failures?: ServiceFailures;
  /** Which headers of services' answers go to clients; none when left out. */
  readonly headers?: Pick<HeaderRules, "collect" | "collectsFrom">;
};

/** How the gateway reaches services: through Envoy's egress listener, or one of its own, by Host. */
export type Upstream = AsyncDisposable & {
  /** Takes over a new address; requests in flight end on the old one. */
  useEgress(egress: Egress): void;
  /** Forgets what is known of a service that is gone, or was declared anew. */
  forget(service: string): void;
  /**
   * Sends a query or mutation. The result is the caller's own, who may change it. Throws a {@link GatewayError} with a
   * `service_…` code, the service named.
   */
  execute(target: ServiceTarget, request: SubRequest, scope: RequestScope): Promise<ExecutionResult>;
  /** Starts a subscription; the source ends with the scope's signal. Throws like {@link Upstream.execute}. */
  subscribe(target: ServiceTarget, request: SubRequest, scope: RequestScope): Promise<Results>;
};

type UpstreamEvents = Pick<
  GatewayEvents,
  "subRequest" | "subRequestRetried" | "subRequestShared" | "breaker"
>;

export function createUpstream(
  events: UpstreamEvents,
  options: UpstreamOptions,
  parts: UpstreamParts = {},
): Upstream {
  return new PooledUpstream(events, options, parts);
}

/** Subscriptions hold a connection each; in a pool of their own they take none from queries and mutations. */
type Pools = { readonly answers: Pool; readonly streams: Pool };

/** A sub-request's own timer is the only one: undici's would cut a long timeoutMs or a quiet subscription. */
const poolLimits = { headersTimeout: 0, bodyTimeout: 0, keepAliveTimeout: 60_000 };

/** A request from its beginning to its end: what is sent, how long it may take, and what is said of it. */
type RequestContext = {
  readonly subject: Subject;
  readonly request: SubRequest;
  readonly requestId: string;
  readonly deadline: Deadline;
  readonly outgoing: OutgoingRequest;
};

class PooledUpstream implements Upstream {
  readonly #events: UpstreamEvents;
  readonly #options: UpstreamOptions;
  readonly #parts: UpstreamParts;
  readonly #admissions = new Map<string, AdmissionControl>();
  readonly #inFlight = new InFlightRequests();
  #origin: EgressOrigin | null = null;
  #pools: Pools | null = null;

  constructor(events: UpstreamEvents, options: UpstreamOptions, parts: UpstreamParts) {
    this.#events = events;
    this.#options = options;
    this.#parts = parts;
  }

  useEgress(egress: Egress): void {
    const origin = originOf(egress);
    if (origin.webSocket === this.#origin?.webSocket) return;
    const old = this.#pools;
    const limits = { ...poolLimits, ...origin.over };
    this.#origin = origin;
    this.#inFlight.close();
    this.#pools = {
      answers: new Pool(origin.http, { ...limits, connections: this.#options.connections }),
      streams: new Pool(origin.http, { ...limits, connections: null }),
    };
    for (const pool of old === null ? [] : [old.answers, old.streams]) pool.close().catch(() => undefined);
  }

  forget(service: string): void {
    this.#admissions.delete(service);
    this.#parts.failures?.forget(service);
  }

  async execute(target: ServiceTarget, request: SubRequest, scope: RequestScope): Promise<ExecutionResult> {
    const { signal } = scope;
    const outgoing = outgoingOf(target, request, scope);
    const shared = this.#mayShare(target, request);
    const known = shared ? this.#inFlight.find(outgoing) : undefined;
    if (known !== undefined) this.#events.subRequestShared(target.name);
    const inFlight = known ?? this.#start(outgoing, request, scope, shared);
    const verdict = signal.aborted ? null : await inFlight.join(signal);
    if (verdict === null) throw givenUp(subjectOf(target, request), signal);
    if (isFailed(verdict)) throw verdict.failure;
    if (scope.answer !== undefined)
      this.#parts.headers?.collect?.(target.name, verdict.reply.headers, scope.answer);
    if (known === undefined) return verdict.result;
    // Each has a result of its own: engines change what they get.
    return readAnswer(target.name, verdict.reply.body, request.parse) ?? verdict.result;
  }

  async subscribe(target: ServiceTarget, request: SubRequest, scope: RequestScope): Promise<Results> {
    const { signal } = scope;
    const context = contextOf(outgoingOf(target, request, scope), request, scope);
    const { subject, deadline } = context;
    const admission = this.#admissionTo(target.name);
    const opened = await this.#recorded(context, () =>
      admission.throughBreaker(subject, deadline, async () => {
        const opening = signal.aborted ? cancelled(subject) : await this.#open(context, admission, signal);
        if (signal.aborted) deadline.end("cancelled");
        return opening;
      }),
    );
    if (!isFailed(opened)) return opened.results;
    throw signal.aborted ? givenUp(subject, signal) : opened.failure;
  }

  /** By the transport that is set or known; otherwise by events, and by WebSocket when the service cannot do these. */
  async #open(context: RequestContext, admission: AdmissionControl, signal: AbortSignal): Promise<Opening> {
    const origin = this.#origin;
    if (this.#pools === null || origin === null) return noEgress(context.subject);
    const { subject, deadline } = context;
    const bounds = { maxBytes: this.#options.maxBytes, deadline, signal };
    const { subscriptions = "auto" } = subject.target;
    const message = messageOf(context, "text/event-stream");
    const overWebSocket = () => openWebSocket(origin.webSocket, subject, message, bounds);
    if (subscriptions === "websocket" || (subscriptions === "auto" && admission.prefersWebSocket)) {
      return await overWebSocket();
    }
    const events = await openEventStream(this.#pools.streams, subject, message, bounds);
    const isRefused = isFailed(events) && events.fault === "content" && deadline.ended === null;
    if (subscriptions === "sse" || !isRefused || signal.aborted) return events;
    const socket = await overWebSocket();
    if (isFailed(socket)) return events;
    admission.prefersWebSocket = true;
    return socket;
  }

  /** Headers that go on to clients may be for one of them alone, such as the cookie of a session that begins. */
  #mayShare({ name }: ServiceTarget, { operation, label }: SubRequest): boolean {
    if (!this.#options.dedupe || operation.kind !== "query" || label !== undefined) return false;
    return this.#parts.headers?.collectsFrom(name) !== true;
  }

  /** Sends a request off; when it is shared, others may join it from then on. */
  #start(
    outgoing: OutgoingRequest,
    request: SubRequest,
    scope: RequestScope,
    shared: boolean,
  ): InFlightRequest {
    const context = contextOf(outgoing, request, scope);
    if (scope.signal.aborted) context.deadline.end("cancelled");
    const inFlight = new InFlightRequest(outgoing, context.deadline);
    if (shared) this.#inFlight.add(inFlight);
    this.#run(inFlight, context).catch((defect) => inFlight.fail(defect));
    return inFlight;
  }

  async #run(inFlight: InFlightRequest, context: RequestContext): Promise<void> {
    try {
      inFlight.settle(await this.#recorded(context, () => this.#sendWithRetries(context)));
    } finally {
      this.#inFlight.remove(inFlight);
      // What queries under way bring may be older than the mutation: whoever asks from now on must not get it.
      if (context.request.operation.kind === "mutation") this.#inFlight.close();
    }
  }

  /** Sends until there is an answer, or nothing is gained by trying again. */
  async #sendWithRetries(context: RequestContext): Promise<Verdict> {
    const { subject, request, deadline, requestId } = context;
    if (request.label !== undefined) return await this.#send(context);
    const admission = this.#admissionTo(subject.target.name);
    admission.retries.earn();
    for (let tries = 0; ; tries++) {
      const verdict = await admission.throughBreaker(subject, deadline, () =>
        admission.throughBulkhead(subject, deadline, () => this.#send(context)),
      );
      if (!isFailed(verdict) || tries >= this.#options.retries || deadline.ended !== null) return verdict;
      const pause = pauseBeforeRetry(verdict, request.operation.kind, tries, Math.random());
      if (pause === null || pause >= deadline.remaining || !admission.retries.spend()) return verdict;
      this.#events.subRequestRetried({
        requestId,
        service: subject.target.name,
        reason: verdict.failure.message,
      });
      await deadline.pause(pause);
      if (deadline.ended !== null) return verdict;
    }
  }

  async #send(context: RequestContext): Promise<Verdict> {
    const { subject, request, deadline } = context;
    if (deadline.ended !== null) return cancelled(subject);
    if (this.#pools === null) return noEgress(subject);
    const maxBytes = request.maxBytes ?? this.#options.maxBytes;
    const message = messageOf(context, "application/json");
    const outcome = await exchange(this.#pools.answers, message, { maxBytes, deadline });
    return judge(subject, outcome, maxBytes, deadline.ended);
  }

  /** Runs a request to its end within the service's time, and says how it ended. */
  async #recorded<Good extends object>(
    { subject, request, requestId, deadline }: RequestContext,
    run: () => Promise<Good | Failed>,
  ): Promise<Good | Failed> {
    let verdict: Good | Failed;
    try {
      verdict = await run();
    } finally {
      deadline[Symbol.dispose]();
    }
    const failed = isFailed(verdict) ? verdict.failure : null;
    const gone = deadline.ended === "cancelled";
    const service = subject.target.name;
    const telling = !gone && request.label === undefined && !(isFailed(verdict) && verdict.fault === "none");
    if (telling) this.#parts.failures?.note(service, failed);
    this.#events.subRequest({
      requestId,
      service,
      label: request.label ?? "request",
      outcome: gone ? "cancelled" : outcomeOf(failed),
      durationMs: performance.now() - deadline.since,
      reason: failed === null ? null : reasonOf(failed),
    });
    return verdict;
  }

  #admissionTo(service: string): AdmissionControl {
    const known = this.#admissions.get(service);
    if (known !== undefined) return known;
    const admission = new AdmissionControl(this.#options, (kind) => {
      this.#parts.failures?.pause(service, kind === "closed" ? null : this.#options.breaker.openMs);
      this.#events.breaker(service, kind);
    });
    this.#admissions.set(service, admission);
    return admission;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([this.#pools?.answers.destroy(), this.#pools?.streams.destroy()]);
  }
}

function subjectOf(target: ServiceTarget, { label = "request", parse }: SubRequest): Subject {
  return { target, label, parse };
}

function outgoingOf(target: ServiceTarget, request: SubRequest, scope: RequestScope): OutgoingRequest {
  return {
    target,
    headers: scope.headersFor?.get(target.name) ?? scope.headers,
    body: bodyOf(request.operation, request.variables),
  };
}

function contextOf(
  outgoing: OutgoingRequest,
  request: SubRequest,
  { requestId }: RequestScope,
): RequestContext {
  const { target } = outgoing;
  const deadline = new Deadline(target.timeoutMs);
  return { subject: subjectOf(target, request), request, requestId, deadline, outgoing };
}

function messageOf({ outgoing, requestId }: RequestContext, accept: string): Message {
  const { target, headers, body } = outgoing;
  const all = ["host", target.host, "content-type", "application/json", "accept", accept];
  all.push("accept-encoding", "identity", "x-request-id", requestId);
  for (const name in headers) all.push(name, headers[name] ?? "");
  return { path: target.path, headers: all, body };
}

function noEgress(subject: Subject): Failed {
  const failure = failureOf("service_unavailable", subject, "has no egress to be reached by");
  return { failure, fault: "way", again: "nothing" };
}

/** The request of the client, not that to the service, was cancelled or took too long. */
function givenUp(subject: Subject, signal: AbortSignal): GatewayError {
  if (!isTimedOut(signal)) return cancelled(subject).failure;
  return failureOf("service_timeout", subject, `did not answer the ${subject.label} before its time was up`);
}

function reasonOf({ message, detail }: GatewayError): string {
  return detail === undefined ? message : `${message} (${detail})`;
}

function outcomeOf(failed: GatewayError | null): SubRequestOutcome {
  switch (failed?.code) {
    case undefined:
      return "ok";
    case "service_timeout":
      return "timeout";
    case "service_bad_response":
      return "bad_response";
    case "service_forbidden":
      return "forbidden";
    default:
      return "unavailable";
  }
}
