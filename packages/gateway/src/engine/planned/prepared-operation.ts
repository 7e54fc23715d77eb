import type { PlanNode } from "@graphql-hive/router-query-planner";
import {
  type DocumentNode,
  type ExecutionResult,
  executeSync,
  type FragmentDefinitionNode,
  type GraphQLError,
  type GraphQLObjectType,
  type GraphQLSchema,
  getVariableValues,
  Kind,
  type OperationDefinitionNode,
  type SelectionNode,
  visit,
} from "graphql";
import { compilePlan, compileSubscription, type PlanStep, type SubscriptionPlan } from "./plan.ts";
import { fragmentsOf, PlannedDocument } from "./planned-document.ts";
import type { SchemaPlanner } from "./planner.ts";
import { type ObjectSelection, selectFrom } from "./selection.ts";

/** Selections kept for the values that variables of `@skip` and `@include` had. */
const maxSelections = 32;

/** What an operation fetches: steps for a query or mutation, a source and its joins for a subscription. */
export type Fetches =
  | { readonly kind: "steps"; readonly step: PlanStep | null }
  | { readonly kind: "subscription"; readonly plan: SubscriptionPlan };

/** The variables of one request: as the client gave them, and which of its conditions hold. */
export type BoundVariables = {
  readonly given: Readonly<Record<string, unknown>>;
  readonly conditions: (variable: string) => boolean;
};

/** One operation of a validated document, ready to run as often as it comes. */
export class PreparedOperation {
  readonly type: OperationDefinitionNode["operation"];
  readonly #schema: GraphQLSchema;
  readonly #document: DocumentNode;
  readonly #operation: OperationDefinitionNode;
  readonly #root: GraphQLObjectType;
  readonly #fragments: ReadonlyMap<string, FragmentDefinitionNode>;
  readonly #planned = new PlannedDocument();
  readonly #conditionVariables: readonly string[];
  readonly #selections = new Map<string, ObjectSelection>();
  readonly #introspects: boolean;
  #introspected: Readonly<Record<string, unknown>> | null = null;
  #fetches: Fetches | null = null;
  #planning: Promise<Fetches> | null = null;

  constructor(
    schema: GraphQLSchema,
    document: DocumentNode,
    operation: OperationDefinitionNode,
    root: GraphQLObjectType,
  ) {
    this.type = operation.operation;
    this.#schema = schema;
    this.#document = document;
    this.#operation = operation;
    this.#root = root;
    this.#fragments = fragmentsOf(document);
    this.#conditionVariables = conditionVariablesOf(document);
    const all = selectFrom(
      this.#parts(() => true),
      root,
      [operation.selectionSet],
    );
    const none = selectFrom(
      this.#parts(() => false),
      root,
      [operation.selectionSet],
    );
    this.#introspects = [...all.fields, ...none.fields].some(({ output }) => output.kind === "introspection");
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

  /** What the operation makes of the root. */
  selection({ conditions }: BoundVariables): ObjectSelection {
    const key = this.#conditionVariables.map((name) => (conditions(name) ? "1" : "0")).join("");
    const known = this.#selections.get(key);
    if (known !== undefined) return known;
    // Kept with its selections by type, which are made later: they must not keep this request's variables.
    const held = new Set(this.#conditionVariables.filter(conditions));
    const selection = selectFrom(
      this.#parts((name) => held.has(name)),
      this.#root,
      [this.#operation.selectionSet],
    );
    if (this.#selections.size >= maxSelections) this.#selections.clear();
    this.#selections.set(key, selection);
    return selection;
  }

  /** Answers what is asked of the schema itself, by response key. */
  introspect({ given }: BoundVariables): Readonly<Record<string, unknown>> {
    if (!this.#introspects) return nothing;
    if (this.#introspected !== null) return this.#introspected;
    const { selectionSet, ...operation } = this.#operation;
    const own = this.#ownFields(selectionSet.selections);
    const definitions = [
      { ...operation, selectionSet: { ...selectionSet, selections: own } },
      ...this.#fragments.values(),
    ];
    const result: ExecutionResult = executeSync({
      schema: this.#schema,
      document: { kind: Kind.DOCUMENT, definitions },
      variableValues: given,
    });
    const answer = result.data ?? nothing;
    if ((operation.variableDefinitions ?? []).length === 0) this.#introspected = answer;
    return answer;
  }

  #ownFields(selections: readonly SelectionNode[]): SelectionNode[] {
    return selections.flatMap((node): SelectionNode[] => {
      if (node.kind === Kind.FIELD) {
        return node.name.value === "__schema" || node.name.value === "__type" ? [node] : [];
      }
      const fragment = node.kind === Kind.INLINE_FRAGMENT ? node : this.#fragments.get(node.name.value);
      if (fragment === undefined) return [];
      const own = this.#ownFields(fragment.selectionSet.selections);
      if (own.length === 0) return [];
      const selectionSet = { ...fragment.selectionSet, selections: own };
      return [{ kind: Kind.INLINE_FRAGMENT, directives: node.directives ?? [], selectionSet }];
    });
  }

  async #plan(planner: SchemaPlanner): Promise<Fetches> {
    const name = this.#operation.name?.value;
    const text = this.#planned.print(this.#document, this.#operation);
    if (text === null) return { kind: "steps", step: null };
    const node = await planner.plan(text, name);
    if (node === null) return { kind: "steps", step: null };
    if (this.type === "subscription") return { kind: "subscription", plan: compileSubscription(node) };
    if (this.type === "mutation" && hasJoins(node)) {
      return { kind: "steps", step: await this.#planSerially(planner) };
    }
    return { kind: "steps", step: compilePlan(node) };
  }

  /** Each field of a mutation is done, with all that is joined to it, before the next one begins. */
  async #planSerially(planner: SchemaPlanner): Promise<PlanStep> {
    const steps: PlanStep[] = [];
    for (const selections of this.#planned.rootGroups(this.#document, this.#operation)) {
      const selectionSet = { kind: Kind.SELECTION_SET, selections } as const;
      const text = this.#planned.print(this.#document, { ...this.#operation, selectionSet });
      const node = text === null ? null : await planner.plan(text, this.#operation.name?.value);
      if (node !== null) steps.push(compilePlan(node));
    }
    return { kind: "sequence", steps };
  }

  #parts(conditions: (variable: string) => boolean) {
    return { schema: this.#schema, fragments: this.#fragments, planned: this.#planned, conditions };
  }
}

const nothing: Readonly<Record<string, unknown>> = {};
const never = () => false;

function hasJoins(node: PlanNode): boolean {
  if (node.kind === "Flatten" || node.kind === "BatchFetch" || node.kind === "Parallel") return true;
  if (node.kind === "Sequence") return node.nodes.some(hasJoins);
  if (node.kind !== "Condition") return false;
  return [node.ifClause, node.elseClause].some(
    (branch) => branch !== null && branch !== undefined && hasJoins(branch),
  );
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
