import type {
  BatchFetchNode,
  EntityBatchAlias,
  FetchNode,
  OutputRewrite,
  PlanNode,
  RequiresSelection,
} from "@graphql-hive/router-query-planner";
import { getOperationAST, type OperationDefinitionNode, parse, print } from "graphql";
import { PlanFailure } from "../plan-failure.ts";
import { EntrySearch } from "./entry-search.ts";
import { FederatedSchema } from "./federated-schema.ts";
import type { EntityInput, FetchGroup } from "./fetch-group.ts";
import { order, type Request, requestsOf } from "./fetch-order.ts";
import { readSelection, type Selection } from "./field-selection.ts";
import { OperationText } from "./operation-text.ts";
import { Planning } from "./planning.ts";
import { ResponseShapes } from "./response-shapes.ts";
import { selectFromRoots } from "./root-fields.ts";

/**
 * Plans operations over federated services. Each field is taken from a service that is asked anyway where that can
 * be, and from the nearest one else.
 */
export class QueryPlanner {
  readonly #schema: FederatedSchema;
  readonly #search: EntrySearch;

  constructor(supergraphSdl: string) {
    this.#schema = new FederatedSchema(supergraphSdl);
    this.#search = new EntrySearch(this.#schema);
  }

  /**
   * Plans one operation of a document without named fragments, `@skip`, `@include` and introspection; null when there
   * is nothing to fetch. Throws {@link PlanFailure} for what nobody can be asked for, or what is too much.
   */
  plan(query: string, operationName?: string): PlanNode | null {
    const operation = getOperationAST(parse(query, { noLocation: true }), operationName);
    if (operation === null || operation === undefined) throw new PlanFailure("there is no such operation");
    const planning = new Planning(this.#schema, this.#search);
    const left = selectFromRoots(planning, operation.operation, readSelection(operation.selectionSet));
    if (left !== null) throw new PlanFailure(`no service has ${namesOf(left)}`);
    return new PlanText(operation, this.#schema).write(planning.groups);
  }
}

function namesOf({ fields, fragments }: Selection): string {
  const own = fields.map(({ name, below }) => (below === null ? name : `${name} { ${namesOf(below)} }`));
  return [...own, ...fragments.map((each) => `... on ${each.type} { ${namesOf(each.selection)} }`)].join(" ");
}

/** Writes the fetches of an operation as a plan. */
class PlanText {
  readonly #operation: OperationDefinitionNode;
  readonly #schema: FederatedSchema;
  readonly #definitions: ReadonlyMap<string, string>;

  constructor(operation: OperationDefinitionNode, schema: FederatedSchema) {
    this.#operation = operation;
    this.#schema = schema;
    this.#definitions = new Map(
      (operation.variableDefinitions ?? []).map((node) => [node.variable.name.value, print(node)]),
    );
  }

  write(groups: readonly FetchGroup[]): PlanNode | null {
    const requests = requestsOf(groups);
    const roots = requests.filter(({ groups: [first] }) => first?.entities === null);
    const joins = requests.filter((request) => !roots.includes(request));
    const write = (request: Request) => this.#request(request);
    if (this.#operation.operation === "query") return order(requests, write);
    // Mutations run one after the other; an event comes before all that is joined to it.
    const nodes = roots.map((request) => this.#first(request));
    const rest = order(joins, write);
    if (rest !== null) nodes.push(rest);
    const [only] = nodes;
    return nodes.length < 2 ? (only ?? null) : { kind: "Sequence", nodes };
  }

  #first(request: Request): PlanNode {
    const primary = this.#request(request);
    const isEvent = this.#operation.operation === "subscription" && primary.kind === "Fetch";
    return isEvent ? { kind: "Subscription", primary } : primary;
  }

  #request({ groups }: Request): FetchNode | BatchFetchNode {
    const [first] = groups;
    if (first === undefined || first.entities === null) return this.#root(first);
    return this.#entities(first.service, groups);
  }

  #root(group: FetchGroup | undefined): FetchNode {
    if (group === undefined) throw new PlanFailure("a request asks for nothing");
    const text = new OperationText();
    const shapes = new ResponseShapes(group.branch);
    const selection = text.selection(group.branch, shapes);
    const { operation: operationKind } = this.#operation;
    const variableUsages = [...text.variables];
    const head = this.#head(operationKind, variableUsages, []);
    return {
      kind: "Fetch",
      serviceName: group.service,
      operationKind,
      operation: `${head}${selection}`,
      variableUsages,
      outputRewrites: rewritesOf(shapes),
    };
  }

