import type { RequiresSelection } from "@graphql-hive/router-query-planner";
import type { EntityFetch, OperationPlan, PathSegment, PlanStep, Rewrite, RootFetch } from "./plan.ts";
import type { SubShape } from "./sub-shape.ts";

/** What is known at one place of the data when a step begins. */
type Known = Map<string, Known>;

/** Whether all that services are to be told of entities was asked for before. */
export function knowsItsKeys(plan: OperationPlan): boolean {
  const root: Known = new Map();
  if (plan.kind !== "subscription") return isKnown(plan, root);
  add(root, plan.source.shape, renamedBy(plan.source));
  return plan.joins === null || isKnown(plan.joins, root);
}

function isKnown(step: PlanStep, root: Known): boolean {
  switch (step.kind) {
    case "root":
      add(root, step.shape, renamedBy(step));
      return true;
    case "entities":
      return isAskedByKnown(step, root);
    default:
      return step.steps.every((each) => isKnown(each, root));
  }
}

function isAskedByKnown(fetch: EntityFetch, root: Known): boolean {
  const renamed = renamedBy(fetch);
  for (const { paths, representation, answerKey } of fetch.batches) {
    for (const path of paths) {
      const place = placeAt(root, path);
      if (!has(place, representation.requires)) return false;
      add(place, fetch.shape.get(answerKey) ?? new Map(), renamed);
    }
  }
  return true;
}

function placeAt(root: Known, path: readonly PathSegment[]): Known {
  let place = root;
  for (const segment of path) if (segment.kind === "field") place = below(place, segment.key);
  return place;
}

function below(place: Known, key: string): Known {
  const known = place.get(key);
  if (known !== undefined) return known;
  const made: Known = new Map();
  place.set(key, made);
  return made;
}

function has(place: Known, requires: readonly RequiresSelection[]): boolean {
  return requires.every((selection) => {
    if (selection.kind === "InlineFragment") return has(place, selection.selections);
    if (selection.kind !== "Field" || selection.name === "__typename") return true;
    const inner = place.get(selection.name);
    return inner !== undefined && has(inner, selection.selections ?? []);
  });
}

/** By the keys under which fields are asked for, the keys that they get in the data. */
function renamedBy({ rewrites, ...fetch }: RootFetch | EntityFetch): ReadonlyMap<string, string> {
  const batches = fetch.kind === "entities" ? fetch.batches : [];
  const all: readonly Rewrite[] = [...rewrites, ...batches.flatMap((batch) => batch.outputRewrites)];
  const renamed = new Map<string, string>();
  for (const { path, change } of all) {
    const last = path.at(-1);
    if (change.kind === "rename" && last?.kind === "key") renamed.set(last.key, change.to);
  }
  return renamed;
}

function add(place: Known, shape: SubShape, renamed: ReadonlyMap<string, string>): void {
  for (const [key, inner] of shape) {
    const known = below(place, renamed.get(key) ?? key);
    if (inner !== null) add(known, inner, renamed);
  }
}
