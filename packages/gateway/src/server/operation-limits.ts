import {
  type DocumentNode,
  type FragmentDefinitionNode,
  GraphQLError,
  Kind,
  type ParseOptions,
  parse,
  type SelectionSetNode,
  type Source,
} from "graphql";
import type { AnswerCode } from "../errors.ts";

export type OperationLimits = {
  /** Names, signs and values of one document. */
  readonly maxTokens: number;
  /** Levels of fields, those of fragments included. */
  readonly maxDepth: number;
};

/** Fields that merge into one: validation compares each with each. */
const maxMerged = 200;
/** Selections with every fragment written out where it is spread. */
const maxSelections = 10_000;

/**
 * Parses a client's document. Refuses, before validation, what an attacker writes in a few bytes to hold the thread
 * up in it: too many tokens, too deep, one field too often, or fragments that multiply. Throws a GraphQLError with
 * `GRAPHQL_PARSE_FAILED`, `OPERATION_TOO_DEEP` or `OPERATION_TOO_LARGE`.
 */
export function parseWithin(
  limits: OperationLimits,
  source: string | Source,
  options?: ParseOptions,
): DocumentNode {
  const { maxTokens } = limits;
  try {
    const document = parse(source, { ...options, maxTokens });
    checkSelections(document, limits.maxDepth);
    return document;
  } catch (error) {
    // Brackets nested deeper than the parser's stack.
    if (error instanceof RangeError)
      throw refusal("GRAPHQL_PARSE_FAILED", "The document is nested too deep.");
    throw error;
  }
}

type Walk = {
  readonly fragments: ReadonlyMap<string, FragmentDefinitionNode>;
  readonly maxDepth: number;
  selections: number;
};

function checkSelections(document: DocumentNode, maxDepth: number): void {
  const fragments = new Map<string, FragmentDefinitionNode>();
  for (const node of document.definitions) {
    if (node.kind === Kind.FRAGMENT_DEFINITION) fragments.set(node.name.value, node);
  }
  const walk: Walk = { fragments, maxDepth, selections: 0 };
  for (const node of document.definitions) {
    if ("selectionSet" in node && node.selectionSet !== undefined) checkLevel(walk, [node.selectionSet], 1);
  }
}

/** Checks the fields that stand at one path of the answer, and then what is below them. */
function checkLevel(walk: Walk, sets: readonly SelectionSetNode[], depth: number): void {
  if (depth > walk.maxDepth) {
    const message = `The operation is nested deeper than ${walk.maxDepth} levels, fragments included.`;
    throw refusal("OPERATION_TOO_DEEP", message);
  }
  for (const [name, { count, below }] of mergedFields(walk, sets)) {
    if (count > maxMerged) {
      throw refusal("OPERATION_TOO_LARGE", `The operation selects "${name}" more than ${maxMerged} times.`);
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
    walk.selections += set.selections.length;
    if (walk.selections > maxSelections) {
      const message = `The operation has more than ${maxSelections} selections with its fragments written out.`;
      throw refusal("OPERATION_TOO_LARGE", message);
    }
    for (const node of set.selections) {
      if (node.kind === Kind.FIELD) {
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

function refusal(code: AnswerCode | "GRAPHQL_PARSE_FAILED", message: string): GraphQLError {
  return new GraphQLError(message, { extensions: { code } });
}
