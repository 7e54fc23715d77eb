import type { Source } from "./fault.ts";
import type { LoadedConfig } from "./load.ts";
import type { ConfigNode } from "./tree.ts";
import { fieldOf, leaves } from "./value-tree.ts";

/** What stands in place of a secret. */
const SECRET = "(secret)";

/** One option that has a value, and where it came from. */
export type ShownOption = { readonly key: string; readonly value: unknown; readonly source: Source };

/** An effective configuration for people: plain JSON without secrets. */
export type ShownConfig = {
  /** The configuration as a file would hold it, every default written out. */
  readonly value: Readonly<Record<string, unknown>>;
  /** One entry per option with a value, in the order of the schema; only when asked for. */
  readonly sources?: readonly ShownOption[];
};

/** What `catalyst config show [--sources]` prints. Secrets are replaced by `"(secret)"`. */
export function showConfig(loaded: LoadedConfig, choice: { readonly sources?: boolean } = {}): ShownConfig {
  const { root } = loaded.definition;
  const value = withoutSecrets(root, loaded.value) as Readonly<Record<string, unknown>>;
  if (choice.sources !== true) return { value };
  const sources = leaves(root, value).map(({ key, value: shown }) => {
    return { key, value: shown, source: loaded.sources.get(key) ?? ({ kind: "default" } as const) };
  });
  return { value, sources };
}

function withoutSecrets(node: ConfigNode, value: unknown): unknown {
  if (value === undefined) return undefined;
  if (node.secret) return SECRET;
  if (node.kind === "keyed")
    return Array.isArray(value) ? value.map((item) => withoutSecrets(node.item, item)) : value;
  if (node.kind !== "section") return value;
  const fields = [...node.fields].map(
    ([name, field]) => [name, withoutSecrets(field, fieldOf(value, name))] as const,
  );
  return Object.fromEntries(fields.filter(([, shown]) => shown !== undefined));
}
