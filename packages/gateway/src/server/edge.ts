import { randomUUID } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import { getRequestListener } from "@hono/node-server";
import { type Context, Hono } from "hono";
import type { AnswerCode } from "../errors.ts";
import type { RequestOutcome } from "../events.ts";
import {
  createGraphQLServer,
  type Exchange,
  type GraphQLServer,
  type GraphQLServerParts,
} from "./graphql-server.ts";

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

const gatewayFailed = "The gateway failed; its log has the cause under this request's id.";
const requestIdPattern = /^[\w.:/-]{1,128}$/;
const jsonTypes: readonly (string | undefined)[] = ["application/json", "application/graphql+json"];

export function createEdge(parts: GraphQLServerParts): Edge {
  const { path } = parts;
  const server = createGraphQLServer(parts);
  const app = new Hono();
  app.all(path, (c) => serve(parts, server, c));
  app.notFound(() => refusal(404, "NOT_FOUND", `The GraphQL endpoint is ${path}.`));
  app.onError((error, c) => {
    // Reading the body of a client that went away in the middle of it fails, and nobody reads the answer.
    const requestId = requestIdOf(c);
    if (!c.req.raw.signal.aborted) parts.events.internalError(requestId, error);
    const response = refusal(500, "INTERNAL_SERVER_ERROR", gatewayFailed);
    response.headers.set("x-request-id", requestId);
    return response;
  });
  const listener = getRequestListener(app.fetch, { overrideGlobalObjects: false });
  return {
    fetch: async (request) => await app.fetch(request),
    handle: (request, response) => void listener(request, response),
  };
}

async function serve(parts: GraphQLServerParts, server: GraphQLServer, c: Context): Promise<Response> {
  const started = performance.now();
  const requestId = requestIdOf(c);
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

function requestIdOf(c: Context): string {
  const given = c.req.header("x-request-id");
  return given !== undefined && requestIdPattern.test(given) ? given : randomUUID();
}

async function answer(
  parts: GraphQLServerParts,
  server: GraphQLServer,
  c: Context,
  requestId: string,
): Promise<Answer> {
  if (parts.draining.aborted) {
    return unavailable(refusal(503, "DRAINING", "The gateway is shutting down; try again."));
  }
  const type = c.req.header("content-type")?.split(";")[0]?.trim().toLowerCase();
  if (c.req.method === "POST" && !jsonTypes.includes(type)) {
    // A form or text/plain could be sent by any web page without the browser asking first.
    const message = "The request's content-type must be application/json.";
    return { response: refusal(415, "UNSUPPORTED_MEDIA_TYPE", message), outcome: "refused" };
  }
  const request = await withinLimit(c.req.raw, parts.options.maxBodyBytes);
  if (request === null) {
    const message = `The request's body is longer than ${parts.options.maxBodyBytes} bytes.`;
    return { response: refusal(413, "BODY_TOO_LONG", message), outcome: "refused" };
  }
  using pin = parts.generations.pin();
  if (pin === null) return unavailable(nothingServed(parts));
  const exchange: Exchange = {
    pin,
    requestId,
    headers: forwarded(parts.options.forwardHeaders, request.headers),
    gone: request.signal,
    operationName: null,
    operationType: null,
    outcome: null,
  };
  try {
    const response = await server.fetch(request, { exchange });
    if (exchange.outcome !== null) return { response, outcome: exchange.outcome, exchange };
    // No operation was read: this is GraphiQL's page, or the request was malformed, whatever its media type.
    const html = response.headers.get("content-type")?.startsWith("text/html") === true;
    if (html || !response.ok) return { response, outcome: response.ok ? "ok" : "refused", exchange };
    const malformed = new Response(response.body, { status: 400, headers: response.headers });
    return { response: malformed, outcome: "refused", exchange };
  } catch (error) {
    if (!exchange.gone.aborted) parts.events.internalError(requestId, error);
    return { response: refusal(500, "INTERNAL_SERVER_ERROR", gatewayFailed), outcome: "failed", exchange };
  }
}

/** The request, its body read where its length is not known from its head; null when the body is too long. */
async function withinLimit(request: Request, maxBytes: number): Promise<Request | null> {
  const { method, url, headers, signal } = request;
  const length = headers.get("content-length");
  // With a length, node:http hands over no byte more than that.
  if (length !== null) return Number(length) <= maxBytes ? request : null;
  if (request.body === null) return request;
  const chunks: Uint8Array<ArrayBuffer>[] = [];
  let size = 0;
  for await (const chunk of request.body) {
    size += chunk.length;
    if (size > maxBytes) return null;
    chunks.push(chunk);
  }
  const body = size === 0 ? null : new Blob(chunks);
  return new Request(url, { method, headers, signal, body });
}

function nothingServed(parts: GraphQLServerParts): Response {
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
  code: AnswerCode,
  message: string,
  extensions: Readonly<Record<string, unknown>> = {},
): Response {
  const headers = new Headers(status === 503 ? { "retry-after": "1" } : {});
  return Response.json({ errors: [{ message, extensions: { code, ...extensions } }] }, { status, headers });
}
