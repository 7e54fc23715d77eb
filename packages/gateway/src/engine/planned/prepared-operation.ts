import {
  type DocumentNode,
  type ExecutionResult,
  executeSync,
  type FieldNode,
  type GraphQLError,
  type GraphQLObjectType,
  type GraphQLSchema,
  getVariableValues,
  Kind,
  type OperationDefinitionNode,
  type SelectionNode,
  visit,
} from "graphql";
import type { AnswerParse } from "./answer-parser.ts";
import type { SchemaPlanner } from "./operation-planner.ts";
import { findPassages } from "./passages.ts";
import type { PlanStep, SubscriptionPlan } from "./plan.ts";
import { type Conditions, isIncluded, PlannedDocument } from "./planned-document.ts";
import { type ObjectSelection, type SelectionParts, selectFrom } from "./selection.ts";
import type { VariantCache } from "./variant-cache.ts";

/** What an operation fetches: steps for a query or mutation, a source and its joins for a subscription. */
export type Fetches =
  | {
      readonly kind: "steps";
      readonly step: PlanStep | null;
      /** How the answers of its fetches are parsed. */
      readonly parsers: ReadonlyMap<PlanStep, AnswerParse>;
    }
  | { readonly kind: "subscription"; readonly plan: SubscriptionPlan };

/** The variables of one request: as the client gave them, and which of its conditions hold. */
export type BoundVariables = {
  readonly given: Readonly<Record<string, unknown>>;
  readonly conditions: Conditions;
};

/** One operation of a validated document, ready to run as often as it comes. */
export class PreparedOperation {
  readonly #schema: GraphQLSchema;
  readonly #operation: OperationDefinitionNode;
  readonly #root: GraphQLObjectType;
  readonly #planned: PlannedDocument;
  readonly #conditionVariables: readonly string[];
  readonly #variants = new Map<string, OperationVariant>();
  readonly #kept: VariantCache;

  constructor(
    schema: GraphQLSchema,
    document: DocumentNode,
    operation: OperationDefinitionNode,
    root: GraphQLObjectType,
    kept: VariantCache,
    neverPlain: ReadonlySet<string>,
  ) {
    this.#kept = kept;
    this.#schema = schema;
    this.#operation = operation;
    this.#root = root;
    this.#planned = new PlannedDocument(schema, document, neverPlain);
    this.#conditionVariables = conditionVariablesOf(document);
  }

