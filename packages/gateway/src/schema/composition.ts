import { composeServices, validateSubgraph } from "@theguild/federation-composition";
import {
  buildASTSchema,
  buildSchema,
  type DocumentNode,
  type GraphQLError,
  type GraphQLSchema,
  isExecutableDefinitionNode,
  Kind,
  lexicographicSortSchema,
  parse,
  printSchema,
  validateSchema,
} from "graphql";
import type { EngineInput } from "../engine/engine.ts";
import { GatewayError } from "../errors.ts";
import type { SchemaInput, ServiceSchema } from "../service.ts";
import { findConflicts, type OwnedSchema } from "./conflicts.ts";
import type { Fault } from "./culprits.ts";
import { asSubgraph } from "./plain-subgraph.ts";

/** Tokens of one schema; bounds the parser's work on what a service sends. */
const maxTokens = 500_000;

type ReadSchema =
  | { readonly kind: "federation"; readonly document: DocumentNode; readonly definitions: Definitions }
  | { readonly kind: "plain"; readonly document: DocumentNode; readonly schema: GraphQLSchema };

/** Type names, and below each the names of its fields. */
type Definitions = ReadonlyMap<string, ReadonlySet<string>>;

/** What services are in the whole, or what keeps them from it. */
export type Composition =
  | { readonly ok: true; readonly input: EngineInput }
  | { readonly ok: false; readonly faults: readonly Fault[] };

/** Puts schemas together; remembers by digest what it read, so that an unchanged schema is parsed once. */
export class Composer {
  readonly #read = new Map<string, ReadSchema | GatewayError>();

