import { type DocumentNode, GraphQLError, Kind } from "graphql";
import type { Operation, OperationResult, ResultStream } from "../engine/engine.ts";
import type { GatewayEvents, RequestOutcome } from "../events.ts";
import type { Generation, Generations } from "../generation.ts";
import type { GatewayOptions } from "../options.ts";
import type { AnswerHeaders, ForwardedHeaders, UnavailableService } from "../service.ts";
import { maskError, maskResult } from "./error-mask.ts";
import type { GraphQLParams } from "./graphql-params.ts";
import { LiveSubscriptions, type SubscriptionRequest } from "./live-subscriptions.ts";
import { costWith } from "./operation-cost.ts";
import { PersistedDocuments } from "./persisted-documents.ts";
import { PreparedDocuments, type PreparedOperation } from "./prepared-documents.ts";
import { refusalError } from "./refusal.ts";

/** Who sent an operation, for as long as somebody waits for its answer. */
export type Caller = {
  readonly requestId: string;
  /** Headers of the request that go on to services. */
  readonly forwarded: ForwardedHeaders;
  /** Takes the headers of services' answers that go to the client; absent where they can no longer be sent. */
  readonly answer?: AnswerHeaders;
  /** Whether nobody waits any more. */
  gone: boolean;
  /** Called once when nobody waits any more. */
  onGone: (() => void) | null;
};

/** A client's operation that may be executed, or the errors that say why there is none. */
export type Admission = Admitted | { readonly operation: null; readonly errors: readonly GraphQLError[] };

type Admitted = {
  readonly operation: PreparedOperation;
  readonly source: string;
  readonly document: DocumentNode;
  readonly params: GraphQLParams;
};

export type OperationParts = {
  readonly generations: Generations;
  readonly events: GatewayEvents;
  readonly options: GatewayOptions;
  /** Services that serve nothing now. */
  readonly unavailable: () => readonly UnavailableService[];
  /** Aborted when the gateway shuts down: subscriptions end then. */
  readonly draining: AbortSignal;
};

/** Admits the operations of clients, whatever way they came, and has the engine execute them. */
export class Operations implements Disposable {
  readonly #parts: OperationParts;
  readonly #persisted: PersistedDocuments;
  readonly #documents: PreparedDocuments;

  readonly #subscriptions: LiveSubscriptions;

  constructor(parts: OperationParts) {
    const { generations, events, draining, options } = parts;
    this.#parts = parts;
    this.#persisted = new PersistedDocuments(options.persistedDocuments, events);
    this.#documents = new PreparedDocuments(options);
    const { overlapMs } = options.subscriptions;
    this.#subscriptions = new LiveSubscriptions({ generations, events, draining, overlapMs });
  }

  [Symbol.dispose](): void {
    this.#persisted[Symbol.dispose]();
  }

  /** Resolves when the persisted documents were read, or could not be. */
  get ready(): Promise<void> {
    return this.#persisted.ready;
  }

  /** Why the persisted documents are not those of their files; null when they are. */
  get documentFault(): string | null {
    return this.#persisted.failure;
  }

  /** Subscriptions that run now. */
  get subscriptions(): number {
    return this.#subscriptions.count;
  }

