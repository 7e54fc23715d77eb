import type { GatewayServiceReport } from "@catalyst/rpc";
import type { Logger, Metrics } from "@catalyst/telemetry";
import type { Generation } from "./generation.ts";

export type SubRequestOutcome = "ok" | "unavailable" | "timeout" | "bad_response" | "forbidden" | "cancelled";

/** A request to a service that has been answered, or was not; a subscription when it has begun. */
export type SubRequestRecord = {
  /** Of the client's request, or of the schema request. */
  readonly requestId: string;
  readonly service: string;
  readonly label: "request" | "schema request";
  readonly outcome: SubRequestOutcome;
  readonly durationMs: number;
  /** Why it failed, for operators. */
  readonly reason: string | null;
};

/**
 * How a client's request ended. `ok`: without an error; `partial`: with data and errors; `failed`: errors and no
 * data; `refused`: not valid, too long or not acceptable; `unavailable`: nothing is served, or shutting down.
 */
export type RequestOutcome = "ok" | "partial" | "failed" | "refused" | "unavailable";

/** A client's request that has been answered, a subscription when it has begun. */
export type RequestRecord = {
  readonly requestId: string;
  readonly operationName: string | null;
  readonly operationType: string | null;
  readonly outcome: RequestOutcome;
  readonly status: number;
  readonly durationMs: number;
  readonly generation: number | null;
};

/** Everything that the gateway logs and counts, one function per event. */
export type GatewayEvents = {
  /** Counts it, and logs a line: what went well only at the level `debug`. */
  request(record: RequestRecord): void;
  /** Counts it under the service's name, and logs a line when it failed; a client that went away is no failure. */
  subRequest(record: SubRequestRecord): void;
  /** A request to a service is sent again, because of what `reason` says. */
  subRequestRetried(retry: {
    readonly requestId: string;
    readonly service: string;
    readonly reason: string;
  }): void;
  /** A request was not sent, because an equal one of the same caller was under way. */
  subRequestShared(service: string): void;
  /** A service fails so often that it is left alone (`open`), is tried, or answers again (`closed`). */
  breaker(service: string, state: "closed" | "open" | "half_open"): void;
  internalError(requestId: string, error: unknown): void;
  generation(generation: Generation | null, durationMs: number): void;
  serviceState(report: GatewayServiceReport): void;
  serviceCounts(counts: Readonly<Record<GatewayServiceReport["state"], number>>): void;
  /** A client was cut off because it read slower than its subscription's results came. */
  slowReader(requestId: string, bufferedBytes: number): void;
  /** The persisted documents were read, so many now, or could not be. */
  persistedDocuments(count: number, failure: string | null): void;
  /** How the move of a subscription to another schema went: `gone` when that has no longer what it asks for. */
  subscriptionMoved(outcome: "moved" | "failed" | "gone"): void;
  cacheFailed(service: string, error: unknown): void;
  engineFallback(reason: string): void;
};

/** Services with a series of their own: names come and go with leases, series only come. */
const mostNamed = 500;
/** The label of services beyond those; no service can be called so. */
const others = "_others";

const durationBuckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

/** What is in use now; read whenever somebody asks for the metrics. */
export type Alive = {
  readonly pins: number;
  readonly generations: number;
  readonly sockets: number;
  readonly subscriptions: number;
};

export function createGatewayEvents(logger: Logger, metrics: Metrics, alive: () => Alive): GatewayEvents {
  readAlive(metrics, alive);
  return {
    ...clientEvents(logger, metrics),
    ...subRequestEvents(logger, metrics),
    ...schemaEvents(logger, metrics),
  };
}

function readAlive(metrics: Metrics, alive: () => Alive): void {
  const gauges: readonly (readonly [string, string, keyof Alive])[] = [
    ["gateway_running", "Requests and subscriptions that run now.", "pins"],
    ["gateway_generations", "Schemas in use, those replaced included.", "generations"],
    ["gateway_websockets", "WebSockets of clients that are open.", "sockets"],
    ["gateway_subscriptions", "Subscriptions of clients that run now.", "subscriptions"],
  ];
  for (const [name, help, key] of gauges) metrics.readGauge(name, help, [], () => [[{}, alive()[key]]]);
}

type ClientEvents = Pick<
  GatewayEvents,
  "request" | "internalError" | "slowReader" | "subscriptionMoved" | "persistedDocuments"
>;

