import { Assembly } from "./assembly.ts";
import { makeFault, type Report, type Source } from "./fault.ts";
import { type Pair, readPairs } from "./item-text.ts";
import { nearest } from "./nearest.ts";
import { itemKey, type Raw } from "./raw.ts";
import { quote, readJsonText, readText } from "./text-value.ts";
import type { ConfigNode, KeyedListNode, SectionNode } from "./tree.ts";
import type { ValueKind } from "./value-kind.ts";

/** Reads one item of a keyed list as a flag gives it: pairs, or a JSON object. */
export function readItem(node: KeyedListNode, text: string, source: Source, report: Report): Raw {
  const common = { text, key: node.key, source, secret: holdsSecret(node.item) };
  if (text.trimStart().startsWith("{")) return readJsonText(common, report);
  const reading = readPairs(text, (path) => takesJson(fieldAt(node.item, path)));
  if ("problem" in reading) {
    const piece = common.secret ? "" : `${quote(reading.piece)} `;
    const hint = `for example ${node.by}=NAME,…; values with commas or spaces in double quotes`;
    report(makeFault(node.key, source, `${piece}${reading.problem}`, { hint }));
    return { kind: "refused", source };
  }
  return assemble(node, reading.pairs, source, report);
}

function assemble(node: KeyedListNode, pairs: readonly Pair[], source: Source, report: Report): Raw {
  const item = new Assembly(source);
  const name = pairs.find((pair) => pair.path === node.by)?.text ?? "";
  for (const pair of pairs) {
    const field = fieldAt(node.item, pair.path);
    if (field === undefined && mayBeSecret(node, pair.path)) {
      const hint = "put values that hold commas in double quotes";
      report(
        makeFault(itemKey(node.key, name), source, "has a name that is not known, and not shown here", {
          hint,
        }),
      );
      continue;
    }
    const key = `${itemKey(node.key, name)}.${pair.path}`;
    const value = { text: pair.text, key, source, secret: field?.secret ?? holdsSecret(node.item) };
    const path = pair.path.split(".");
    const added =
      field?.kind === "list" && (pair.quoted || !pair.text.startsWith("["))
        ? item.append(path, readText({ ...value, kind: field.element }, report))
        : item.add(path, readText({ ...value, kind: pairKind(field) }, report));
    if (!added) report(makeFault(key, source, "is given twice in one item"));
  }
  return item.raw();
}

/** In `token=a,b=c` the name `b` is a piece of a secret that should have been quoted; a misspelt name is not. */
function mayBeSecret(node: KeyedListNode, path: string): boolean {
  return holdsSecret(node.item) && nearest(path, node.item.fields.keys()) === undefined;
}

function pairKind(field: ConfigNode | undefined): ValueKind {
  if (takesJson(field)) return "json";
  return field?.kind === "leaf" ? field.value : "string";
}

/** Objects, lists and free values are written as JSON in an item. */
function takesJson(field: ConfigNode | undefined): boolean {
  return field !== undefined && (field.kind !== "leaf" || field.value === "json");
}

function fieldAt(section: SectionNode, path: string): ConfigNode | undefined {
  let node: ConfigNode | undefined = section;
  for (const name of path.split(".")) node = node?.kind === "section" ? node.fields.get(name) : undefined;
  return node;
}

/** True when any field is secret: then no piece of the text is shown, for it may be misread. */
function holdsSecret(node: ConfigNode): boolean {
  if (node.kind === "keyed") return holdsSecret(node.item);
  return node.secret || (node.kind === "section" && [...node.fields.values()].some(holdsSecret));
}