  /** Finds the operation that is asked for, and checks that it may be executed with the generation's schema. */
  admit(params: GraphQLParams, generation: Generation): Admission {
    try {
      const source = this.#persisted.find(params);
      if (typeof source !== "string") return denied(source);
      const { document, errors, operations } = this.#documents.prepare(source, generation);
      if (errors.length > 0) return denied(...withUnavailable(errors, this.#parts.unavailable()));
      const operation = selectOperation(operations, params.operationName);
      if (operation instanceof GraphQLError) return denied(operation);
      const { maxCost } = this.#parts.options;
      const cost = costWith(operation.cost, params.variables ?? {});
      if (cost > maxCost) {
        const message = `The operation costs ${cost} by estimate, more than ${maxCost}: ask its lists for fewer items.`;
        return denied(refusalError("OPERATION_TOO_COSTLY", message, { cost, maxCost }));
      }
      return { source, document, operation, params };
    } catch (error) {
      if (error instanceof GraphQLError) return denied(error);
      throw error;
    }
  }

  /** Runs what was admitted with the generation, which must be in force. */
  async run(
    admission: Admission,
    generation: Generation,
    caller: Caller,
  ): Promise<ResultStream | OperationResult> {
    const { operation } = admission;
    if (operation === null) return { errors: admission.errors };
    using _pin = this.#parts.generations.pin(generation);
    return operation.type === "subscription"
      ? await this.#subscribe(admission, generation, caller)
      : await this.#execute(admission, generation, caller);
  }

  /** Has the subscriptions move to the generation that is in force now. */
  schemaReplaced(): void {
    this.#subscriptions.schemaReplaced();
  }

  /** A mutation runs to its end also when the client is gone: half of one is worse than an answer nobody reads. */
  async #execute(admitted: Admitted, generation: Generation, caller: Caller): Promise<OperationResult> {
    const { requestTimeoutMs } = this.#parts.options;
    const limit = new AbortController();
    const timer = setTimeout(() => limit.abort(timedOut(requestTimeoutMs)), requestTimeoutMs);
    if (admitted.operation.type === "query") whenGone(caller, limit);
    try {
      const result = await generation.compiled.execute(operationOf(admitted, caller, limit.signal));
      return this.#masked(result, caller);
    } catch (error) {
      return { errors: [this.#failure(error, caller)] };
    } finally {
      clearTimeout(timer);
      caller.onGone = null;
    }
  }

  /** The subscription goes on over changes of the schema until the client leaves. */
  async #subscribe(
    admitted: Admitted,
    generation: Generation,
    caller: Caller,
  ): Promise<ResultStream | OperationResult> {
    const stop = new AbortController();
    whenGone(caller, stop);
    const request: SubscriptionRequest = {
      requestId: caller.requestId,
      open: ({ compiled }, signal, previous) =>
        compiled.subscribe(operationOf(admitted, caller, signal), previous),
      present: (result) => this.#masked(result, caller),
      faults: (next) => this.#documents.prepare(admitted.source, next).errors,
    };
    try {
      return await this.#subscriptions.begin(request, generation, stop);
    } catch (error) {
      return { errors: [this.#failure(error, caller)] };
    } finally {
      caller.onGone = null;
    }
  }

  #masked(result: OperationResult, caller: Caller): OperationResult {
    if (result.errors === undefined) return result;
    return maskResult(result, this.#parts.options.errors, (error) =>
      this.#parts.events.internalError(caller.requestId, error),
    );
  }

  /** What the client sees of an exception. */
  #failure(error: unknown, caller: Caller): GraphQLError {
    return maskError(error, this.#parts.options.errors, (cause) => {
      // What breaks off because the client left is nobody's fault, and nobody reads the answer.
      if (!caller.gone) this.#parts.events.internalError(caller.requestId, cause);
    });
  }
}

/** How an operation that was answered so is counted. */
export function outcomeOf(admission: Admission, answer: ResultStream | OperationResult): RequestOutcome {
  if (admission.operation === null) return "refused";
  if (isStream(answer)) return "ok";
  const { data, errors } = answer;
  if (errors === undefined || errors.length === 0) return "ok";
  return data === null || data === undefined ? "failed" : "partial";
}

export function isStream(answer: ResultStream | OperationResult): answer is ResultStream {
  return Symbol.asyncIterator in answer;
}

function denied(...errors: readonly GraphQLError[]): Admission {
  return { operation: null, errors };
}

function whenGone(caller: Caller, stop: AbortController): void {
  if (caller.gone) stop.abort();
  else caller.onGone = () => stop.abort();
}

function timedOut(ms: number): DOMException {
  return new DOMException(`${ms} ms are over`, "TimeoutError");
}

function operationOf({ document, params }: Admitted, caller: Caller, signal: AbortSignal): Operation {
  const { requestId, forwarded, answer } = caller;
  return {
    document,
    operationName: params.operationName ?? undefined,
    variables: params.variables ?? undefined,
    scope: { requestId, signal, ...forwarded, ...(answer === undefined ? {} : { answer }) },
  };
}

/** The operation that a request means. */
export function selectOperation(
  operations: readonly PreparedOperation[],
  name: string | null,
): PreparedOperation | GraphQLError {
  const [first] = operations;
  if (name === null && operations.length === 1 && first !== undefined) return first;
  if (name === null) {
    const none = "The document has no operation.";
    const several = 'The document has several operations: "operationName" must say which one.';
    return refusalError("BAD_REQUEST", first === undefined ? none : several);
  }
  const found = operations.find((operation) => operation.name === name);
  return found ?? refusalError("BAD_REQUEST", `The document has no operation "${name}".`);
}

const kindsOfMissing: readonly unknown[] = [Kind.FIELD, Kind.NAMED_TYPE, Kind.OPERATION_DEFINITION];

/** A field or type that is missing may be one of a service that is not served: the error says which those are. */
function withUnavailable(
  errors: readonly GraphQLError[],
  unavailable: readonly UnavailableService[],
): readonly GraphQLError[] {
  if (unavailable.length === 0) return errors;
  return errors.map((error) => {
    const kind = error.nodes?.[0]?.kind;
    if (!kindsOfMissing.includes(kind)) return error;
    const { message, nodes, extensions } = error;
    return new GraphQLError(message, {
      nodes: nodes ?? null,
      extensions: { ...extensions, unavailableServices: unavailable },
    });
  });
}