function clientEvents(logger: Logger, metrics: Metrics): ClientEvents {
  const requests = metrics.counter("gateway_requests_total", "GraphQL requests of clients.", [
    "type",
    "outcome",
  ]);
  const durations = metrics.histogram(
    "gateway_request_duration_seconds",
    "Time from a GraphQL request to its answer; of a subscription, to its beginning.",
    ["type"],
    durationBuckets,
  );
  const moves = metrics.counter(
    "gateway_subscription_moves_total",
    "Moves of running subscriptions to another schema.",
    ["outcome"],
  );
  const slowReaders = metrics.counter(
    "gateway_slow_readers_total",
    "Clients that were cut off because they read too slowly.",
    [],
  );
  return {
    request({ operationType, outcome, durationMs, ...rest }) {
      const type = operationType ?? "none";
      requests.inc({ type, outcome });
      durations.observe({ type }, durationMs / 1000);
      // The line costs half of what all else of the server does: Envoy's log has what went well.
      const level = outcome === "ok" ? "debug" : "info";
      logger[level]({ ...rest, operationType, outcome, durationMs: rounded(durationMs) }, "request");
    },
    internalError: (requestId, error) =>
      logger.error({ requestId, err: error }, "a request failed inside the gateway"),
    slowReader(requestId, bufferedBytes) {
      slowReaders.inc({});
      const fields = { requestId, code: "SLOW_READER", bufferedBytes };
      logger.warn(fields, "a client reads too slowly and was cut off");
    },
    subscriptionMoved: (outcome) => moves.inc({ outcome }),
    persistedDocuments(count, failure) {
      if (failure === null) logger.info({ count }, "persisted documents were read");
      else logger.warn({ count, reason: failure }, "persisted documents cannot be read: those before stay");
    },
  };
}

type SubRequestEvents = Pick<
  GatewayEvents,
  "subRequest" | "subRequestRetried" | "subRequestShared" | "breaker"
>;

function subRequestEvents(logger: Logger, metrics: Metrics): SubRequestEvents {
  const subRequests = metrics.counter(
    "gateway_subrequests_total",
    `Requests to services; those beyond the first ${mostNamed} together as ${others}.`,
    ["service", "outcome"],
  );
  const retries = metrics.counter("gateway_subrequest_retries_total", "Requests to services sent again.", [
    "service",
  ]);
  const shared = metrics.counter(
    "gateway_subrequests_shared_total",
    "Requests to services not sent, because an equal one of the same caller was under way.",
    ["service"],
  );
  const breakers = metrics.counter(
    "gateway_breaker_transitions_total",
    "Services that were left alone (`open`), tried (`half_open`), and asked again (`closed`).",
    ["service", "state"],
  );
  const labelOf = boundedLabels();
  return {
    subRequest({ durationMs, ...record }) {
      const { service, outcome, label } = record;
      subRequests.inc({ service: labelOf(service), outcome });
      if (outcome === "ok" || outcome === "cancelled") return;
      logger.warn({ ...record, durationMs: rounded(durationMs) }, `a ${label} to a service failed`);
    },
    subRequestRetried(retry) {
      retries.inc({ service: labelOf(retry.service) });
      logger.debug(retry, "a request to a service is sent again");
    },
    subRequestShared: (service) => shared.inc({ service: labelOf(service) }),
    breaker(service, state) {
      breakers.inc({ service: labelOf(service), state });
      const text = {
        open: "fails too often and is left alone",
        half_open: "is tried",
        closed: "answers again",
      };
      logger[state === "open" ? "warn" : "info"]({ service, state }, `service ${service} ${text[state]}`);
    },
  };
}

type SchemaEvents = Omit<GatewayEvents, keyof (ClientEvents & SubRequestEvents)>;

function schemaEvents(logger: Logger, metrics: Metrics): SchemaEvents {
  const number = metrics.gauge(
    "gateway_generation",
    "Number of the schema in force; 0 when there is none.",
    [],
  );
  const services = metrics.gauge("gateway_services", "Services of the update in force.", ["state"]);
  return {
    generation(generation, durationMs) {
      number.set({}, generation?.number ?? 0);
      const names = generation?.services.map(({ target }) => target.name) ?? [];
      const fields = {
        generation: generation?.number ?? 0,
        services: names,
        durationMs: rounded(durationMs),
      };
      logger.info(fields, generation === null ? "nothing to serve" : "a new schema is in force");
    },
    serviceState({ name, state, kind, reason }) {
      const level = state === "serving" ? "info" : "warn";
      logger[level]({ service: name, state, kind, reason }, `service ${name} is ${state}`);
    },
    serviceCounts(counts) {
      for (const [state, count] of Object.entries(counts)) services.set({ state }, count);
    },
    cacheFailed: (service, error) => logger.warn({ service, err: error }, "the schema cache cannot be used"),
    engineFallback: (reason) =>
      logger.warn({ reason }, "the fast engine does not run on this system: queries run on the slower one"),
  };
}

/** Lets the first names through and makes one of all others. */
function boundedLabels(): (name: string) => string {
  const named = new Set<string>();
  return (name) => {
    if (named.size < mostNamed) named.add(name);
    return named.has(name) ? name : others;
  };
}

function rounded(ms: number): number {
  return Math.round(ms * 100) / 100;
}
