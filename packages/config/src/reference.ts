import { z } from "zod";
import { type ConfigDefinition, negatable } from "./definition.ts";
import type { ConfigNode, KeyedListNode, SectionNode } from "./tree.ts";
import { writeItem } from "./written.ts";

/**
 * The reference of all options as a Markdown page: a table per section with key, flag, variable, type and range,
 * default and description, and one for the items of each keyed list.
 */
export function referencePage(definition: ConfigDefinition): string {
  const sections = [...definition.root.fields].flatMap(([name, node]) => [
    `## ${name}`,
    ...(node.kind === "section" && node.meta.description !== "" ? [node.meta.description] : []),
    table(OPTION_COLUMNS, optionRows(node)),
    ...keyedLists(node).flatMap(itemSection),
  ]);
  return `${["# Configuration reference", introduction(definition), ...sections].join("\n\n")}\n`;
}

function introduction(definition: ConfigDefinition): string {
  return `Every option can be given in a JSON file, as an environment variable and as a flag. A flag goes before a variable,
and a variable before the file, option by option. The lists that have items with a key are merged item by item and,
inside an item, field by field; all other lists are replaced as a whole. Variables hold lists as JSON arrays; flags of
lists are repeated, once per item. A variable that begins with \`${definition.prefix}_\` and is not known is an error,
like an unknown key or flag.`;
}

const OPTION_COLUMNS = ["Key", "Flag", "Variable", "Type and range", "Default", "Description"];
const ITEM_COLUMNS = ["Field", "Type and range", "Default", "Description"];

function optionRows(node: ConfigNode): string[][] {
  return optionsIn(node).map(optionRow);
}

function optionRow({ node, optional }: PlacedOption): string[] {
  const flag = node.names?.flag ?? "";
  const flags = negatable(node) ? `${code(`--${flag}`)} ${code(`--no-${flag}`)}` : code(`--${flag}`);
  return [code(node.key), flags, code(node.names?.variable ?? ""), ...facts({ node, optional })];
}

function itemSection(list: KeyedListNode): string[] {
  const flag = list.names?.flag;
  const rows = optionsIn(list.item).map((field) => [code(pathInItem(list, field.node)), ...facts(field)]);
  const usage = flag === undefined ? "" : ` On the command line: ${code(`--${flag} ${exampleItem(list)}`)}`;
  return [
    `### Items of ${code(list.key)}`,
    `Told apart by ${code(list.by)}.${usage}`,
    table(ITEM_COLUMNS, rows),
  ];
}

/** The first of the item's `examples` in zod's metadata, or its required fields with a placeholder for each. */
function exampleItem(list: KeyedListNode): string {
  const examples = z.globalRegistry.get(list.item.schema)?.["examples"];
  const example: unknown = Array.isArray(examples) ? examples[0] : undefined;
  if (example !== undefined) return writeItem(list, example);
  const required = optionsIn(list.item).filter(
    ({ node, optional }) => node.presence === "required" && optional === undefined,
  );
  return required.map(({ node }) => `${pathInItem(list, node)}=…`).join(",");
}

function pathInItem(list: KeyedListNode, node: ConfigNode): string {
  return node.key.slice(list.item.key.length + 1);
}

/** An option, and the optional section that it is part of. */
type PlacedOption = {
  readonly node: Exclude<ConfigNode, SectionNode>;
  readonly optional: SectionNode | undefined;
};

function optionsIn(node: ConfigNode, optional?: SectionNode): PlacedOption[] {
  if (node.kind !== "section") return [{ node, optional }];
  const around = node.presence === "optional" ? node : optional;
  return [...node.fields.values()].flatMap((field) => optionsIn(field, around));
}

function keyedLists(node: ConfigNode): KeyedListNode[] {
  if (node.kind === "section") return [...node.fields.values()].flatMap(keyedLists);
  return node.kind === "keyed" ? [node, ...keyedLists(node.item)] : [];
}

function facts({ node, optional }: PlacedOption): string[] {
  const secret = node.secret ? " Secret: never shown." : "";
  const required = optional === undefined ? "**required**" : `required with ${code(optional.key)}`;
  const fallback = node.presence === "required" ? required : defaultOf(node);
  return [node.meta.range ?? typeOf(node), fallback, `${node.meta.description}${secret}`.trim()];
}

function defaultOf(node: Exclude<ConfigNode, SectionNode>): string {
  return node.fallback === undefined || node.kind === "keyed" ? "none" : code(JSON.stringify(node.fallback));
}

function typeOf(node: Exclude<ConfigNode, SectionNode>): string {
  if (node.kind === "keyed") return "list of objects";
  return typeWords(z.toJSONSchema(node.schema as z.core.$ZodType, { io: "input" }));
}

function typeWords(type: z.core.JSONSchema.BaseSchema): string {
  if (type.const !== undefined) return code(JSON.stringify(type.const));
  if (type.enum !== undefined) return type.enum.map((value) => code(JSON.stringify(value))).join(", ");
  if (type.anyOf !== undefined)
    return type.anyOf.map((form) => typeWords(form as z.core.JSONSchema.BaseSchema)).join(" or ");
  switch (type.type) {
    case "integer":
    case "number":
      return (type.type === "integer" ? "whole number" : "number") + interval(type.minimum, type.maximum, "");
    case "string":
      return (
        (type.format === undefined ? "text" : `text (${type.format})`) +
        interval(type.minLength, type.maxLength, "character")
      );
    case "boolean":
      return "true or false";
    case "array":
      return `list${elementWords(type.items)}${interval(type.minItems, type.maxItems, "item")}`;
    default:
      return "JSON";
  }
}

function elementWords(items: unknown): string {
  return typeof items === "object" && items !== null
    ? `; items: ${typeWords(items as z.core.JSONSchema.BaseSchema)}`
    : "";
}

function interval(low: number | undefined, high: number | undefined, unit: string): string {
  const from = low === undefined || low <= Number.MIN_SAFE_INTEGER ? undefined : low;
  const to = high === undefined || high >= Number.MAX_SAFE_INTEGER ? undefined : high;
  const counted = unit === "" ? "" : ` ${unit}${(to ?? from) === 1 ? "" : "s"}`;
  if (from !== undefined && to !== undefined) return `, ${from} to ${to}${counted}`;
  if (from !== undefined) return `, at least ${from}${counted}`;
  return to === undefined ? "" : `, at most ${to}${counted}`;
}

function table(columns: readonly string[], rows: readonly (readonly string[])[]): string {
  const lines = [columns, columns.map(() => "---"), ...rows.map((row) => row.map(cell))];
  return lines.map((line) => `| ${line.join(" | ")} |`).join("\n");
}

function cell(text: string): string {
  return text.replaceAll("|", "\\|").replace(/\s+/g, " ");
}

function code(text: string): string {
  return `\`${text}\``;
}
