import { renderGraphiQL } from "@graphql-yoga/render-graphiql";
import {
  type DocumentNode,
  type ExecutionResult,
  GraphQLError,
  getOperationAST,
  Kind,
  NoSchemaIntrospectionCustomRule,
} from "graphql";
import { createYoga, type Plugin } from "graphql-yoga";
import { startDeadline } from "../upstream/deadline.ts";
import { DocumentCache } from "./document-cache.ts";
import type { Operation, ResultStream } from "../engine/engine.ts";
import { type AnswerCode, GatewayError, toGraphQLError } from "../errors.ts";
import type { GatewayEvents, RequestOutcome } from "../events.ts";
import type { Generations, Pin } from "../generation.ts";
import { parseWithin } from "./operation-limits.ts";
import type { GatewayOptions } from "../options.ts";
import type { RequestScope, UnavailableService } from "../service.ts";

/** One client's request on its way: what it began with, and what became of it. */
export type Exchange = {
  readonly pin: Pin;
  readonly requestId: string;
  /** Headers that are forwarded. */
  readonly headers: Readonly<Record<string, string>>;
  /** Aborted when the client went away. */
  readonly gone: AbortSignal;
  operationName: string | null;
  operationType: string | null;
  /** Null until the operation has an answer. */
  outcome: RequestOutcome | null;
};

type ServerContext = { readonly exchange: Exchange };

export type GraphQLServer = {
  fetch(request: Request, context: ServerContext): Response | Promise<Response>;
};

export type GraphQLServerParts = {
  readonly path: string;
  readonly generations: Generations;
  readonly events: GatewayEvents;
  readonly options: GatewayOptions;
  /** Services that serve nothing now. */
  readonly unavailable: () => readonly UnavailableService[];
  /** Aborted when the gateway shuts down: subscriptions end then. */
  readonly draining: AbortSignal;
};

/** Memory for parsed documents: about a thousand ordinary ones. */
const documentCacheBytes = 64 * 1024 * 1024;

/** GraphQL over HTTP and over server-sent events, by Yoga, executed by the generation that a request pinned. */
export function createGraphQLServer(parts: GraphQLServerParts): GraphQLServer {
  const { options, path } = parts;
  return createYoga<ServerContext>({
    graphqlEndpoint: path,
    schema: ({ exchange }) => exchange.pin.generation.compiled.schema,
    plugins: [engineOfGeneration(parts)],
    graphiql: options.graphiql ? { title: "Catalyst", subscriptionsProtocol: "SSE" } : false,
    renderGraphiQL,
    maskedErrors: { maskError: (error) => maskError(error) },
    // What cannot be parsed costs little to refuse again.
    parserAndValidationCache: {
      documentCache: new DocumentCache(documentCacheBytes),
      errorCache: { get: () => undefined, set: () => undefined },
    },
    maxRequestBodySize: false,
    batching: false,
    multipart: false,
    landingPage: false,
    cors: false,
    logging: false,
    fetchAPI: { Request, Response, Headers, ReadableStream, TextEncoder, TextDecoder, URL, URLSearchParams },
  });
}

function engineOfGeneration(parts: GraphQLServerParts): Plugin<ServerContext> {
  return {
    onParse({ setParseFn }) {
      setParseFn((source, parseOptions) => parseWithin(parts.options, source, parseOptions));
    },
    onValidate({ addValidationRule }) {
      if (!parts.options.introspection) addValidationRule(NoSchemaIntrospectionCustomRule);
    },
    onExecute({ args, setExecuteFn }) {
      const { exchange } = args.contextValue as ServerContext;
      describe(exchange, args.document, args.operationName);
      setExecuteFn(() => run(parts, exchange, args));
    },
    onSubscribe({ args, setSubscribeFn }) {
      const { exchange } = args.contextValue as ServerContext;
      describe(exchange, args.document, args.operationName);
      setSubscribeFn(() => open(parts, exchange, args));
    },
    onExecutionResult({ result, setResult, context }) {
      const { exchange } = context as unknown as ServerContext;
      if (result === undefined || Array.isArray(result)) return;
      if (Symbol.asyncIterator in result) {
        exchange.outcome = "ok";
      } else if (exchange.operationType === null) {
        exchange.outcome = "refused";
        setResult(withUnavailable(result, parts.unavailable()));
      } else {
        exchange.outcome = outcomeOf(result);
      }
    },
  };
}

type ExecutionArgs = {
  readonly document: DocumentNode;
  readonly operationName?: string | null | undefined;
  readonly variableValues?: Readonly<Record<string, unknown>> | null | undefined;
};

function describe(exchange: Exchange, document: DocumentNode, operationName?: string | null): void {
  const operation = getOperationAST(document, operationName);
  exchange.operationName = operation?.name?.value ?? null;
  exchange.operationType = operation?.operation ?? null;
}

