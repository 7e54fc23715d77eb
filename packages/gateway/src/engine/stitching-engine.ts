import { setImmediate } from "node:timers/promises";
import type { PlanView } from "@catalyst/rpc";
import {
  filterInternalFieldsAndTypes,
  getStitchingOptionsFromSupergraphSdl,
} from "@graphql-tools/federation";
import { stitchSchemas } from "@graphql-tools/stitch";
import {
  createSourceEventStream,
  type DocumentNode,
  type ExecutionResult,
  execute,
  GraphQLError,
  GraphQLSchema,
  parse,
  print,
} from "graphql";
import { GatewayError, toGraphQLError } from "../errors.ts";
import { buildPublicSchema } from "../schema/composition.ts";
import { dropSyntax } from "../schema/schema-syntax.ts";
import type { RequestScope, ServiceTarget } from "../service.ts";
import { type SubOperation, subOperation } from "../upstream/sub-operation.ts";
import type { SubRequest, Upstream } from "../upstream/upstream.ts";
import { blameServices } from "./blame.ts";
import type { EngineInput, EngineSchema, GatewayEngine, Operation, ResultStream } from "./engine.ts";
import { FieldOwners } from "./field-owners.ts";

type StitchingOptions = ReturnType<typeof getStitchingOptionsFromSupergraphSdl>;
type Subschema = StitchingOptions["subschemas"][number];
type Executor = NonNullable<Subschema["executor"]>;

/** What the stitching library hands to an executor, as far as it is used here. */
type ExecutorRequest = {
  readonly document: DocumentNode;
  readonly variables?: Record<string, unknown>;
  readonly operationName?: string;
  readonly operationType?: SubOperation["kind"];
  readonly context?: RequestScope;
};

/**
 * The engine in pure TypeScript, by `@graphql-tools/federation` and `@graphql-tools/stitch`. Sub-requests that become ready together within one client request go as one; the
 * loaders behind that are keyed by the scope object, so requests of different clients never meet in one.
 */
export function createStitchingEngine(upstream: Upstream): GatewayEngine {
  return {
    name: "stitching",
    compile: async (input) => new StitchedSchema(await stitch(input, upstream), input),
  };
}

class StitchedSchema implements EngineSchema {
  readonly schema: GraphQLSchema;
  readonly #owners: FieldOwners;

  constructor(schema: GraphQLSchema, { supergraphSdl }: EngineInput) {
    this.schema = schema;
    this.#owners = new FieldOwners(supergraphSdl);
  }