  #entities(service: string, groups: readonly FetchGroup[]): BatchFetchNode {
    const text = new OperationText();
    const batches = new Map<string, EntityBatchAlias>();
    const selections: string[] = [];
    const own: string[] = [];
    for (const { entities, branch } of groups) {
      if (entities === null) continue;
      const shapes = new ResponseShapes(branch);
      const selection = `... on ${entities.type} ${text.selection(branch, shapes)}`;
      const id = JSON.stringify([selection, entities.fieldSets.map((each) => each.text)]);
      const known = batches.get(id);
      if (known !== undefined) {
        known.paths.push([...entities.path]);
        continue;
      }
      const variable = this.#freeName(`representations${own.length === 0 ? "" : own.length}`);
      const alias = groups.length === 1 ? "_entities" : `_e${own.length}`;
      const field = alias === "_entities" ? alias : `${alias}: _entities`;
      own.push(`$${variable}: [_Any!]!`);
      selections.push(`${field}(representations: $${variable}) { ${selection} }`);
      const isInterface = this.#schema.type(entities.type)?.isAbstract === true;
      const batch = batchOf(alias, variable, entities, isInterface);
      batches.set(id, { ...batch, outputRewrites: rewritesOf(shapes) });
    }
    const variableUsages = [...text.variables];
    return {
      kind: "BatchFetch",
      serviceName: service,
      operationKind: "query",
      operation: `${this.#head("query", variableUsages, own)}{ ${selections.join(" ")} }`,
      variableUsages,
      entityBatch: { aliases: [...batches.values()] },
    };
  }

  #head(kind: string, variables: readonly string[], own: readonly string[]): string {
    const definitions = [...own, ...variables.flatMap((name) => this.#definitions.get(name) ?? [])];
    if (definitions.length > 0) return `${kind} (${definitions.join(", ")}) `;
    return kind === "query" ? "" : `${kind} `;
  }

  #freeName(name: string): string {
    return this.#definitions.has(name) ? this.#freeName(`${name}_`) : name;
  }
}

function batchOf(
  alias: string,
  variable: string,
  { path, type, fieldSets }: EntityInput,
  isInterface: boolean,
): EntityBatchAlias {
  const required = requirementsOf(fieldSets.map(({ selection }) => selection));
  const selections: RequiresSelection[] = [{ kind: "Field", name: "__typename" }, ...required];
  return {
    alias,
    representationsVariableName: variable,
    paths: [[...path]],
    requires: [{ kind: "InlineFragment", typeCondition: type, selections }],
    // A service that knows them as an interface alone must be told of that and of none of its types.
    ...(isInterface
      ? { inputRewrites: [{ ValueSetter: { path: [{ Key: "__typename" }], setValueTo: type } }] }
      : {}),
  };
}

function rewritesOf({ renamed }: ResponseShapes): OutputRewrite[] {
  return renamed.map(({ path, to }) => ({
    KeyRenamer: { path: path.map((Key) => ({ Key })), renameKeyTo: to },
  }));
}

/** All that the selections hold, each field once. */
function requirementsOf(selections: readonly Selection[]): RequiresSelection[] {
  const fields = Map.groupBy(
    selections.flatMap((selection) => selection.fields),
    ({ key }) => key,
  );
  const own = [...fields].map(([key, [first, ...others]]): RequiresSelection => {
    const { name = key } = first ?? {};
    const named = key === name ? { name } : { name: key, alias: name };
    const below = [first, ...others].flatMap((field) => field?.below ?? []);
    return { kind: "Field", ...named, ...(below.length === 0 ? {} : { selections: requirementsOf(below) }) };
  });
  const typed = selections.flatMap(({ fragments }) =>
    fragments.map(
      ({ type, selection }): RequiresSelection => ({
        kind: "InlineFragment",
        typeCondition: type,
        selections: requirementsOf([selection]),
      }),
    ),
  );
  return [...own, ...typed];
}
