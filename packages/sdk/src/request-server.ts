import type { IncomingMessage, Server, ServerResponse } from "node:http";
import { type Logger, REQUEST_ID_HEADER } from "@catalyst/telemetry";
import { logHandlerFailure, logRequest } from "./events.ts";
import { answerWithFetch, type FetchHandler } from "./fetch-listener.ts";
import { checkHealth, type HealthCheck } from "./health.ts";
import { requestIdOf } from "./request-id.ts";

/** What answers requests: one of the two. */
export type Answering =
  | {
      /** In the terms of the Fetch standard: a function from `Request` to `Response`, or a Hono app. */
      readonly handler: FetchHandler;
      readonly listener?: undefined;
    }
  | {
      /**
       * In the terms of `node:http`: a function of request and response, GraphQL Yoga, or an Express app. Where it returns
       * a promise, a rejection is answered with 500.
       */
      readonly listener: (request: IncomingMessage, response: ServerResponse) => unknown;
      readonly handler?: undefined;
    };

const healthTimeoutMs = 2_000;

/** Passes requests to a handler, knows which are in flight, and writes a line for each. */
export class RequestServer {
  readonly #answer: (request: IncomingMessage, response: ServerResponse) => unknown;
  readonly #health: HealthCheck;
  readonly #logger: Logger;
  readonly #inFlight = new Set<ServerResponse>();
  #closing = false;

  constructor(answering: Answering, health: HealthCheck | undefined, logger: Logger) {
    const { handler, listener } = answering;
    this.#answer = listener ?? ((request, response) => answerWithFetch(handler, request, response));
    this.#health = health ?? (() => ({ healthy: true }));
    this.#logger = logger;
  }

  /** Whoever handles the request, and in whatever form, finds its id in the header. */
  take(request: IncomingMessage, response: ServerResponse): void {
    this.#inFlight.add(response);
    response.once("close", () => this.#inFlight.delete(response));
    if (this.#closing) response.setHeader("connection", "close");
    const path = request.url?.split("?", 1)[0] ?? "/";
    if (path === "/healthz") {
      void this.#answerHealth(response);
      return;
    }
    request.headers[REQUEST_ID_HEADER] = requestIdOf(request);
    this.#logWhenDone(request, path, response);
    void this.#pass(request, response);
  }

  /** From now on no connection is kept for a next request, and `/healthz` answers 503. */
  beginClosing(): void {
    this.#closing = true;
    for (const response of this.#inFlight) {
      if (!response.headersSent) response.setHeader("connection", "close");
    }
  }

  /** Stops listening, and resolves when no request is left, with the number of those that were cut off. */
  async drain(server: Server, drainMs: number): Promise<number> {
    let cut = 0;
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    for (const response of this.#inFlight) {
      if (isEventStream(response)) response.end();
    }
    // A connection whose answer had begun before the closing did is told nothing: it is closed once it is idle.
    const sweep = setInterval(() => server.closeIdleConnections(), 20);
    const timer = setTimeout(() => {
      cut = this.#inFlight.size;
      server.closeAllConnections();
    }, drainMs);
    await closed;
    clearInterval(sweep);
    clearTimeout(timer);
    return cut;
  }

  async #pass(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      await this.#answer(request, response);
    } catch (error) {
      logHandlerFailure(this.#logger, requestIdOf(request), error);
      if (response.headersSent) response.destroy();
      else sendJson(response, 500, { error: "The service failed.", requestId: requestIdOf(request) });
    }
  }

  async #answerHealth(response: ServerResponse): Promise<void> {
    const health = this.#closing
      ? { healthy: false, detail: "the service is closing" }
      : await checkHealth(this.#health, healthTimeoutMs);
    sendJson(response, health.healthy ? 200 : 503, health);
  }

  #logWhenDone(request: IncomingMessage, path: string, response: ServerResponse): void {
    const startedAt = performance.now();
    response.once("close", () =>
      logRequest(this.#logger, {
        requestId: requestIdOf(request),
        method: request.method ?? "GET",
        path,
        status: response.statusCode,
        durationMs: Math.round((performance.now() - startedAt) * 100) / 100,
        complete: response.writableFinished,
      }),
    );
  }
}

/** Headers given to `writeHead` alone cannot be read back: what the client asked for tells then. */
function isEventStream(response: ServerResponse): boolean {
  const type = response.getHeader("content-type") ?? response.req.headers.accept;
  return response.headersSent && String(type).startsWith("text/event-stream");
}

function sendJson(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { "content-type": "application/json" }).end(`${JSON.stringify(body)}\n`);
}
