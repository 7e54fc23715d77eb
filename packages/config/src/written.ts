import { type ConfigDefinition, namedNodes } from "./definition.ts";
import { type Pair, writePairs } from "./item-text.ts";
import { dottedPath, type KeyedListNode, type NamedNode, type SectionNode } from "./tree.ts";
import type { ValueKind } from "./value-kind.ts";
import { fieldOf } from "./value-tree.ts";

/** A configuration, or a part of one, as the schema has it. */
export type ConfigValue = Readonly<Record<string, unknown>>;

/**
 * Writes a configuration as flags, one word each, that read back as the same: `--node-name=n1`. Secrets are written
 * too.
 */
export function configToFlags(definition: ConfigDefinition, value: ConfigValue): string[] {
  return givenNodes(definition, value).flatMap(([node, given]) => flagWords(node, given));
}

/** Writes a configuration as variables that read back as the same. Secrets are written too. */
export function configToEnvironment(
  definition: ConfigDefinition,
  value: ConfigValue,
): Record<string, string> {
  const entries = givenNodes(definition, value).map(([node, given]) => {
    return [node.names.variable, writeText(node.kind === "leaf" ? node.value : "json", given)];
  });
  return Object.fromEntries(entries);
}

function givenNodes(definition: ConfigDefinition, value: ConfigValue): [NamedNode, unknown][] {
  const given: [NamedNode, unknown][] = [];
  for (const node of namedNodes(definition.root)) {
    const found = dottedPath(node).reduce<unknown>(fieldOf, value);
    if (found !== undefined) given.push([node, found]);
  }
  return given;
}

function flagWords(node: NamedNode, value: unknown): string[] {
  const flag = `--${node.names.flag}`;
  if (node.kind === "leaf") {
    if (node.value !== "boolean") return [`${flag}=${writeText(node.value, value)}`];
    return [value === true ? flag : `--no-${node.names.flag}`];
  }
  const items: readonly unknown[] = Array.isArray(value) ? value : [];
  if (node.kind === "keyed") return items.map((item) => `${flag}=${writeItem(node, item)}`);
  if (items.length === 0) return [`--no-${node.names.flag}`];
  return items.map((item) => `${flag}=${writeText(node.element, item)}`);
}

/** Writes an item of a keyed list as its flag takes it. */
export function writeItem(node: KeyedListNode, item: unknown): string {
  return writePairs(itemPairs(node.item, item, ""));
}

function itemPairs(section: SectionNode, value: unknown, prefix: string): Pair[] {
  return [...section.fields].flatMap(([name, field]): Pair[] => {
    const path = prefix + name;
    const given = fieldOf(value, name);
    if (given === undefined) return [];
    if (field.kind === "section") return itemPairs(field, given, `${path}.`);
    if (field.kind === "leaf") return [{ path, text: writeText(field.value, given), quoted: true }];
    if (field.kind === "keyed") return [{ path, text: JSON.stringify(given), quoted: true }];
    const elements: readonly unknown[] = Array.isArray(given) ? given : [];
    if (elements.length === 0) return [{ path, text: "[]", quoted: false }];
    return elements.map((element) => ({ path, text: writeText(field.element, element), quoted: true }));
  });
}

function writeText(kind: ValueKind, value: unknown): string {
  return kind === "json" ? JSON.stringify(value) : String(value);
}
