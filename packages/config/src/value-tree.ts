import { itemKey } from "./raw.ts";
import type { ConfigNode, LeafNode, ListNode } from "./tree.ts";

/** An option in a checked value. */
export type Leaf = {
  /** With items by name: `mesh.services[products].url`. */
  readonly key: string;
  /** With items by position. */
  readonly path: readonly (string | number)[];
  readonly node: LeafNode | ListNode;
  readonly value: unknown;
};

/** Every option that has a value, in the order of the schema; those of a keyed list's items one by one. */
export function leaves(node: ConfigNode, value: unknown): Leaf[] {
  return leavesAt(node, value, "", []);
}

function leavesAt(node: ConfigNode, value: unknown, key: string, path: readonly (string | number)[]): Leaf[] {
  if (value === undefined) return [];
  if (node.kind === "section") {
    return [...node.fields].flatMap(([name, field]) => {
      return leavesAt(field, fieldOf(value, name), key === "" ? name : `${key}.${name}`, [...path, name]);
    });
  }
  if (node.kind !== "keyed") return [{ key, path, node, value }];
  const items: readonly unknown[] = Array.isArray(value) ? value : [];
  return items.flatMap((item, index) => {
    return leavesAt(node.item, item, itemKey(key, String(fieldOf(item, node.by))), [...path, index]);
  });
}

/** A field of a checked value; undefined when the value is no object, or has none of that name itself. */
export function fieldOf(value: unknown, name: string): unknown {
  if (typeof value !== "object" || value === null || !Object.hasOwn(value, name)) return undefined;
  return Reflect.get(value, name);
}
