import type { PlanView } from "@catalyst/rpc";
import { type DocumentNode, GraphQLError, type GraphQLSchema, getOperationAST } from "graphql";
import { type AnswerCode, GatewayError } from "../../errors.ts";
import { buildPublicSchema } from "../../schema/composition.ts";
import type { RequestScope, ServiceTarget } from "../../service.ts";
import { whenAborted } from "../../upstream/abort-signal.ts";
import type { Upstream } from "../../upstream/upstream.ts";
import type {
  EngineInput,
  EngineSchema,
  GatewayEngine,
  Operation,
  OperationResult,
  ResultStream,
} from "../engine.ts";
import { FieldOwners } from "../field-owners.ts";
import { OperationTooLarge, PlanFailure } from "../plan-failure.ts";
import { TypescriptPlanner } from "../query-planner/typescript-planner.ts";
import type { AnswerParse } from "./answer-parser.ts";
import { Completion, clientPath } from "./completion.ts";
import { fragmentsOnInterfaceObjects } from "./interface-fragments.ts";
import { type OperationPlanner, type SchemaPlanner, withFallback } from "./operation-planner.ts";
import type { PlanStep } from "./plan.ts";
import { type PlanRun, runStep, type Send } from "./plan-run.ts";
import { viewOf } from "./plan-view.ts";
import { PlannedStream } from "./planned-stream.ts";
import { Planner } from "./planner.ts";
import { type BoundVariables, type OperationVariant, PreparedOperation } from "./prepared-operation.ts";
import { requiredWithArguments } from "./required-arguments.ts";
import type { Output } from "./selection.ts";
import { TypeMembership } from "./type-membership.ts";
import { VariantCache } from "./variant-cache.ts";

/** Operations are planned by a native planner, and by our own where that one gives up. */
export function createPlannedEngine(
  upstream: Upstream,
  planner: OperationPlanner = new Planner(),
): GatewayEngine {
  return engineWith(
    "planned",
    upstream,
    withFallback(planner, new TypescriptPlanner(), fragmentsOnInterfaceObjects),
  );
}

/** Operations are planned by our own planner alone, which runs everywhere. */
export function createTypescriptEngine(upstream: Upstream): GatewayEngine {
  return engineWith("typescript", upstream, new TypescriptPlanner());
}

function engineWith(name: string, upstream: Upstream, planner: OperationPlanner): GatewayEngine {
  return {
    name,
    compile: async (input) => {
      const schema = buildPublicSchema(input.publicSdl);
      return new PlannedSchema(name, input, schema, await planner.load(input.supergraphSdl), upstream);
    },
    [Symbol.asyncDispose]: async () => await planner[Symbol.asyncDispose](),
  };
}

/** What one schema runs its operations with. */
export class PlannedSchema implements EngineSchema {
  readonly schema: GraphQLSchema;
  readonly #engine: string;
  readonly #planner: SchemaPlanner;
  readonly #upstream: Upstream;
  readonly #targets: ReadonlyMap<string, ServiceTarget>;
  readonly #types: TypeMembership;
  readonly #owners: FieldOwners;
  readonly #neverPlain: ReadonlySet<string>;
  readonly #prepared = new WeakMap<DocumentNode, Map<string, PreparedOperation>>();
  readonly #variants = new VariantCache();

  constructor(
    engine: string,
    input: EngineInput,
    schema: GraphQLSchema,
    planner: SchemaPlanner,
    upstream: Upstream,
  ) {
    this.schema = schema;
    this.#engine = engine;
    this.#planner = planner;
    this.#upstream = upstream;
    this.#targets = new Map(input.services.map(({ target }) => [target.name, target]));
    this.#types = new TypeMembership(schema, input.supergraphSdl);
    this.#owners = new FieldOwners(input.supergraphSdl);
    this.#neverPlain = requiredWithArguments(input.supergraphSdl);
  }

