import type { ExecutionResult } from "graphql";
import { GatewayError, toGraphQLError } from "../../errors.ts";
import type { SubRequest } from "../../upstream/upstream.ts";
import type { AnswerParse } from "./answer-parser.ts";
import { copyOf, type DataObject, failFields, isObject, mergeInto } from "./data.ts";
import { FieldFailure } from "./field-failure.ts";
import type { EntityBatch, EntityFetch, PathSegment, PlanStep, RootFetch } from "./plan.ts";
import { applyRewrites } from "./rewrites.ts";
import { readSubAnswer, type SubAnswer } from "./sub-answer.ts";
import type { KeysByType } from "./sub-shape.ts";
import type { TypeMembership } from "./type-membership.ts";

/** Asks a service. Rejects with a {@link GatewayError}. */
export type Send = (service: string, request: SubRequest) => Promise<ExecutionResult>;

/** One run of a plan: what it has, and what it may ask. */
export type PlanRun = {
  /** What services answered so far, as one object; steps add to it. */
  readonly data: DataObject;
  /** Errors that stand at no missing value. */
  readonly unplaced: SubAnswer["unplaced"][number][];
  /** Variables as the client gave them. */
  readonly variables: Readonly<Record<string, unknown>>;
  readonly types: TypeMembership;
  /** How answers are parsed; as a whole when left out. */
  readonly parsers: ReadonlyMap<PlanStep, AnswerParse>;
  readonly send: Send;
};

/** Runs a step; what services fail to give is left out of the data or stands there as a failure. */
export async function runStep(step: PlanStep, run: PlanRun): Promise<void> {
  switch (step.kind) {
    case "root":
      return await fetchRoot(step, run);
    case "entities":
      return await fetchEntities(step, run);
    case "sequence":
      for (const next of step.steps) await runStep(next, run);
      return;
    case "parallel":
      await Promise.all(step.steps.map((each) => runStep(each, run)));
      return;
  }
}

/** Variables of a root fetch, as JSON; undefined when there are none. */
export function variablesOf(names: readonly string[], run: Pick<PlanRun, "variables">): string | undefined {
  const json = writeVariables(names, run.variables);
  return json === "" ? undefined : `{${json}}`;
}

/** Takes over what a service answered for fields of the root. */
export function takeRoot(fetch: RootFetch, answer: SubAnswer, run: PlanRun): void {
  if (answer.data === null) {
    failFields(run.data, keysFor(fetch.keys, undefined, run.types), answer.lost);
  } else {
    applyRewrites(answer.data, fetch.rewrites, run.types);
    mergeInto(run.data, answer.data, run.types);
  }
  run.unplaced.push(...answer.unplaced);
}

async function fetchRoot(fetch: RootFetch, run: PlanRun): Promise<void> {
  takeRoot(fetch, await ask(fetch, variablesOf(fetch.variables, run), run), run);
}

/** An entity that waits for its part of an answer. */
type Target = { readonly entity: DataObject; readonly index: number; readonly shared: boolean };
/** Representations that go under one variable: as JSON, each once. */
type Representations = { readonly texts: string[]; readonly indexes: Map<string, number> };

async function fetchEntities(fetch: EntityFetch, run: PlanRun): Promise<void> {
  const representations = new Map<string, Representations>();
  const targets = fetch.batches.map((batch) => findTargets(batch, representations, run));
  if (targets.every((found) => found.length === 0)) return;
  let json = writeVariables(fetch.variables, run.variables);
  for (const [name, { texts }] of representations) {
    json += `${json === "" ? "" : ","}${JSON.stringify(name)}:[${texts.join(",")}]`;
  }
  const answer = await ask(fetch, `{${json}}`, run);
  if (answer.data !== null && fetch.rewrites.length > 0)
    applyRewrites(answer.data, fetch.rewrites, run.types);
  for (const [index, batch] of fetch.batches.entries()) {
    takeEntities(batch, targets[index] ?? [], answer, run);
  }
  for (const { error } of answer.unplaced) run.unplaced.push({ error, path: [] });
}