/** A mutation runs to its end also when the client is gone: half of one is worse than an answer nobody reads. */
async function run(
  parts: GraphQLServerParts,
  exchange: Exchange,
  args: ExecutionArgs,
): Promise<ExecutionResult> {
  using pin = parts.generations.pin(exchange.pin.generation) ?? exchange.pin;
  using limit = startDeadline(parts.options.requestTimeoutMs);
  const leaves = exchange.operationType === "mutation" ? [] : [exchange.gone];
  const signal = AbortSignal.any([limit.signal, ...leaves]);
  try {
    const result = await pin.generation.compiled.execute(operation(exchange, args, signal));
    return logged(parts, exchange, result);
  } catch (error) {
    parts.events.internalError(exchange.requestId, error);
    throw error;
  }
}

async function open(
  parts: GraphQLServerParts,
  exchange: Exchange,
  args: ExecutionArgs,
): Promise<ResultStream | ExecutionResult> {
  const pin = parts.generations.pin(exchange.pin.generation) ?? exchange.pin;
  const { compiled, retired } = pin.generation;
  const signal = AbortSignal.any([retired, parts.draining, exchange.gone]);
  try {
    const stream = await compiled.subscribe(operation(exchange, args, signal));
    if (Symbol.asyncIterator in stream) return heldStream(stream, pin, parts.draining);
    pin[Symbol.dispose]();
    return logged(parts, exchange, stream);
  } catch (error) {
    pin[Symbol.dispose]();
    parts.events.internalError(exchange.requestId, error);
    throw error;
  }
}

function operation(exchange: Exchange, args: ExecutionArgs, signal: AbortSignal): Operation {
  const scope: RequestScope = { requestId: exchange.requestId, headers: exchange.headers, signal };
  return {
    document: args.document,
    operationName: args.operationName ?? undefined,
    variables: args.variableValues ?? undefined,
    scope,
  };
}

/** Lets go of the generation when the subscription ends, and says why when it is the gateway that ended it. */
function heldStream(stream: ResultStream, pin: Pin, draining: AbortSignal): ResultStream {
  let ended = false;
  const end = () => {
    ended = true;
    pin[Symbol.dispose]();
  };
  const held: ResultStream = {
    async next() {
      if (ended) return { done: true, value: undefined };
      try {
        const result = await stream.next();
        if (result.done !== true) return result;
        end();
        const why = draining.aborted ? shuttingDown : pin.generation.retired.aborted ? schemaReplaced : null;
        return why === null ? result : { done: false, value: { errors: [endedBecause(why)] } };
      } catch (error) {
        end();
        throw error;
      }
    },
    async return() {
      end();
      await stream.return?.();
      return { done: true, value: undefined };
    },
    [Symbol.asyncIterator]: () => held,
  };
  return held;
}

type Ending = { readonly code: AnswerCode; readonly why: string };

const schemaReplaced: Ending = { code: "SCHEMA_REPLACED", why: "its schema is no longer served" };
const shuttingDown: Ending = { code: "DRAINING", why: "the gateway is shutting down" };

function endedBecause({ code, why }: Ending): GraphQLError {
  return new GraphQLError(`The subscription ended because ${why}; subscribe again.`, {
    extensions: { code },
  });
}

function outcomeOf({ data, errors }: ExecutionResult): RequestOutcome {
  if (errors === undefined || errors.length === 0) return "ok";
  return data === null || data === undefined ? "failed" : "partial";
}

/** Logs what a client will not see the cause of. */
function logged(parts: GraphQLServerParts, exchange: Exchange, result: ExecutionResult): ExecutionResult {
  for (const error of result.errors ?? []) {
    if (!isForClient(error)) parts.events.internalError(exchange.requestId, error.originalError ?? error);
  }
  return result;
}

function maskError(error: unknown): Error {
  if (error instanceof GatewayError) return toGraphQLError(error);
  if (error instanceof GraphQLError && isForClient(error)) return error;
  const located = error instanceof GraphQLError ? { nodes: error.nodes, path: error.path } : {};
  return new GraphQLError("The gateway failed; its log has the cause under this request's id.", {
    nodes: located.nodes ?? null,
    path: located.path ?? null,
    extensions: { code: "INTERNAL_SERVER_ERROR" satisfies AnswerCode },
  });
}

/** Errors of services and of the GraphQL language are for the client; an exception in the gateway is not. */
function isForClient(error: GraphQLError): boolean {
  const cause = error.originalError;
  if (cause === undefined || cause === null) return true;
  if (cause instanceof AggregateError) {
    return cause.errors.every((one) => one instanceof GraphQLError && isForClient(one));
  }
  return cause instanceof GraphQLError && isForClient(cause);
}

/** A field or type that is missing may be one of a service that is not served: the error says which those are. */
function withUnavailable(
  result: ExecutionResult,
  unavailable: readonly UnavailableService[],
): ExecutionResult {
  if (unavailable.length === 0 || result.errors === undefined) return result;
  const errors = result.errors.map((error) => {
    const kind = error.nodes?.[0]?.kind;
    if (kind !== Kind.FIELD && kind !== Kind.NAMED_TYPE) return error;
    const { message, nodes, extensions } = error;
    return new GraphQLError(message, {
      nodes: nodes ?? null,
      extensions: { ...extensions, unavailableServices: unavailable },
    });
  });
  return { ...result, errors };
}
