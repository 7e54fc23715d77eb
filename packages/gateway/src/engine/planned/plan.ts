import type {
  EntityBatchAlias,
  FetchNode,
  FetchRewrite,
  FlattenNode,
  FlattenNodePathSegment,
  PlanNode,
} from "@graphql-hive/router-query-planner";
import { GatewayError } from "../../errors.ts";
import { type SubOperation, subOperation } from "../../upstream/sub-operation.ts";
import { RepresentationWriter } from "./representation.ts";
import { AskedFor, type KeysByType, type SubShape } from "./sub-shape.ts";

/** One step of a planned operation. What the planner says, with what every run needs made once. */
export type PlanStep =
  | { readonly kind: "sequence" | "parallel"; readonly steps: readonly PlanStep[] }
  | RootFetch
  | EntityFetch;

type Fetch = {
  /** Name of the service. */
  readonly service: string;
  readonly operation: SubOperation;
  readonly shape: SubShape;
  /** Variables of the client's operation that are sent along. */
  readonly variables: readonly string[];
};

/** Fields of the root. */
export type RootFetch = Fetch & {
  readonly kind: "root";
  readonly keys: KeysByType;
  readonly rewrites: readonly Rewrite[];
};

/** Fields of entities that earlier steps found, those of several places in one request. */
export type EntityFetch = Fetch & {
  readonly kind: "entities";
  readonly batches: readonly EntityBatch[];
  readonly rewrites: readonly Rewrite[];
};

export type EntityBatch = {
  /** Where the entities stand in the answer: `_entities`, or its alias. */
  readonly answerKey: string;
  /** The variable that holds the representations; batches may share it. */
  readonly variable: string;
  readonly paths: readonly (readonly PathSegment[])[];
  readonly representation: RepresentationWriter;
  readonly outputRewrites: readonly Rewrite[];
  readonly keys: KeysByType;
};

/** A field of each object, every element of each list, or the objects of these types alone. */
export type PathSegment =
  | { readonly kind: "field"; readonly key: string }
  | { readonly kind: "elements" }
  | { readonly kind: "types"; readonly names: readonly string[] };

/** A value that is set, or a key that is renamed, below objects of these types. */
export type Rewrite = {
  readonly path: readonly RewriteSegment[];
  readonly change:
    | { readonly kind: "set"; readonly value: string }
    | { readonly kind: "rename"; readonly to: string };
};
export type RewriteSegment =
  | { readonly kind: "key"; readonly key: string }
  | { readonly kind: "types"; readonly names: readonly string[] };

/** A subscription: what is subscribed to at one service, and what is joined to each event. */
export type SubscriptionPlan = {
  readonly kind: "subscription";
  readonly source: RootFetch;
  readonly joins: PlanStep | null;
};

/** What is done for an operation. */
export type OperationPlan = PlanStep | SubscriptionPlan;

/** Takes over a plan. Throws {@link GatewayError} `schema_invalid` for what no plan of ours can hold. */
export function compilePlan(node: PlanNode): OperationPlan {
  const first = node.kind === "Sequence" ? node.nodes[0] : node;
  return first?.kind === "Subscription" ? compileSubscription(node) : compileStep(node);
}

function compileStep(node: PlanNode): PlanStep {
  switch (node.kind) {
    case "Sequence":
      return { kind: "sequence", steps: node.nodes.map(compileStep) };
    case "Parallel":
      return { kind: "parallel", steps: node.nodes.map(compileStep) };
    case "Fetch":
      return rootFetch(node);
    case "Flatten":
      return flattened(node);
    case "BatchFetch":
      return entityFetch(node, node.entityBatch.aliases);
    default:
      throw unplanned(node.kind);
  }
}

function compileSubscription(node: PlanNode): SubscriptionPlan {
  const [first, ...rest] = node.kind === "Sequence" ? node.nodes : [node];
  if (first?.kind !== "Subscription") throw unplanned(first?.kind ?? "nothing");
  const joins = rest.length === 0 ? null : compileStep({ kind: "Sequence", nodes: rest });
  return { kind: "subscription", source: rootFetch(first.primary), joins };
}

type FetchingNode = Pick<FetchNode, "serviceName" | "operationKind" | "operation" | "variableUsages">;

function fetchOf(node: FetchingNode, { shape }: AskedFor): Fetch {
  const kind = node.operationKind ?? "query";
  return {
    service: node.serviceName,
    operation: subOperation(kind, node.operation),
    shape,
    variables: node.variableUsages ?? [],
  };
}

