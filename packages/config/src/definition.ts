import type { z } from "zod";
import { ConfigError } from "./errors.ts";
import { type ConfigNode, type NamedNode, type SectionNode, schemaTree } from "./tree.ts";

/** What a flag means: an option, or (`--no-…`) its opposite: false, or the empty list. */
export type FlagMeaning = { readonly node: NamedNode; readonly negated: boolean };

/** A schema with everything derived from it. */
export type ConfigDefinition<Schema extends z.ZodObject = z.ZodObject> = {
  readonly schema: Schema;
  readonly root: SectionNode;
  /** What all variables begin with, without the underscore: `CATALYST`. */
  readonly prefix: string;
  /** By name, without the dashes. */
  readonly flags: ReadonlyMap<string, FlagMeaning>;
  readonly variables: ReadonlyMap<string, NamedNode>;
  /** Variables with the prefix that are no options: not refused as unknown. */
  readonly otherVariables: ReadonlySet<string>;
};

/** Settings of a definition. */
export type DefinitionSettings = {
  /** What variables begin with (default `CATALYST`). */
  readonly prefix?: string;
  /** Variables with that prefix that somebody else reads, for example `CATALYST_CONFIG` (default none). */
  readonly otherVariables?: readonly string[];
};

/**
 * Makes a configuration out of a schema: a `strictObject` of sections, each a `strictObject` of options.
 *
 * An option at the path `mesh.listen.ingress` is the flag `--mesh-listen-ingress` and the variable
 * `CATALYST_MESH_LISTEN_INGRESS`. A section exists even when nothing of it is given, so that the defaults of its
 * fields hold. Values are plain JSON and are not transformed: the effective configuration is itself a valid file.
 *
 * Throws {@link ConfigError} `schema_unsupported` or `name_taken`.
 *
 * @example
 * const definition = defineConfig(z.strictObject({ node: z.strictObject({ name: option(z.string(), { description: "Its name." }) }) }));
 */
export function defineConfig<Schema extends z.ZodObject>(
  schema: Schema,
  settings: DefinitionSettings = {},
): ConfigDefinition<Schema> {
  const prefix = settings.prefix ?? "CATALYST";
  const root = schemaTree(schema, prefix);
  const flags = new Map<string, FlagMeaning>();
  const variables = new Map<string, NamedNode>();
  const otherVariables = new Set(settings.otherVariables);
  for (const node of namedNodes(root)) {
    claim(flags, node.names.flag, { node, negated: false }, node);
    if (negatable(node)) claim(flags, `no-${node.names.flag}`, { node, negated: true }, node);
    if (otherVariables.has(node.names.variable)) throw taken(node, node.names.variable);
    claim(variables, node.names.variable, node, node);
  }
  return { schema, root, prefix, flags, variables, otherVariables };
}

/** All options that have a flag and a variable, in the order of the schema. */
export function namedNodes(node: ConfigNode): NamedNode[] {
  if (node.kind === "section") return [...node.fields.values()].flatMap(namedNodes);
  return node.names === undefined ? [] : [{ ...node, names: node.names }];
}

/** True for options that `--no-…` can switch off or empty. */
export function negatable(node: ConfigNode): boolean {
  return node.kind === "list" || (node.kind === "leaf" && node.value === "boolean");
}

function claim<Value>(names: Map<string, Value>, name: string, value: Value, node: NamedNode): void {
  if (names.has(name)) throw taken(node, name);
  names.set(name, value);
}

function taken(node: NamedNode, name: string): ConfigError {
  return new ConfigError("name_taken", node.key, `the name "${name}" is taken by another option`);
}
