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
import { DocumentCache } from "./document-cache.ts";
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

/** Memory for prepared documents: about a thousand ordinary ones. */
const cacheBytes = 64 * 1024 * 1024;

const codeOfInvalid: RefusalCode = "GRAPHQL_VALIDATION_FAILED";

/** Prepares documents: each is parsed once, and validated once for each schema, as long as the cache has room. */
export class PreparedDocuments {
  readonly #options: PreparationOptions;
  readonly #cache = new DocumentCache<PreparedDocument>(cacheBytes);

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
    this.#cache.set(source, prepared);
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
