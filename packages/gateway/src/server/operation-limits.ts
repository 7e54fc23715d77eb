import {
  type DirectiveNode,
  type DocumentNode,
  type FragmentDefinitionNode,
  GraphQLError,
  Kind,
  parse,
  type SelectionSetNode,
} from "graphql";
import { type RefusalCode, refusalError } from "./refusal.ts";

/** Of one document; of the last four, of each operation and fragment with its fragments written out. */
export type OperationLimits = {
  /** Names, signs and values. */
  readonly maxTokens: number;
  /** Levels of fields. */
  readonly maxDepth: number;
  /** Fields with an alias. */
  readonly maxAliases: number;
  /** Fields of the root of an operation, by their names in the answer. */
  readonly maxRootFields: number;
  readonly maxDirectives: number;
};

/** Fields that merge into one: validation compares each with each. */
const maxMerged = 200;
/** Selections with every fragment written out where it is spread. */
const maxSelections = 10_000;

/**
 * Parses a client's document. Refuses, before validation, what an attacker writes in a few bytes to hold the thread
 * up in it: too many tokens, too deep, one field too often, aliases, directives, or fragments that multiply. Throws a
 * GraphQLError with `GRAPHQL_PARSE_FAILED`, `OPERATION_TOO_DEEP`, `OPERATION_TOO_LARGE` or `TOO_MANY_…`.
 */
export function parseWithin(limits: OperationLimits, source: string): DocumentNode {
  try {
    const document = parse(source, { maxTokens: limits.maxTokens });
    checkSelections(document, limits);
    return document;
  } catch (error) {
    // Brackets nested deeper than the parser's stack.
    if (error instanceof RangeError) throw parseFailure("The document is nested too deep.");
    if (!(error instanceof GraphQLError)) throw error;
    if ("code" in error.extensions) throw error;
    const { message, source: of, positions } = error;
    throw new GraphQLError(message, { source: of, positions, extensions: { code: parseFailed } });
  }
}

const parseFailed: RefusalCode = "GRAPHQL_PARSE_FAILED";

function parseFailure(message: string): GraphQLError {
  return refusalError(parseFailed, message);
}

type Walk = {
  readonly fragments: ReadonlyMap<string, FragmentDefinitionNode>;
  readonly limits: OperationLimits;
  /** Of all definitions together. */
  selections: number;
  /** Of this definition. */
  aliases: number;
  directives: number;
  /** Whether its first level is the root: of an operation it is, of a fragment it need not be. */
  operation: boolean;
};

function checkSelections(document: DocumentNode, limits: OperationLimits): void {
  const fragments = new Map<string, FragmentDefinitionNode>();
  for (const node of document.definitions) {
    if (node.kind === Kind.FRAGMENT_DEFINITION) fragments.set(node.name.value, node);
  }
  const walk: Walk = { fragments, limits, selections: 0, aliases: 0, directives: 0, operation: false };
  for (const node of document.definitions) {
    walk.aliases = 0;
    walk.directives = 0;
    walk.operation = node.kind === Kind.OPERATION_DEFINITION;
    countDirectives(walk, "directives" in node ? node.directives : undefined);
    if (node.kind === Kind.OPERATION_DEFINITION) {
      for (const { directives } of node.variableDefinitions ?? []) countDirectives(walk, directives);
    }
    if ("selectionSet" in node && node.selectionSet !== undefined) checkLevel(walk, [node.selectionSet], 1);
  }
}

/** Checks the fields that stand at one path of the answer, and then what is below them. */
function checkLevel(walk: Walk, sets: readonly SelectionSetNode[], depth: number): void {
  const { maxDepth, maxRootFields } = walk.limits;
  if (depth > maxDepth) {
    const message = `The operation is nested deeper than ${maxDepth} levels, fragments included: ask for fewer at a time.`;
    throw refusalError("OPERATION_TOO_DEEP", message);
  }
  const fields = mergedFields(walk, sets);
  if (walk.operation && depth === 1 && fields.size > maxRootFields) {
    const message = `The operation asks for more than ${maxRootFields} fields of the root: split it into several.`;
    throw refusalError("TOO_MANY_ROOT_FIELDS", message);
  }
  for (const [name, { count, below }] of fields) {
    if (count > maxMerged) {
      const message = `The operation selects "${name}" more than ${maxMerged} times: select it once.`;
      throw refusalError("OPERATION_TOO_LARGE", message);
    }
    if (below.length > 0) checkLevel(walk, below, depth + 1);
  }
}

type MergedField = { count: number; readonly below: SelectionSetNode[] };

/** The fields of these selection sets and of their fragments, by their names in the answer. */
function mergedFields(walk: Walk, sets: readonly SelectionSetNode[]): Map<string, MergedField> {
  const fields = new Map<string, MergedField>();
  const spread = new Set<string>();
  const open = [...sets];
  for (let set = open.pop(); set !== undefined; set = open.pop()) {
    countSelections(walk, set.selections.length);
    for (const node of set.selections) {
      countDirectives(walk, node.directives);
      if (node.kind === Kind.FIELD) {
        if (node.alias !== undefined) countAlias(walk);
        const name = (node.alias ?? node.name).value;
        const field = fields.get(name) ?? { count: 0, below: [] };
        field.count += 1;
        if (node.selectionSet !== undefined) field.below.push(node.selectionSet);
        fields.set(name, field);
      } else if (node.kind === Kind.INLINE_FRAGMENT) {
        open.push(node.selectionSet);
      } else if (!spread.has(node.name.value)) {
        spread.add(node.name.value);
        const fragment = walk.fragments.get(node.name.value);
        if (fragment !== undefined) open.push(fragment.selectionSet);
      }
    }
  }
  return fields;
}

function countSelections(walk: Walk, count: number): void {
  walk.selections += count;
  if (walk.selections <= maxSelections) return;
  const message = `The operation has more than ${maxSelections} selections with its fragments written out: split it.`;
  throw refusalError("OPERATION_TOO_LARGE", message);
}

function countAlias(walk: Walk): void {
  const { maxAliases } = walk.limits;
  walk.aliases += 1;
  if (walk.aliases <= maxAliases) return;
  const message = `The operation has more than ${maxAliases} aliases, fragments included: split it into several.`;
  throw refusalError("TOO_MANY_ALIASES", message);
}

function countDirectives(walk: Walk, directives: readonly DirectiveNode[] | undefined): void {
  const { maxDirectives } = walk.limits;
  walk.directives += directives?.length ?? 0;
  if (walk.directives <= maxDirectives) return;
  const message = `The operation has more than ${maxDirectives} directives, fragments included: leave some out.`;
  throw refusalError("TOO_MANY_DIRECTIVES", message);
}
