import { randomUUID } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import { getRequestListener } from "@hono/node-server";
import { type Context, Hono } from "hono";
import { bodyLimit } from "hono/body-limit";
import type { RequestOutcome } from "./events.ts";
import {
  createGraphQLServer,
  type Exchange,
  type GraphQLServer,
  type GraphQLServerParts,
} from "./graphql-server.ts";

export type EdgeParts = GraphQLServerParts & { readonly draining: () => boolean };

/** The HTTP side of the gateway: limits, request ids, the generation of each request, and the log line. */
export type Edge = {
  fetch(request: Request): Promise<Response>;
  handle(request: IncomingMessage, response: ServerResponse): void;
};

type Answer = {
  readonly response: Response;
  readonly outcome: RequestOutcome;
  readonly exchange?: Exchange;
};

const requestIdPattern = /^[\w.:/-]{1,128}$/;
const jsonTypes: readonly (string | undefined)[] = ["application/json", "application/graphql+json"];

export function createEdge(parts: EdgeParts): Edge {
  const { options, path } = parts;
  const server = createGraphQLServer(parts);
  const limited = bodyLimit({
    maxSize: options.maxBodyBytes,
    onError: () =>
      refusal(413, "BODY_TOO_LONG", `The request's body is longer than ${options.maxBodyBytes} bytes.`),
  });
  const app = new Hono();
  app.all(path, limited, (c) => serve(parts, server, c));
  app.notFound(() => refusal(404, "NOT_FOUND", `The GraphQL endpoint is ${path}.`));
  const listener = getRequestListener(app.fetch, { overrideGlobalObjects: false });
  return {
    fetch: async (request) => await app.fetch(request),
    handle: (request, response) => void listener(request, response),
  };
}

async function serve(parts: EdgeParts, server: GraphQLServer, c: Context): Promise<Response> {
  const started = performance.now();
  const given = c.req.header("x-request-id");
  const requestId = given !== undefined && requestIdPattern.test(given) ? given : randomUUID();
  const { response, outcome, exchange } = await answer(parts, server, c, requestId);
  const headers = new Headers(response.headers);
  headers.set("x-request-id", requestId);
  parts.events.request({
    requestId,
    operationName: exchange?.operationName ?? null,
    operationType: exchange?.operationType ?? null,
    outcome,
    status: response.status,
    durationMs: performance.now() - started,
    generation: exchange?.pin.generation.number ?? null,
  });
  parts.events.alive(parts.generations.alive);
  return new Response(response.body, { status: response.status, headers });
}

async function answer(
  parts: EdgeParts,
  server: GraphQLServer,
  c: Context,
  requestId: string,
): Promise<Answer> {
  if (parts.draining()) {
    return unavailable(refusal(503, "DRAINING", "The gateway is shutting down; try again."));
  }
  const type = c.req.header("content-type")?.split(";")[0]?.trim().toLowerCase();
  if (c.req.method === "POST" && !jsonTypes.includes(type)) {
    // A form or text/plain could be sent by any web page without the browser asking first.
    const message = "The request's content-type must be application/json.";
    return { response: refusal(415, "UNSUPPORTED_MEDIA_TYPE", message), outcome: "refused" };
  }
  using pin = parts.generations.pin();
  if (pin === null) return unavailable(nothingServed(parts));
  const exchange: Exchange = {
    pin,
    requestId,
    headers: forwarded(parts.options.forwardHeaders, c.req.raw.headers),
    gone: c.req.raw.signal,
    operationName: null,
    operationType: null,
    outcome: null,
  };
  try {
    const response = await server.fetch(c.req.raw, { exchange });
    // Without an operation: GraphiQL's page, or a request that is none.
    const outcome = exchange.outcome ?? (response.ok ? "ok" : "refused");
    return { response, outcome, exchange };
  } catch (error) {
    if (!exchange.gone.aborted) parts.events.internalError(requestId, error);
    const message = "The gateway failed; its log has the cause under this request's id.";
    return { response: refusal(500, "INTERNAL_SERVER_ERROR", message), outcome: "failed", exchange };
  }
}

function nothingServed(parts: EdgeParts): Response {
  const services = parts.unavailable();
  const message =
    services.length === 0
      ? "No GraphQL service is registered."
      : "None of the registered GraphQL services can be served.";
  return refusal(503, "NO_SERVICE", message, services.length === 0 ? {} : { unavailableServices: services });
}

function unavailable(response: Response): Answer {
  return { response, outcome: "unavailable" };
}

function forwarded(names: readonly string[], headers: Headers): Record<string, string> {
  const kept: Record<string, string> = {};
  for (const name of names) {
    const value = headers.get(name);
    if (value !== null) kept[name] = value;
  }
  return kept;
}

function refusal(
  status: number,
  code: string,
  message: string,
  extensions: Readonly<Record<string, unknown>> = {},
): Response {
  const headers = new Headers(status === 503 ? { "retry-after": "1" } : {});
  return Response.json({ errors: [{ message, extensions: { code, ...extensions } }] }, { status, headers });
}