function rootFetch(node: FetchNode): RootFetch {
  const asked = new AskedFor(node.operation);
  return {
    kind: "root",
    ...fetchOf(node, asked),
    keys: asked.keys(null),
    rewrites: compileRewrites(node.outputRewrites),
  };
}

function entityFetch(node: FetchingNode, aliases: readonly EntityBatchAlias[]): EntityFetch {
  const asked = new AskedFor(node.operation);
  return {
    kind: "entities",
    ...fetchOf(node, asked),
    batches: aliases.map((alias) => batchOf(asked, alias)),
    rewrites: [],
  };
}

function flattened({ path, node }: FlattenNode): EntityFetch {
  if (node.kind !== "Fetch" || node.requires === undefined) throw unplanned(`Flatten of ${node.kind}`);
  const { requires, inputRewrites = [], outputRewrites = [] } = node;
  const [alias, representationsVariableName] = ["_entities", "representations"];
  const batch = { alias, representationsVariableName, paths: [path], requires, inputRewrites };
  const { batches, ...fetch } = entityFetch(node, [batch]);
  // The rewrites of a fetch begin at its answer, those of a batch at its entities.
  const rewrites = compileRewrites(outputRewrites);
  return { ...fetch, batches, rewrites };
}

function batchOf(asked: AskedFor, alias: EntityBatchAlias): EntityBatch {
  const outputRewrites = compileRewrites(alias.outputRewrites);
  return {
    answerKey: alias.alias,
    variable: alias.representationsVariableName,
    paths: alias.paths.map((path) => path.map(compileSegment)),
    representation: representationOf(alias),
    outputRewrites,
    keys: renamed(asked.keys(alias.alias), outputRewrites),
  };
}

/** The keys that entities get in the data. */
function renamed(byType: KeysByType, rewrites: readonly Rewrite[]): KeysByType {
  const names = new Map<string, string>();
  for (const { path, change } of rewrites) {
    const [key, ...others] = path.flatMap((segment) => (segment.kind === "key" ? [segment.key] : []));
    if (change.kind === "rename" && key !== undefined && others.length === 0) names.set(key, change.to);
  }
  if (names.size === 0) return byType;
  return byType.map(({ type, keys }) => ({ type, keys: keys.map((key) => names.get(key) ?? key) }));
}

/**
 * Where the fields of an interface object are wanted of several types, the planner asks for all of them by one of
 * these types alone: they are asked for by the interface instead.
 */
function representationOf({ requires, inputRewrites }: EntityBatchAlias): RepresentationWriter {
  const rewrites = compileRewrites(inputRewrites);
  const named = rewrites.find(({ path, change }) => {
    const last = path.at(-1);
    return change.kind === "set" && last?.kind === "key" && last.key === "__typename";
  });
  if (named?.change.kind !== "set") return new RepresentationWriter(requires, rewrites);
  const typeCondition = named.change.value;
  const widened = requires.map((each) =>
    each.kind === "InlineFragment" ? { ...each, typeCondition } : each,
  );
  return new RepresentationWriter(widened, rewrites);
}

function compileSegment(segment: FlattenNodePathSegment): PathSegment {
  if (segment === "@") return { kind: "elements" };
  if ("Field" in segment) return { kind: "field", key: segment.Field };
  return { kind: "types", names: segment.TypeCondition };
}

function compileRewrites(rewrites: readonly FetchRewrite[] | null | undefined): Rewrite[] {
  return (rewrites ?? []).map((rewrite) => {
    const setter = "ValueSetter" in rewrite ? rewrite.ValueSetter : "setValueTo" in rewrite ? rewrite : null;
    if (setter !== null) {
      return { path: rewritePath(setter.path), change: { kind: "set", value: setter.setValueTo } };
    }
    const { path, renameKeyTo } = (rewrite as Extract<FetchRewrite, { KeyRenamer: unknown }>).KeyRenamer;
    return { path: rewritePath(path), change: { kind: "rename", to: renameKeyTo } };
  });
}

function rewritePath(path: readonly ({ TypenameEquals: string[] } | { Key: string })[]): RewriteSegment[] {
  return path.map((segment) =>
    "Key" in segment
      ? { kind: "key", key: segment.Key }
      : { kind: "types", names: [segment.TypenameEquals].flat() },
  );
}

function unplanned(what: string): GatewayError {
  return new GatewayError("schema_invalid", `the planner answered with a step that is not known: ${what}`);
}
