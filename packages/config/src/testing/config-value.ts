import fc from "fast-check";
import type { z } from "zod";
import type { ConfigDefinition } from "../definition.ts";
import { compareKeys } from "../raw.ts";
import type { ConfigNode, KeyedListNode, SectionNode } from "../tree.ts";
import { fieldOf } from "../value-tree.ts";
import { jsonValue } from "./json-value.ts";

/** Arbitraries for single options, by key: `{ "mesh.services[].url": fc.webUrl() }`. */
export type Arbitraries = Readonly<Record<string, fc.Arbitrary<unknown>>>;

/** Effective configurations: every one that the schema accepts can come up, with keyed lists in their order. */
export function configValue<Schema extends z.ZodObject>(
  definition: ConfigDefinition<Schema>,
  own: Arbitraries = {},
): fc.Arbitrary<z.infer<Schema>> {
  return nodeValue(definition.root, own)
    .map((input) => definition.schema.safeParse(input))
    .filter((parsed) => parsed.success)
    .map((parsed) => parsed.data as z.infer<Schema>);
}

function nodeValue(node: ConfigNode, own: Arbitraries): fc.Arbitrary<unknown> {
  const given = own[node.key];
  if (given !== undefined) return given;
  switch (node.kind) {
    case "section":
      return sectionValue(node, own);
    case "keyed":
      return keyedValue(node, own);
    default:
      return jsonValue(node.schema, node.key);
  }
}

function sectionValue(section: SectionNode, own: Arbitraries): fc.Arbitrary<unknown> {
  const entries = [...section.fields].map(([name, field]) => {
    const value = nodeValue(field, own);
    const always =
      field.presence === "required" || (field.kind === "section" && field.presence !== "optional");
    return [name, always ? value : fc.option(value, { nil: undefined })] as const;
  });
  return fc.record(Object.fromEntries(entries)).map((fields) => {
    return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
  });
}

function keyedValue(list: KeyedListNode, own: Arbitraries): fc.Arbitrary<unknown> {
  const name = (item: unknown): string => String(fieldOf(item, list.by));
  return fc
    .uniqueArray(nodeValue(list.item, own), { selector: name, maxLength: 4 })
    .map((items) => items.toSorted((a, b) => compareKeys(name(a), name(b))));
}