  async execute(operation: Operation): Promise<OperationResult> {
    const prepared = this.#prepare(operation);
    const bound = prepared.bind(operation.variables);
    if (isErrors(bound)) return { errors: bound };
    try {
      const variant = prepared.variant(bound);
      const known = variant.fetches(this.#planner);
      const fetches = known instanceof Promise ? await whileWanted(known, operation.scope.signal) : known;
      if (fetches === null) return notPlannedInTime();
      const parsers = fetches.kind === "steps" ? fetches.parsers : undefined;
      const run = this.#run(operation.scope, bound, parsers);
      if (fetches.kind === "steps" && fetches.step !== null) await runStep(fetches.step, run);
      return this.#complete(variant, bound, run);
    } catch (error) {
      return notPlanned(error);
    }
  }

  async subscribe(operation: Operation, previous?: ResultStream): Promise<ResultStream | OperationResult> {
    const prepared = this.#prepare(operation);
    const bound = prepared.bind(operation.variables);
    if (isErrors(bound)) return { errors: bound };
    try {
      const variant = prepared.variant(bound);
      const fetches = await whileWanted(
        Promise.resolve(variant.fetches(this.#planner)),
        operation.scope.signal,
      );
      if (fetches === null) return notPlannedInTime();
      if (fetches.kind !== "subscription")
        return this.#complete(variant, bound, this.#run(operation.scope, bound));
      const { source } = fetches.plan;
      const target = this.#target(source.service);
      return await PlannedStream.open(
        {
          target,
          source,
          joins: fetches.plan.joins,
          upstream: this.#upstream,
          scope: operation.scope,
          newRun: () => this.#run({ ...operation.scope }, bound),
          complete: (run) => this.#complete(variant, bound, run),
        },
        previous instanceof PlannedStream ? previous : null,
      );
    } catch (error) {
      return notPlanned(error);
    }
  }

  async explain(operation: Omit<Operation, "scope">): Promise<PlanView | readonly GraphQLError[]> {
    const prepared = this.#prepare(operation);
    const bound = operation.variables === undefined ? prepared.unbound() : prepared.bind(operation.variables);
    if (isErrors(bound)) return bound;
    const conditions = prepared.conditions(bound);
    try {
      const step = viewOf(await prepared.variant(bound).fetches(this.#planner));
      const note = step === null ? "The gateway answers it by itself." : null;
      return { engine: this.#engine, step, conditions, note };
    } catch (error) {
      return notPlanned(error).errors ?? [];
    }
  }

  [Symbol.dispose](): void {
    this.#planner[Symbol.dispose]();
  }

  #prepare({ document, operationName }: Omit<Operation, "scope">): PreparedOperation {
    let operations = this.#prepared.get(document);
    if (operations === undefined) {
      operations = new Map();
      this.#prepared.set(document, operations);
    }
    const key = operationName ?? "";
    const known = operations.get(key);
    if (known !== undefined) return known;
    const node = getOperationAST(document, operationName);
    const root = node === null || node === undefined ? undefined : this.schema.getRootType(node.operation);
    if (node === null || node === undefined || root === undefined || root === null) {
      throw new GatewayError("schema_invalid", "the document was not validated: it has no such operation");
    }
    const prepared = new PreparedOperation(
      this.schema,
      document,
      node,
      root,
      this.#variants,
      this.#neverPlain,
    );
    operations.set(key, prepared);
    return prepared;
  }

  #run(
    scope: RequestScope,
    { given }: BoundVariables,
    parsers: ReadonlyMap<PlanStep, AnswerParse> = new Map(),
  ): PlanRun {
    const send: Send = (service, request) => this.#upstream.execute(this.#target(service), request, scope);
    return { data: {}, unplaced: [], variables: given, types: this.#types, parsers, send };
  }

  #complete(variant: OperationVariant, bound: BoundVariables, { data, unplaced }: PlanRun): OperationResult {
    const completion = new Completion(this.#owners, variant.introspect(bound));
    const { selection } = variant;
    const root: Output = { kind: "object", nonNull: false, selection };
    for (const { error, path } of unplaced) completion.add(error, clientPath(root, path));
    const completed = completion.complete(selection, data);
    const errors = completion.errors();
    if (errors.length === 0) return { data: completed };
    // Plain objects: what a GraphQLError has besides is for logs, and costs a stack trace each.
    return { errors: errors as unknown as readonly GraphQLError[], data: completed };
  }

  #target(service: string): ServiceTarget {
    const target = this.#targets.get(service);
    if (target === undefined)
      throw new GatewayError("schema_invalid", `the plan names no service: ${service}`);
    return target;
  }
}

/** What the promise resolves with; null when nobody waits for it any longer. */
async function whileWanted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T | null> {
  if (signal.aborted) return null;
  const left = Promise.withResolvers<null>();
  const stop = whenAborted(signal, () => left.resolve(null));
  try {
    return await Promise.race([promise, left.promise]);
  } finally {
    stop();
  }
}

function notPlannedInTime(): OperationResult {
  const message = "The operation was not planned before its time was up: too many new ones wait. Try again.";
  return refused("PLANNING_TIMEOUT", message);
}

/** Throws what says nothing of the operation. */
function notPlanned(error: unknown): OperationResult {
  if (error instanceof OperationTooLarge) {
    const message =
      "The operation is too large with its fragments written out for each type: split it into several.";
    return refused("OPERATION_TOO_LARGE", message);
  }
  if (!(error instanceof PlanFailure)) throw error;
  return refused("OPERATION_NOT_PLANNED", `The operation cannot be planned: ${error.message}.`);
}

function refused(code: AnswerCode, message: string): OperationResult {
  return { errors: [new GraphQLError(message, { extensions: { code } })] };
}

function isErrors(bound: BoundVariables | readonly GraphQLError[]): bound is readonly GraphQLError[] {
  return Array.isArray(bound);
}
