import { z } from "zod";
import { makeFault, type Report, type Source } from "./fault.ts";
import type { ConfigNode, KeyedListNode } from "./tree.ts";

/** A value as a layer gave it, with the place of every part: layers are merged in this form, then checked once. */
export type Raw = {
  readonly source: Source;
  /** The place of the name that it stands under, where that is another one than the value's. */
  readonly nameSource?: Source;
  /** For a keyed list's item without a name: where it stood in the list that it came from, from 0. */
  readonly position?: number;
} & (
  | { readonly kind: "object"; readonly fields: ReadonlyMap<string, Raw> }
  | { readonly kind: "list"; readonly items: readonly Raw[] }
  | { readonly kind: "scalar"; readonly value: string | number | boolean | null }
  /** Not usable, and a fault says so already. */
  | { readonly kind: "refused" }
);

/** JSON as it goes to the schema. */
export type Plain = string | number | boolean | null | undefined | Plain[] | { [name: string]: Plain };

/**
 * Puts `high` over `low`. Sections merge by field, keyed lists by key, everything else is replaced. What does not
 * have the shape that the schema asks for is kept, so that it is reported. Two items of `high` with one key are a
 * fault.
 */
export function mergeRaw(node: ConfigNode | undefined, low: Raw | undefined, high: Raw, report: Report): Raw {
  if (node?.kind === "keyed") return mergeKeyed(node, low, high, report);
  if (node?.kind !== "section") return high;
  if (high.kind !== "object") return low === undefined || low.kind === "object" ? high : low;
  if (low !== undefined && low.kind !== "object") return low;
  const fields = new Map(low?.fields);
  for (const [name, value] of high.fields) {
    fields.set(name, mergeRaw(node.fields.get(name), fields.get(name), value, report));
  }
  return { ...high, source: high.source.kind === "default" && low ? low.source : high.source, fields };
}

function mergeKeyed(node: KeyedListNode, low: Raw | undefined, high: Raw, report: Report): Raw {
  if (low !== undefined && low.kind !== "list") return low;
  if (high.kind !== "list") return high;
  const named = new Map<string, Raw>();
  const nameless: Raw[] = [];
  for (const item of low?.items ?? []) {
    const name = itemName(node, item);
    if (name === undefined) nameless.push(item);
    else named.set(name, item);
  }
  const here = new Map<string, Raw>();
  for (const [position, item] of high.items.entries()) {
    const name = itemName(node, item);
    const twin = name === undefined ? undefined : here.get(name);
    if (name === undefined) {
      nameless.push({ ...mergeRaw(node.item, undefined, item, report), position });
    } else if (twin !== undefined) {
      const key = itemKey(node.key, name);
      report(makeFault(key, item.source, `is in the list twice: its ${node.by} must be unique`));
    } else {
      here.set(name, item);
      named.set(name, mergeRaw(node.item, named.get(name), item, report));
    }
  }
  const sorted = [...named].toSorted(([a], [b]) => compareKeys(a, b)).map(([, item]) => item);
  return { ...high, items: [...sorted, ...nameless] };
}

/** The order of a keyed list: by UTF-16 code units, the same on every machine. */
export function compareKeys(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** The name of a keyed list's item, as the schema of the key reads it; undefined when there is no usable one. */
export function itemName(node: KeyedListNode, item: Raw): string | undefined {
  if (item.kind !== "object") return undefined;
  const name = item.fields.get(node.by);
  const key = node.item.fields.get(node.by);
  if (name?.kind !== "scalar" || key?.kind !== "leaf") return undefined;
  const read = z.safeParse(key.schema, name.value);
  const value = read.success ? read.data : name.value;
  return typeof value === "string" ? value : undefined;
}

/** `mesh.services` and `products` make `mesh.services[products]`; other than plain names stand in quotes. */
export function itemKey(list: string, name: string): string {
  return `${list}[${/^[\p{L}\p{N}_.-]{1,100}$/u.test(name) ? name : JSON.stringify(name.slice(0, 100))}]`;
}

/** The value for the schema: sections that need not be given come into being here, with nothing in them. */
export function plainValue(node: ConfigNode | undefined, raw: Raw | undefined): Plain {
  if (raw === undefined) {
    return node?.kind === "section" && node.presence !== "optional"
      ? plainFields(node, undefined)
      : undefined;
  }
  switch (raw.kind) {
    case "refused":
      return undefined;
    case "scalar":
      return raw.value;
    case "list": {
      const element = node?.kind === "keyed" ? node.item : undefined;
      return raw.items.map((item) => plainValue(element, item));
    }
    case "object":
      return plainFields(node, raw.fields);
  }
}

function plainFields(node: ConfigNode | undefined, given: ReadonlyMap<string, Raw> | undefined): Plain {
  const known = node?.kind === "section" ? node.fields : undefined;
  const plain: { [name: string]: Plain } = Object.create(null);
  for (const name of new Set([...(known?.keys() ?? []), ...(given?.keys() ?? [])])) {
    const value = plainValue(known?.get(name), given?.get(name));
    if (value !== undefined) plain[name] = value;
  }
  return plain;
}
