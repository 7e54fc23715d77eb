import { Assembly } from "./assembly.ts";
import type { ConfigDefinition } from "./definition.ts";
import { makeFault, type Report } from "./fault.ts";
import { nearest } from "./nearest.ts";
import type { Raw } from "./raw.ts";
import { readText } from "./text-value.ts";
import { dottedPath, type NamedNode } from "./tree.ts";
import type { ValueKind } from "./value-kind.ts";

/** Variables by name, as `process.env` has them; given by the caller, never read here. */
export type Environment = Readonly<Record<string, string | undefined>>;

/**
 * The environment's layer. A variable that begins with the definition's prefix and is neither an option nor one of
 * its `otherVariables` is a fault. Lists, keyed ones too, are JSON arrays.
 */
export function environmentLayer(definition: ConfigDefinition, env: Environment, report: Report): Raw {
  const layer = new Assembly({ kind: "default" });
  for (const [variable, text] of Object.entries(env)) {
    if (text === undefined || !variable.startsWith(`${definition.prefix}_`)) continue;
    const source = { kind: "env", variable } as const;
    const node = definition.variables.get(variable);
    if (node !== undefined) {
      const value = { text, kind: variableKind(node), key: node.key, source, secret: node.secret };
      layer.replace(dottedPath(node), readText(value, report));
    } else if (!definition.otherVariables.has(variable)) {
      const known = [...definition.variables.keys(), ...definition.otherVariables];
      report(makeFault("", source, "is not a known variable", { nearest: nearest(variable, known) }));
    }
  }
  return layer.raw();
}

function variableKind(node: NamedNode): ValueKind {
  return node.kind === "leaf" ? node.value : "json";
}
