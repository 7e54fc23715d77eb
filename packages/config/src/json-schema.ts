import { z } from "zod";
import type { ConfigDefinition } from "./definition.ts";
import type { ConfigNode } from "./tree.ts";

/**
 * The JSON Schema (draft 2020-12) of a configuration file: it accepts every file that is complete by itself and
 * valid, with a `$schema` member at the top. Rules between options are beyond it.
 */
export function jsonSchema(definition: ConfigDefinition): Record<string, unknown> {
  const omissible = new Map<z.core.$ZodType, ReadonlySet<string>>();
  const secrets = new Set<z.core.$ZodType>();
  survey(definition.root, omissible, secrets);
  const { $schema, properties, ...rest } = z.toJSONSchema(definition.schema, {
    target: "draft-2020-12",
    io: "input",
    override: ({ zodSchema, jsonSchema: json }) => {
      if (secrets.has(zodSchema)) json.writeOnly = true;
      const names = omissible.get(zodSchema);
      if (names === undefined || json.required === undefined) return;
      json.required = json.required.filter((name) => !names.has(name));
      if (json.required.length === 0) delete json.required;
    },
  });
  const reference = { type: "string", description: "The JSON Schema of this file, for editors; not read." };
  return { $schema, ...rest, properties: { $schema: reference, ...properties } };
}

/** Notes for each section the fields that need not be given: sections of which no field is required, too. */
function survey(
  node: ConfigNode,
  omissible: Map<z.core.$ZodType, ReadonlySet<string>>,
  secrets: Set<z.core.$ZodType>,
): void {
  if (node.kind === "keyed") survey(node.item, omissible, secrets);
  else if (node.kind !== "section") {
    if (node.secret) secrets.add(node.schema);
  } else {
    for (const field of node.fields.values()) survey(field, omissible, secrets);
    const names = [...node.fields].filter(([, field]) => isOmissible(field)).map(([name]) => name);
    omissible.set(node.schema, new Set(names));
  }
}

function isOmissible(node: ConfigNode): boolean {
  if (node.presence !== "required") return true;
  return node.kind === "section" && [...node.fields.values()].every(isOmissible);
}
