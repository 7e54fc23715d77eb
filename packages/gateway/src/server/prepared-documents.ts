import {
  type DocumentNode,
  type FragmentDefinitionNode,
  GraphQLError,
  type GraphQLSchema,
  Kind,
  NoSchemaIntrospectionCustomRule,
  type OperationTypeNode,
  specifiedRules,
  validate,
} from "graphql";
import type { Generation } from "../generation.ts";
import { LruCache } from "../lru-cache.ts";
import { estimateCost, type OperationCost } from "./operation-cost.ts";
import { type OperationLimits, parseWithin } from "./operation-limits.ts";
import type { RefusalCode } from "./refusal.ts";

export type PreparationOptions = OperationLimits & {
  readonly introspection: boolean;
  readonly assumedListSize: number;
};

/** One operation of a document, as far as the server has to know it. */
export type PreparedOperation = {
  readonly name: string | null;
  readonly type: `${OperationTypeNode}`;
  readonly cost: OperationCost;
};

/** A client's document that is within the limits, and what one schema says of it. */
export type PreparedDocument = {
  readonly document: DocumentNode;
  /** Number of the schema's generation: the schema itself would stay in memory as long as the document. */
  readonly generation: number;
  /** Why it cannot be executed with this schema; empty when it can. */
  readonly errors: readonly GraphQLError[];
  readonly operations: readonly PreparedOperation[];
};

type Numbered = Pick<Generation, "number" | "compiled">;

/** Memory for prepared documents, about a thousand ordinary ones; none takes more than a sixteenth of it. */
const maxBytes = 64 * 1024 * 1024;
/** Measured: a token of a parsed document, with its share of the tree and of what validation found. */
const bytesPerToken = 400;
/** What a document costs besides its tokens. */
const bytesPerDocument = 1_024;

const codeOfInvalid: RefusalCode = "GRAPHQL_VALIDATION_FAILED";

/**
 * Prepares documents: each is parsed once, and validated once for each schema, as long as the cache has room. What
 * they take there is many times their sources, and what a client writes decides how many times.
 */
export class PreparedDocuments {
  readonly #options: PreparationOptions;
  readonly #cache = new LruCache<string, PreparedDocument>({ maxBytes, maxEntryBytes: maxBytes / 16 });

  constructor(options: PreparationOptions) {
    this.#options = options;
  }

  /** Throws a GraphQLError for what cannot be parsed, or is beyond the limits. */
  prepare(source: string, { number, compiled }: Numbered): PreparedDocument {
    const known = this.#cache.get(source);
    if (known?.generation === number) return known;
    // What cannot be parsed costs little to refuse again.
    const document = known?.document ?? parseWithin(this.#options, source);
    const prepared = { document, generation: number, ...this.#check(document, compiled.schema) };
    this.#cache.set(source, prepared, memoryOf(document, source));
    return prepared;
  }

  /** Why a document that was prepared for another schema cannot be executed with this one. */
  validate(document: DocumentNode, schema: GraphQLSchema): readonly GraphQLError[] {
    const { introspection } = this.#options;
    const rules = introspection ? specifiedRules : allRules;
    const errors = [...withoutRoot(document, schema), ...validate(schema, document, rules)].map(coded);
    return introspection ? errors : errors.map(withoutSuggestion);
  }

  #check(document: DocumentNode, schema: GraphQLSchema): Pick<PreparedDocument, "errors" | "operations"> {
    const errors = this.validate(document, schema);
    if (errors.length > 0) return { errors, operations: [] };
    const fragments = new Map<string, FragmentDefinitionNode>();
    for (const node of document.definitions) {
      if (node.kind === Kind.FRAGMENT_DEFINITION) fragments.set(node.name.value, node);
    }
    const operations = document.definitions.flatMap((node): PreparedOperation[] => {
      if (node.kind !== Kind.OPERATION_DEFINITION) return [];
      const cost = estimateCost(schema, node, fragments, this.#options.assumedListSize);
      return [{ name: node.name?.value ?? null, type: node.operation, cost }];
    });
    return { errors, operations };
  }
}

function memoryOf(document: DocumentNode, source: string): number {
  return bytesPerDocument + 2 * source.length + bytesPerToken * countTokens(document);
}

/** All tokens, comments included: a document keeps them for the places of its errors. */
function countTokens({ loc }: DocumentNode): number {
  let count = 0;
  for (let token = loc?.startToken ?? null; token !== null; token = token.next) count += 1;
  return count;
}

const allRules = [...specifiedRules, NoSchemaIntrospectionCustomRule];

/** Operations of a kind that the schema has no type for; the rules of the language leave these to execution. */
function withoutRoot(document: DocumentNode, schema: GraphQLSchema): GraphQLError[] {
  return document.definitions.flatMap((node) => {
    if (node.kind !== Kind.OPERATION_DEFINITION || schema.getRootType(node.operation)) return [];
    const type = `${node.operation.charAt(0).toUpperCase()}${node.operation.slice(1)}`;
    return [new GraphQLError(`Unknown type "${type}".`, { nodes: node })];
  });
}

function coded({ message, nodes, extensions }: GraphQLError): GraphQLError {
  return new GraphQLError(message, {
    nodes: nodes ?? null,
    extensions: { code: codeOfInvalid, ...extensions },
  });
}

/** Where introspection is refused, guesses would tell the schema's names one by one. */
function withoutSuggestion({ message, nodes, extensions }: GraphQLError): GraphQLError {
  return new GraphQLError(message.replace(/ Did you mean .*$/s, ""), { nodes: nodes ?? null, extensions });
}
