import type { PlanStepView } from "@catalyst/rpc";
import type { RequiresSelection } from "@graphql-hive/router-query-planner";
import { parse, print } from "graphql";
import type { EntityBatch, EntityFetch, PathSegment, PlanStep, RootFetch } from "./plan.ts";
import type { Fetches } from "./prepared-operation.ts";

/** What is fetched, as people are shown it; null when nothing is. */
export function viewOf(fetches: Fetches): PlanStepView | null {
  if (fetches.kind === "steps") return optional(fetches.step);
  const { source, joins } = fetches.plan;
  return { kind: "subscription", ...request(source), joins: optional(joins) };
}

function optional(step: PlanStep | null): PlanStepView | null {
  return step === null ? null : viewOfStep(step);
}

function viewOfStep(step: PlanStep): PlanStepView {
  switch (step.kind) {
    case "sequence":
    case "parallel":
      return { kind: step.kind, steps: step.steps.map(viewOfStep) };
    case "root":
      return { kind: "fetch", ...request(step) };
    case "entities":
      return { kind: "entities", ...request(step), batches: step.batches.map(viewOfBatch) };
  }
}

function request({ service, operation, variables }: RootFetch | EntityFetch) {
  return { service, operation: print(parse(operation.query)), variables: [...variables] };
}

function viewOfBatch({ representation, paths }: EntityBatch) {
  return { keys: representation.requires.map(writeKey), paths: paths.map(writePath) };
}

/** `Product { id }` for a selection of fields of a type. */
function writeKey(selection: RequiresSelection): string {
  if (selection.kind === "InlineFragment") {
    return `${selection.typeCondition} ${writeFields(selection.selections)}`;
  }
  if (selection.kind !== "Field") return "";
  const { name, selections = [] } = selection;
  return selections.length === 0 ? name : `${name} ${writeFields(selections)}`;
}

/** The name of its type goes with every key: it tells nothing. */
function writeFields(selections: readonly RequiresSelection[]): string {
  const written = selections.map(writeKey).filter((text) => text !== "__typename" && text !== "");
  return `{ ${written.join(" ")} }`;
}

/** `products.@.(Book|Song).author`. */
function writePath(path: readonly PathSegment[]): string {
  const segments = path.map((segment) => {
    if (segment.kind === "field") return segment.key;
    return segment.kind === "elements" ? "@" : `(${segment.names.join("|")})`;
  });
  return segments.join(".");
}
