import type { PlanView } from "@catalyst/rpc";
import type { DocumentNode, ExecutionResult, GraphQLError, GraphQLSchema } from "graphql";
import type { RequestScope, SchemaInput } from "../service.ts";
import type { JsonText } from "./json-text.ts";

/** Services whose schemas fit together, and their schemas as one. */
export type EngineInput = {
  readonly services: readonly SchemaInput[];
  /** Federation supergraph, with the service's name as each subgraph's URL. Plain services are subgraphs without keys. */
  readonly supergraphSdl: string;
  /** What clients see: without anything that federation adds, and in an order that the services' does not change. */
  readonly publicSdl: string;
};

/** A validated operation of one client. */
export type Operation = {
  readonly document: DocumentNode;
  readonly operationName?: string | undefined;
  readonly variables?: Readonly<Record<string, unknown>> | undefined;
  readonly scope: RequestScope;
};

/** What an operation came to; its `data` may be JSON already. */
export type OperationResult = ExecutionResult<Record<string, unknown> | JsonText>;

/** Results of a subscription. When its service breaks off, the last one holds the error. */
export type ResultStream = AsyncIterableIterator<OperationResult>;

/** One composed schema that can be executed. It never changes; a change of any service makes a new one. */
export type EngineSchema = {
  /** What clients see: without anything that federation adds. */
  readonly schema: GraphQLSchema;
  /**
   * Runs a query or mutation. What a service fails to give is null in `data`, with an error that carries
   * `extensions.code` and `extensions.service`. Sub-requests of different scopes are never joined into one.
   */
  execute(operation: Operation): Promise<OperationResult>;
  /**
   * Starts a subscription, or answers with the errors that kept it from starting.
   *
   * With `previous` it goes on from a stream of the same operation that an earlier schema began. An engine may take
   * over that stream's source: then each event is delivered by exactly one of the two, `previous` is done after what
   * it had begun, and its scope is not aborted because of the change. Otherwise it opens a source of its own and
   * leaves `previous` alone, which its owner reads a moment longer and then returns. When this does not start,
   * `previous` runs on as before.
   */
  subscribe(operation: Operation, previous?: ResultStream): Promise<ResultStream | OperationResult>;
  /**
   * How an operation would be done; `variables`, when given, decide its conditions. Answers with errors for variables
   * that do not fit. An engine that plans while it runs has nothing to say.
   */
  explain(operation: Omit<Operation, "scope">): Promise<PlanView | readonly GraphQLError[]>;
  /** Gives back what the schema holds, when nothing runs with it any more. */
  [Symbol.dispose]?(): void;
};

/**
 * How queries over many services are planned and executed. `compile` may throw: the gateway then finds out which
 * service to leave out. Every implementation passes the suite in `engine-contract.ts`.
 */
export type GatewayEngine = {
  readonly name: string;
  compile(input: EngineInput): EngineSchema | Promise<EngineSchema>;
  /** Ends what the engine keeps running. */
  [Symbol.asyncDispose]?(): Promise<void>;
};