  /** Composes exactly these services, or says what is wrong between which of them. */
  compose(services: readonly SchemaInput[]): Composition {
    const read = services.map((service) => ({ service, result: this.#readOnce(service.schema) }));
    const invalid = read.flatMap(({ service, result }) =>
      result instanceof GatewayError ? [{ services: [service.target.name], message: result.message }] : [],
    );
    if (invalid.length > 0) return { ok: false, faults: invalid };
    const subgraphs: Subgraph[] = [];
    const plain: PlainService[] = [];
    for (const { service, result } of read) {
      if (result instanceof GatewayError) continue;
      const { name } = service.target;
      if (result.kind === "federation") subgraphs.push({ name, ...result });
      else plain.push({ name, ...result });
    }
    const faults = conflicts(subgraphs, plain);
    if (faults.length > 0) return { ok: false, faults };
    const composed = composeSubgraphs([
      ...subgraphs,
      ...plain.map(({ name, document, schema }) => ({ name, document: asSubgraph(document, schema) })),
    ]);
    if ("faults" in composed) return { ok: false, faults: composed.faults };
    const publicSdl = printSchema(lexicographicSortSchema(composed.publicSchema()));
    return { ok: true, input: { services, supergraphSdl: composed.supergraphSdl(), publicSdl } };
  }

  /** Forgets schemas that are not among these. */
  keepOnly(schemas: readonly ServiceSchema[]): void {
    const digests = new Set(schemas.map(({ digest }) => digest));
    for (const digest of this.#read.keys()) if (!digests.has(digest)) this.#read.delete(digest);
  }

  #readOnce(schema: ServiceSchema): ReadSchema | GatewayError {
    const known = this.#read.get(schema.digest);
    if (known !== undefined) return known;
    const result = readSchema(schema);
    this.#read.set(schema.digest, result);
    return result;
  }
}

type Subgraph = { readonly name: string; readonly document: DocumentNode; readonly definitions: Definitions };
type PlainService = {
  readonly name: string;
  readonly document: DocumentNode;
  readonly schema: GraphQLSchema;
};
/** Subgraphs as one; what is not asked for is not made. */
type Composed = { readonly supergraphSdl: () => string; readonly publicSchema: () => GraphQLSchema };

/** What keeps plain services from being served beside each other and beside the subgraphs. */
function conflicts(subgraphs: readonly Subgraph[], plain: readonly PlainService[]): readonly Fault[] {
  if (plain.length === 0) return [];
  const owned: OwnedSchema[] = plain.map(({ name, schema }) => ({ schema, ownersOf: () => [name] }));
  if (subgraphs.length === 0) return findConflicts(owned);
  const composed = composeSubgraphs(subgraphs);
  if ("faults" in composed) return composed.faults;
  return findConflicts([ownedByAll(subgraphs, composed.publicSchema()), ...owned]);
}

function composeSubgraphs(
  subgraphs: readonly Pick<Subgraph, "name" | "document">[],
): { readonly faults: readonly Fault[] } | Composed {
  const names = subgraphs.map(({ name }) => name);
  try {
    const definitions = subgraphs.map(({ name, document }) => ({ name, url: name, typeDefs: document }));
    const result = composeServices(definitions);
    if (result.errors !== undefined) return { faults: result.errors.map((error) => toFault(error, names)) };
    return {
      supergraphSdl: () => result.supergraphSdl,
      // Its text is read, not its document: there a default that is a list of enum values is one value of that text.
      publicSchema: () => buildPublicSchema(result.publicSdl),
    };
  } catch (error) {
    return { faults: [{ services: [], message: messageOf(error) }] };
  }
}

/** The composition library names subgraphs as `[name]` in front of a message, or as `"name"` after `subgraph(s)`. */
function toFault(error: GraphQLError, names: readonly string[]): Fault {
  const [prefix, subgraph] = /^\[([^\]]+)\] /.exec(error.message) ?? [];
  if (prefix !== undefined && subgraph !== undefined && names.includes(subgraph)) {
    return { services: [subgraph], message: `schema is invalid: ${error.message.slice(prefix.length)}` };
  }
  const quoted = new Set<string>();
  for (const [, list] of error.message.matchAll(/subgraphs? ((?:"[^"]+"(?:, | and )?)+)/g)) {
    for (const [, name] of (list ?? "").matchAll(/"([^"]+)"/g)) if (name !== undefined) quoted.add(name);
  }
  return { services: names.filter((name) => quoted.has(name)), message: error.message };
}

function ownedByAll(subgraphs: readonly Subgraph[], schema: GraphQLSchema): OwnedSchema {
  return {
    schema,
    ownersOf: (typeName, fieldName) =>
      subgraphs
        .filter(({ definitions }) => {
          const fields = definitions.get(typeName);
          return fields !== undefined && (fieldName === undefined || fields.has(fieldName));
        })
        .map(({ name }) => name),
  };
}

function readSchema(schema: ServiceSchema): ReadSchema | GatewayError {
  try {
    const document = parse(schema.sdl, { noLocation: true, maxTokens });
    return schema.kind === "federation" ? readSubgraph(document) : readPlain(document);
  } catch (error) {
    return invalid([messageOf(error)]);
  }
}

function readSubgraph(document: DocumentNode): ReadSchema | GatewayError {
  if (document.definitions.some(isExecutableDefinitionNode)) return invalid(["it holds an operation"]);
  const errors = validateSubgraph({ name: "", typeDefs: document });
  if (errors.length > 0) return invalid(errors.map(({ message }) => message.replace(/^\[\] /, "")));
  return { kind: "federation", document, definitions: definitionsOf(document) };
}

function readPlain(document: DocumentNode): ReadSchema | GatewayError {
  const schema = buildASTSchema(document);
  const errors = validateSchema(schema);
  return errors.length > 0
    ? invalid(errors.map(({ message }) => message))
    : { kind: "plain", document, schema };
}

/** Reads what clients see of services that were composed, and so is valid. */
export function buildPublicSchema(sdl: string): GraphQLSchema {
  return buildSchema(sdl, { noLocation: true, assumeValid: true, assumeValidSDL: true });
}

function definitionsOf(document: DocumentNode): Definitions {
  const definitions = new Map<string, Set<string>>();
  const rootNames = rootNamesOf(document);
  for (const node of document.definitions) {
    if (!("name" in node) || node.name === undefined || node.kind === Kind.DIRECTIVE_DEFINITION) continue;
    const name = rootNames.get(node.name.value) ?? node.name.value;
    const fields = definitions.get(name) ?? new Set<string>();
    if ("fields" in node) for (const field of node.fields ?? []) fields.add(field.name.value);
    definitions.set(name, fields);
  }
  return definitions;
}

/** What the root types that a schema calls otherwise are called in the whole. */
export function rootNamesOf({ definitions }: DocumentNode): ReadonlyMap<string, string> {
  const rootNames = new Map<string, string>();
  for (const node of definitions) {
    if (node.kind !== Kind.SCHEMA_DEFINITION && node.kind !== Kind.SCHEMA_EXTENSION) continue;
    for (const { operation, type } of node.operationTypes ?? []) {
      rootNames.set(type.name.value, operation[0]?.toUpperCase() + operation.slice(1));
    }
  }
  return rootNames;
}

function invalid(messages: readonly string[]): GatewayError {
  const more = messages.length > 1 ? ` (and ${messages.length - 1} more)` : "";
  return new GatewayError("schema_invalid", `schema is invalid: ${messages[0]}${more}`);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