/** Finds the entities of a batch and writes what the service is to know of them. */
function findTargets(
  batch: EntityBatch,
  representations: Map<string, Representations>,
  { data, types }: PlanRun,
): Target[] {
  let known = representations.get(batch.variable);
  if (known === undefined) {
    known = { texts: [], indexes: new Map() };
    representations.set(batch.variable, known);
  }
  const { texts, indexes } = known;
  const targets: Target[] = [];
  for (const [place, path] of batch.paths.entries()) {
    for (const entity of entitiesAt(data, path, types)) {
      const text = batch.representation.write(entity, types);
      if (text === null) continue;
      if (text instanceof FieldFailure) {
        failFields(entity, keysFor(batch.keys, entity["__typename"], types), elsewhere(text));
        continue;
      }
      let index = indexes.get(text);
      if (index === undefined) {
        index = texts.push(text) - 1;
        indexes.set(text, index);
      }
      targets.push({ entity, index, shared: place > 0 });
    }
  }
  return targets;
}

function takeEntities(
  batch: EntityBatch,
  targets: readonly Target[],
  { data, lost }: SubAnswer,
  { types }: PlanRun,
): void {
  const entities = data === null ? lost : data[batch.answerKey];
  const failed = entities instanceof FieldFailure ? shallow(entities) : null;
  const list: readonly unknown[] = Array.isArray(entities) ? entities : [];
  if (failed === null && batch.outputRewrites.length > 0) applyRewrites(list, batch.outputRewrites, types);
  for (const { entity, index, shared } of targets) {
    const part = failed ?? list[index];
    if (isObject(part)) {
      // Elsewhere in the answer other fields may be joined to the same entity: what is below is not shared then.
      mergeInto(entity, shared ? copyOf(part) : part, types);
    } else if (part instanceof FieldFailure) {
      failFields(entity, keysFor(batch.keys, entity["__typename"], types), part);
    }
  }
}

async function ask(
  fetch: RootFetch | EntityFetch,
  variables: string | undefined,
  { parsers, send }: PlanRun,
): Promise<SubAnswer> {
  const { service, operation, shape } = fetch;
  try {
    const result = await send(service, { operation, variables, parse: parsers.get(fetch) });
    return readSubAnswer(service, shape, result);
  } catch (error) {
    const { message, extensions } = toGraphQLError(failureOf(service, error));
    return {
      data: null,
      lost: new FieldFailure([{ error: { message, extensions }, below: [] }]),
      unplaced: [],
    };
  }
}

/** Throws what is no failure of the service. */
function failureOf(service: string, error: unknown): GatewayError {
  if (error instanceof GatewayError) return error;
  if (!(error instanceof RangeError)) throw error;
  // Deeper than the stack: what is read of JSON knows no bound.
  return new GatewayError("service_bad_response", "answered with what is nested too deep", {
    service,
    cause: error,
  });
}

/** The objects at a path; lists on the way are walked through. */
function entitiesAt(data: DataObject, path: readonly PathSegment[], types: TypeMembership): DataObject[] {
  const found: DataObject[] = [];
  walk(data, path, 0, types, found);
  return found;
}

function walk(
  value: unknown,
  path: readonly PathSegment[],
  depth: number,
  types: TypeMembership,
  found: DataObject[],
): void {
  const segment = path[depth];
  if (Array.isArray(value)) {
    const next = segment?.kind === "elements" ? depth + 1 : depth;
    for (const element of value) walk(element, path, next, types, found);
  } else if (isObject(value)) {
    if (segment === undefined) found.push(value);
    else if (segment.kind === "field") walk(value[segment.key], path, depth + 1, types, found);
    else if (segment.kind === "types") {
      const name = value["__typename"];
      const fits = typeof name !== "string" || types.isOneOf(name, segment.names);
      if (fits) walk(value, path, depth + 1, types, found);
    }
  }
}

/** The keys that an object of this type was to get. Of an interface object it may be any type that is one. */
function keysFor(keys: KeysByType, typeName: unknown, types: TypeMembership): string[] {
  return keys.flatMap(({ type, keys }) => {
    if (type === null || typeof typeName !== "string") return keys;
    return types.is(typeName, type) || types.is(type, typeName) ? keys : [];
  });
}

/** The same losses seen from a field that is missing as a whole. */
function shallow({ losses }: FieldFailure): FieldFailure {
  return new FieldFailure(losses.map(({ error }) => ({ error, below: [] })));
}

/** The same losses seen from a field that could not be asked for without what was lost. */
function elsewhere({ losses }: FieldFailure): FieldFailure {
  return new FieldFailure(losses.map(({ error }) => ({ error, below: [], elsewhere: true })));
}

function writeVariables(names: readonly string[], values: Readonly<Record<string, unknown>>): string {
  let json = "";
  for (const name of names) {
    const value = Object.hasOwn(values, name) ? JSON.stringify(values[name]) : undefined;
    if (value !== undefined) json += `${json === "" ? "" : ","}${JSON.stringify(name)}:${value}`;
  }
  return json;
}