  async execute(operation: Operation): Promise<ExecutionResult> {
    const { scope } = operation;
    using givenUp = gaveUp(scope.signal);
    return await Promise.race([this.#execute(operation, { contextValue: { ...scope } }), givenUp.result]);
  }

  async subscribe(operation: Operation): Promise<ResultStream | ExecutionResult> {
    const { scope } = operation;
    const stopped = new AbortController();
    const signal = AbortSignal.any([scope.signal, stopped.signal]);
    const source = await createSourceEventStream({
      ...executionArgs(this.schema, operation),
      contextValue: { ...scope, signal },
    });
    if (!isStream(source)) return source;
    const events: AsyncIterator<unknown> = source[Symbol.asyncIterator]();
    const executeEvent = (rootValue: unknown) =>
      // A scope of its own for each event: what the loaders keep for it goes when the event is done.
      this.#execute(operation, { rootValue, contextValue: { ...scope, signal } });
    let broken = false;
    const stream: ResultStream = {
      async next(): Promise<IteratorResult<ExecutionResult>> {
        if (broken) return { done: true, value: undefined };
        try {
          const event = await events.next();
          if (event.done === true) return { done: true, value: undefined };
          return { done: false, value: await executeEvent(event.value) };
        } catch (error) {
          broken = true;
          if (!(error instanceof GraphQLError)) throw error;
          return { done: false, value: { errors: [error] } };
        }
      },
      async return(): Promise<IteratorResult<ExecutionResult>> {
        // Ends a pending next() as well, for which a generator's return() would wait.
        stopped.abort();
        await events.return?.();
        return { done: true, value: undefined };
      },
      [Symbol.asyncIterator]: () => stream,
    };
    return stream;
  }

  async explain(): Promise<PlanView> {
    const note = "This engine plans while it runs: whom it asks for what is not known before.";
    return { engine: "stitching", step: null, conditions: [], note };
  }

  async #execute(operation: Operation, values: { rootValue?: unknown; contextValue: RequestScope }) {
    const result = await execute({ ...executionArgs(this.schema, operation), ...values });
    return blameServices(result, this.schema, operation.document, this.#owners);
  }
}

/**
 * The answer when nobody waits any more: the library loses promises of fields that it defers when a service answers
 * what it does not expect, and then never answers.
 */
function gaveUp(signal: AbortSignal): Disposable & { readonly result: Promise<ExecutionResult> } {
  const { promise, resolve } = Promise.withResolvers<ExecutionResult>();
  let timer: NodeJS.Timeout | undefined;
  // The sub-requests that were aborted first get their turn to say so.
  const tell = () => {
    const extensions = { code: "SERVICE_TIMEOUT" };
    timer = setTimeout(() => resolve({ errors: [new GraphQLError(late, { extensions })] }), lateMs);
  };
  if (signal.aborted) tell();
  else signal.addEventListener("abort", tell, { once: true });
  const stop = () => {
    signal.removeEventListener("abort", tell);
    clearTimeout(timer);
  };
  return { result: promise, [Symbol.dispose]: stop };
}

const late = "The services were not done before the operation's time was up.";
const lateMs = 100;

function isStream(value: object): value is AsyncIterable<unknown> {
  return Symbol.asyncIterator in value;
}

function executionArgs(schema: GraphQLSchema, { document, operationName, variables }: Operation) {
  return { schema, document, operationName: operationName ?? null, variableValues: variables ?? {} };
}

/** What was composed is valid. Requests get their turn between the steps, each of which holds the thread up. */
async function stitch(
  { services, supergraphSdl, publicSdl }: EngineInput,
  upstream: Upstream,
): Promise<GraphQLSchema> {
  const targets = new Map(services.map(({ target }) => [target.name, target]));
  const options = getStitchingOptionsFromSupergraphSdl({
    supergraphSdl: parse(supergraphSdl, { noLocation: true }),
    batch: true,
    onSubschemaConfig(config) {
      const target = targets.get(config.endpoint);
      if (target === undefined) throw new GatewayError("schema_invalid", `no service for ${config.endpoint}`);
      dropSyntax(config.schema);
      config.executor = executorOf(target, upstream);
    },
  });
  const { schemaExtensions, ...rest } = options;
  const all = schemaExtensions === undefined ? rest : { ...rest, schemaExtensions };
  await setImmediate();
  const stitched = stitchSchemas({ ...all, assumeValid: true });
  await setImmediate();
  // Of directives clients see only what they may use: the rest is what composition has left over.
  const { directives } = buildPublicSchema(publicSdl).toConfig();
  const config = filterInternalFieldsAndTypes(stitched).toConfig();
  return new GraphQLSchema({ ...config, directives, assumeValid: true });
}

function executorOf(target: ServiceTarget, upstream: Upstream): Executor {
  const executor = async (request: ExecutorRequest) => {
    const { context: scope, document, variables, operationName, operationType = "query" } = request;
    if (scope === undefined) throw new GatewayError("schema_invalid", "a sub-request has no scope");
    const operation = subOperation(operationType, print(document), operationName);
    const subRequest: SubRequest = { operation, variables };
    try {
      if (operationType !== "subscription") {
        return named(target, await upstream.execute(target, subRequest, scope));
      }
      return mapResults(target, await upstream.subscribe(target, subRequest, scope));
    } catch (error) {
      if (error instanceof GatewayError) return { errors: [toGraphQLError(error)] };
      throw error;
    }
  };
  // The library's type promises any result shape that a caller may name.
  return executor as unknown as Executor;
}

async function* mapResults(target: ServiceTarget, results: AsyncIterable<ExecutionResult>) {
  try {
    for await (const result of results) yield named(target, result);
  } catch (error) {
    throw error instanceof GatewayError ? toGraphQLError(error) : error;
  }
}

/** Names the service in its errors. `http` is dropped: it would set status and headers of the gateway's answer. */
function named(target: ServiceTarget, result: ExecutionResult): ExecutionResult {
  if (result.errors === undefined || result.errors.length === 0) return result;
  const errors = result.errors.map(({ message, path, extensions }) => {
    const { http: _, ...kept } = extensions ?? {};
    return new GraphQLError(message, { path: path ?? null, extensions: { ...kept, service: target.name } });
  });
  return { ...result, errors };
}
