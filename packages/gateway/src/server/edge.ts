import type { IncomingMessage, ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import { requestIdOf } from "@catalyst/telemetry";
import type { OperationResult } from "../engine/engine.ts";
import { writeResult } from "../engine/json-text.ts";
import type { RequestOutcome } from "../events.ts";
import type { Generation } from "../generation.ts";
import type { AnswerHeaders, ForwardedHeaders } from "../service.ts";
import { type Accepted, acceptedBy, graphqlResponseType, jsonType } from "./accepted.ts";
import { answerHeaders, sendJson, sendRefusal } from "./answer.ts";
import { gatewayFailed } from "./error-mask.ts";
import { sendEventStream } from "./event-stream-answer.ts";
import { createGraphiqlPage, type GraphiqlPage } from "./graphiql-page.ts";
import { type GraphQLParams, parseJson, readParams, readQueryParams } from "./graphql-params.ts";
import {
  type Admission,
  type Caller,
  isStream,
  type OperationParts,
  Operations,
  outcomeOf,
} from "./operations.ts";
import type { PreparedOperation } from "./prepared-documents.ts";
import { type Refusal, refusalError, refuse } from "./refusal.ts";
import { readBody } from "./request-body.ts";
import { SocketEdge } from "./socket-edge.ts";

/** What clients speak to: GraphQL over HTTP and over WebSocket, with a request id and a log line for each. */
export type Edge = Disposable & {
  handle(request: IncomingMessage, response: ServerResponse): void;
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void;
  /** To be called when another schema is in force. */
  schemaReplaced(): void;
  /** Resolves when the persisted documents were read, or could not be. */
  readonly ready: Promise<void>;
  /** Why the persisted documents are not those of their files; null when they are. */
  readonly documentFault: string | null;
  /** What is open now. */
  readonly open: { readonly sockets: number; readonly subscriptions: number };
};

export type EdgeParts = OperationParts & {
  readonly path: string;
  /** Chooses the headers of a request that go on to services. */
  readonly forward: (headers: IncomingMessage["headers"]) => ForwardedHeaders;
};

export function createEdge(parts: EdgeParts): Edge {
  return new HttpEdge(parts);
}

/** One request on its way: what it began with, and what became of it. */
type Exchange = {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly requestId: string;
  readonly started: number;
  readonly accepted: Accepted;
};

/** How an operation of a request ended, for the log. */
type Ended = {
  readonly outcome: RequestOutcome;
  readonly status: number;
  readonly operation?: PreparedOperation | null;
  readonly generation?: Generation;
};

class HttpEdge implements Edge {
  readonly #parts: EdgeParts;
  readonly #operations: Operations;
  readonly #sockets: SocketEdge;
  readonly #page: GraphiqlPage | null;

  constructor(parts: EdgeParts) {
    this.#parts = parts;
    this.#operations = new Operations(parts);
    this.#sockets = new SocketEdge({ ...parts, operations: this.#operations });
    this.#page = parts.options.graphiql ? createGraphiqlPage() : null;
  }

  readonly handle = (request: IncomingMessage, response: ServerResponse): void => {
    const started = performance.now();
    const requestId = requestIdOf(request.headers);
    const accepted = acceptedBy(request.headers.accept);
    const exchange: Exchange = { request, response, requestId, started, accepted };
    this.#serve(exchange).catch((error: unknown) => {
      this.#parts.events.internalError(requestId, error);
      const failed = refusalError("INTERNAL_SERVER_ERROR", gatewayFailed);
      this.#refuse(exchange, refuse(500, failed), "failed");
    });
  };

  readonly upgrade = (request: IncomingMessage, socket: Duplex, head: Buffer): void =>
    this.#sockets.upgrade(request, socket, head);

  get open(): Edge["open"] {
    return { sockets: this.#sockets.count, subscriptions: this.#operations.subscriptions };
  }

  schemaReplaced(): void {
    this.#operations.schemaReplaced();
  }

  get ready(): Promise<void> {
    return this.#operations.ready;
  }

  get documentFault(): string | null {
    return this.#operations.documentFault;
  }

  /** Closes all WebSockets. */
  [Symbol.dispose](): void {
    this.#operations[Symbol.dispose]();
    this.#sockets[Symbol.dispose]();
  }

  async #serve(exchange: Exchange): Promise<void> {
    const { request, response, accepted } = exchange;
    const { method, url = "/" } = request;
    const { path, draining } = this.#parts;
    const mark = url.indexOf("?");
    if ((mark < 0 ? url : url.slice(0, mark)) !== path) {
      const error = refusalError("NOT_FOUND", `The GraphQL endpoint is ${path}.`);
      sendRefusal(response, refuse(404, error), jsonType, exchange.requestId);
      return;
    }
    if (draining.aborted) {
      const error = refusalError("DRAINING", "The gateway is shutting down; try again.");
      return this.#refuse(exchange, refuse(503, error), "unavailable");
    }
    if (method === "GET") {
      const search = mark < 0 ? "" : url.slice(mark + 1);
      if (this.#page !== null && accepted.page && search === "") {
        const status = await this.#page.send(request, response, exchange.requestId);
        return this.#log(exchange, { outcome: "ok", status });
      }
      return await this.#answer(exchange, readQueryParams(search));
    }
    if (method !== "POST") {
      const error = refusalError("METHOD_NOT_ALLOWED", "Operations are sent by POST, queries also by GET.");
      return this.#refuse(exchange, refuse(405, error, ["allow", "GET, POST"]));
    }
    const body = await this.#readJson(exchange);
    if (body === null) return;
    if (!Array.isArray(body.value)) return await this.#answer(exchange, readParams(body.value));
    return await this.#answerBatch(exchange, body.value);
  }

  /** The JSON in the body; null when the request was refused, or broken off. */
  async #readJson(exchange: Exchange): Promise<{ readonly value: unknown } | null> {
    const { maxBodyBytes, bodyTimeoutMs } = this.#parts.options;
    const fault = unreadable(exchange.request);
    if (fault !== null) {
      this.#refuse(exchange, refuse(415, refusalError("UNSUPPORTED_MEDIA_TYPE", fault)));
      return null;
    }
    const body = await readBody(exchange.request, { maxBytes: maxBodyBytes, timeoutMs: bodyTimeoutMs });
    if ("text" in body) {
      const value = parseJson(body.text);
      if (value !== undefined) return { value };
      this.#refuse(exchange, badRequest("The request's body must be JSON."));
    } else if (body.fault === "too_long") {
      const message = `The request's body is longer than ${maxBodyBytes} bytes.`;
      this.#refuse(exchange, refuse(413, refusalError("BODY_TOO_LONG", message)));
    } else if (body.fault === "too_slow") {
      const message = `The request's body did not come within ${bodyTimeoutMs} ms.`;
      const error = refusalError("BODY_TOO_SLOW", message);
      this.#refuse(exchange, refuse(408, error, ["connection", "close"]));
    }
    return null;
  }

  async #answer(exchange: Exchange, params: GraphQLParams | string): Promise<void> {
    if (typeof params === "string") return this.#refuse(exchange, badRequest(params));
    const generation = this.#parts.generations.current;
    if (generation === null) return this.#refuse(exchange, this.#nothingServed(), "unavailable");
    const admission = this.#operations.admit(params, generation);
    const unfit = unfitFor(exchange, admission);
    if (unfit !== null) return this.#refuse(exchange, unfit);
    const { response, requestId, accepted } = exchange;
    const caller = this.#callerOf(exchange);
    leavesWith(response, [caller]);
    const answer = await this.#operations.run(admission, generation, caller);
    const outcome = outcomeOf(admission, answer);
    const { operation } = admission;
    const headers = answerHeaders(requestId, caller.answer);
    if (isStream(answer) || accepted.single === null) {
      this.#log(exchange, { outcome, status: 200, operation, generation });
      const { subscriptions } = this.#parts.options;
      const onSlow = (bytes: number) => this.#parts.events.slowReader(requestId, bytes);
      return await sendEventStream(response, answer, { ...subscriptions, headers, onSlow });
    }
    const status = statusOf(answer, accepted.single);
    sendJson(response, status, accepted.single, writeResult(answer), headers);
    this.#log(exchange, { outcome, status, operation, generation });
  }

  /** Several operations in one request, which run at a time; each has an answer of its own, in their order. */
  async #answerBatch(exchange: Exchange, batch: readonly unknown[]): Promise<void> {
    const { maxBatch } = this.#parts.options;
    if (batch.length === 0 || batch.length > maxBatch) {
      const message = `A request holds 1 to ${maxBatch} operations in an array; this one has ${batch.length}.`;
      const none = "Several operations in one request are not taken: send one in each.";
      return this.#refuse(
        exchange,
        refuse(400, refusalError("BATCH_TOO_LONG", maxBatch === 0 ? none : message)),
      );
    }
    const { accepted, response, requestId } = exchange;
    if (accepted.single === null) return this.#refuse(exchange, notAcceptable());
    const generation = this.#parts.generations.current;
    if (generation === null) return this.#refuse(exchange, this.#nothingServed(), "unavailable");
    const answer: AnswerHeaders = new Map();
    const callers = batch.map(() => ({ ...this.#callerOf(exchange), answer }));
    leavesWith(response, callers);
    const run = async (caller: Caller, at: number): Promise<OperationResult> => {
      const admission = this.#admitBatched(batch[at], generation);
      const result = await this.#operations.run(admission, generation, caller);
      if (isStream(result)) throw new TypeError("a batch holds no subscription");
      const { operation } = admission;
      this.#log(exchange, { outcome: outcomeOf(admission, result), status: 200, operation, generation });
      return result;
    };
    const results = await Promise.all(callers.map(run));
    const json = `[${results.map((result) => writeResult(result).toString()).join(",")}]`;
    sendJson(response, 200, accepted.single, json, answerHeaders(requestId, answer));
  }

  #admitBatched(value: unknown, generation: Generation): Admission {
    const params = readParams(value);
    if (typeof params === "string") return { operation: null, errors: [refusalError("BAD_REQUEST", params)] };
    const admission = this.#operations.admit(params, generation);
    if (admission.operation?.type !== "subscription") return admission;
    return { operation: null, errors: [notAcceptable().error] };
  }

  #callerOf({ request, requestId }: Exchange): Caller & { readonly answer: AnswerHeaders } {
    const forwarded = this.#parts.forward(request.headers);
    return { requestId, forwarded, answer: new Map(), gone: false, onGone: null };
  }

  #nothingServed(): Refusal {
    const services = this.#parts.unavailable();
    const message =
      services.length === 0
        ? "No GraphQL service is registered."
        : "None of the registered GraphQL services can be served.";
    const extensions = services.length === 0 ? {} : { unavailableServices: services };
    return refuse(503, refusalError("NO_SERVICE", message, extensions));
  }

  #refuse(exchange: Exchange, refusal: Refusal, outcome: RequestOutcome = "refused"): void {
    const { response, requestId, accepted } = exchange;
    sendRefusal(response, refusal, accepted.single ?? jsonType, requestId);
    this.#log(exchange, { outcome, status: refusal.status });
  }

  #log({ requestId, started }: Exchange, { outcome, status, operation, generation }: Ended): void {
    this.#parts.events.request({
      requestId,
      operationName: operation?.name ?? null,
      operationType: operation?.type ?? null,
      outcome,
      status,
      durationMs: performance.now() - started,
      generation: generation?.number ?? null,
    });
  }
}