  /** Reads a request's variables (GraphQL, "Coercing Variable Values"); the errors when they do not fit. */
  bind(given: Readonly<Record<string, unknown>> = {}): BoundVariables | readonly GraphQLError[] {
    const { variableDefinitions = [] } = this.#operation;
    if (variableDefinitions.length === 0) return { given: {}, conditions: never };
    const { coerced, errors } = getVariableValues(this.#schema, variableDefinitions, given, {
      maxErrors: 50,
    });
    if (errors !== undefined) return errors;
    return { given, conditions: (variable) => coerced[variable] === true };
  }

  /** For a person who gives no variables: conditions hold by the defaults of theirs. */
  unbound(): BoundVariables {
    const { variableDefinitions = [] } = this.#operation;
    const held = variableDefinitions.filter(
      ({ defaultValue }) => defaultValue?.kind === Kind.BOOLEAN && defaultValue.value,
    );
    const names = new Set(held.map(({ variable }) => variable.name.value));
    return { given: {}, conditions: (variable) => names.has(variable) };
  }

  /** The variables that decide over `@skip` and `@include`, and whether they are true. */
  conditions({ conditions }: BoundVariables): { variable: string; holds: boolean }[] {
    return this.#conditionVariables.map((variable) => ({ variable, holds: conditions(variable) }));
  }

  /** The operation as the conditions of one request make it. */
  variant({ conditions }: BoundVariables): OperationVariant {
    const key = this.#conditionVariables.map((name) => (conditions(name) ? "1" : "0")).join("");
    const known = this.#variants.get(key);
    if (known !== undefined) {
      this.#kept.use(known);
      return known;
    }
    // What is kept must not keep this request's variables.
    const held = new Set(this.#conditionVariables.filter(conditions));
    const variant = new OperationVariant(
      { schema: this.#schema, planned: this.#planned, conditions: (name) => held.has(name) },
      this.#operation,
      this.#root,
      this.#kept,
      () => this.#variants.delete(key),
    );
    this.#variants.set(key, variant);
    this.#kept.add(variant);
    return variant;
  }
}

/** An operation in which nothing is left to `@skip` and `@include`. */
export class OperationVariant {
  /** What the operation makes of the root. */
  readonly selection: ObjectSelection;
  readonly #parts: SelectionParts;
  readonly #operation: OperationDefinitionNode;
  readonly #introspects: boolean;
  readonly #kept: VariantCache;
  /** Called when its place is needed. */
  readonly drop: () => void;
  readonly reference = new WeakRef(this);
  /** Estimate of the bytes that it takes. */
  weight = weightOf("");
  #introspected: Readonly<Record<string, unknown>> | null = null;
  #fetches: Fetches | null = null;
  #planning: Promise<Fetches> | null = null;

  constructor(
    parts: SelectionParts,
    operation: OperationDefinitionNode,
    root: GraphQLObjectType,
    kept: VariantCache,
    drop: () => void,
  ) {
    this.#kept = kept;
    this.drop = drop;
    this.#parts = parts;
    this.#operation = operation;
    this.selection = selectFrom(parts, root, [operation.selectionSet]);
    this.#introspects = this.selection.fields.some(({ output }) => output.kind === "introspection");
  }

  /** What is to be fetched. Planned once; rejects with what the planner rejects with, and is then planned anew. */
  fetches(planner: SchemaPlanner): Fetches | Promise<Fetches> {
    if (this.#fetches !== null) return this.#fetches;
    this.#planning ??= this.#plan(planner).then(
      (fetches) => {
        this.#fetches = fetches;
        return fetches;
      },
      (error) => {
        this.#planning = null;
        throw error;
      },
    );
    return this.#planning;
  }

  /** Answers what is asked of the schema itself, by response key. */
  introspect({ given }: BoundVariables): Readonly<Record<string, unknown>> {
    if (!this.#introspects) return nothing;
    if (this.#introspected !== null) return this.#introspected;
    const { selectionSet, ...operation } = this.#operation;
    const own = this.#ownFields(selectionSet.selections);
    const definitions = [
      { ...operation, selectionSet: { ...selectionSet, selections: own } },
      ...this.#parts.planned.fragments.values(),
    ];
    const result: ExecutionResult = executeSync({
      schema: this.#parts.schema,
      document: { kind: Kind.DOCUMENT, definitions },
      variableValues: given,
    });
    const answer = result.data ?? nothing;
    if ((operation.variableDefinitions ?? []).length === 0) this.#introspected = answer;
    return answer;
  }

  #ownFields(selections: readonly SelectionNode[], spread: Set<string> = new Set()): FieldNode[] {
    const { planned, conditions } = this.#parts;
    return selections.flatMap((node): FieldNode[] => {
      if (!isIncluded(node.directives, conditions)) return [];
      if (node.kind === Kind.FIELD) {
        return node.name.value === "__schema" || node.name.value === "__type" ? [node] : [];
      }
      const set = planned.selectionsOf(node, spread);
      return set === null ? [] : this.#ownFields(set.selections, spread);
    });
  }

  async #plan(planner: SchemaPlanner): Promise<Fetches> {
    const { planned, conditions } = this.#parts;
    const text = planned.print(this.#operation, conditions);
    if (text === null) return this.#steps(null);
    this.weight = weightOf(text);
    this.#kept.weigh(this);
    const plan = await planner.plan(text, this.#operation.name?.value);
    if (plan?.kind === "subscription") return { kind: "subscription", plan };
    const apart = this.#operation.operation === "mutation" && plan !== null && hasJoins(plan);
    return this.#steps(apart ? await this.#planFields(planner) : plan);
  }

  #steps(step: PlanStep | null): Fetches {
    return { kind: "steps", step, parsers: step === null ? new Map() : findPassages(step, this.selection) };
  }

  /** Each field of a mutation is done, with all that is joined to it, before the next one begins. */
  async #planFields(planner: SchemaPlanner): Promise<PlanStep> {
    const { planned, conditions } = this.#parts;
    const groups = new Map<string, FieldNode[]>();
    for (const field of planned.rootFields(this.#operation.selectionSet, conditions)) {
      const key = (field.alias ?? field.name).value;
      groups.set(key, [...(groups.get(key) ?? []), field]);
    }
    const steps: PlanStep[] = [];
    for (const fields of groups.values()) {
      const text = planned.printFields(this.#operation, fields, conditions);
      const plan = await planner.plan(text, this.#operation.name?.value);
      if (plan !== null && plan.kind !== "subscription") steps.push(plan);
    }
    return { kind: "sequence", steps };
  }
}

/** Measured: a plan and its selection take so many bytes for each character of the operation as it is planned. */
function weightOf(text: string): number {
  return 4_096 + 200 * text.length;
}

const nothing: Readonly<Record<string, unknown>> = {};
const never = () => false;

function hasJoins(step: PlanStep): boolean {
  if (step.kind === "root") return false;

  return step.kind !== "sequence" || step.steps.some(hasJoins);
}

function conditionVariablesOf(document: DocumentNode): string[] {
  const names = new Set<string>();
  visit(document, {
    Directive({ name, arguments: args }) {
      if (name.value !== "skip" && name.value !== "include") return;
      for (const { value } of args ?? []) if (value.kind === Kind.VARIABLE) names.add(value.name.value);
    },
  });
  return [...names];
}