/** Tells callers when the client goes away before its answer is complete. */
function leavesWith(response: ServerResponse, callers: readonly Caller[]): void {
  response.on("close", () => {
    if (response.writableFinished) return;
    for (const caller of callers) {
      caller.gone = true;
      caller.onGone?.();
    }
  });
}

/** Why a body is not read; null when it is. A form or text/plain could be sent by any web page without asking. */
function unreadable({ headers }: IncomingMessage): string | null {
  const [type = "", ...parameters] = (headers["content-type"] ?? "").toLowerCase().split(";");
  if (!jsonTypes.includes(type.trim())) return "The request's content-type must be application/json.";
  const charset = parameters.map((parameter) => parameter.trim()).find((one) => one.startsWith("charset="));
  if (charset !== undefined && !/^charset="?utf-?8"?$/.test(charset))
    return "The request's charset must be UTF-8.";
  const coding = headers["content-encoding"]?.toLowerCase() ?? "identity";
  return coding === "identity" ? null : `The request's body must not be compressed, and it is in ${coding}.`;
}

const jsonTypes: readonly string[] = [jsonType, "application/graphql+json"];

/** Why an operation cannot be answered in the way that this request asks for; null when it can. */
function unfitFor({ request, accepted }: Exchange, { operation }: Admission): Refusal | null {
  if (request.method === "GET" && operation?.type === "mutation") {
    return refuse(405, refusalError("METHOD_NOT_ALLOWED", "A mutation is sent by POST."), ["allow", "POST"]);
  }
  const fits = accepted.stream || (accepted.single !== null && operation?.type !== "subscription");
  return fits ? null : notAcceptable();
}

function notAcceptable(): Refusal {
  const message = `Answers are ${graphqlResponseType} or ${jsonType}; subscriptions are text/event-stream, or go over a WebSocket.`;
  return refuse(406, refusalError("NOT_ACCEPTABLE", message));
}

function badRequest(message: string): Refusal {
  return refuse(400, refusalError("BAD_REQUEST", message));
}

/** GraphQL over HTTP, "Response": in `application/json` the status says nothing of the operation. */
function statusOf({ data, errors }: OperationResult, mediaType: string): number {
  if (data !== undefined) return 200;
  const code = errors?.[0]?.extensions?.["code"];
  if (code === "INTERNAL_SERVER_ERROR") return 500;
  return mediaType === graphqlResponseType || code === "BAD_REQUEST" ? 400 : 200;
}
