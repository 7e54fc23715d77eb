import type { z } from "zod";
import { ConfigError } from "./errors.ts";
import { type OptionMeta, optionMeta } from "./option.ts";
import { describedAs, type Peeled, peel } from "./peel.ts";
import { assertJson, textKind, type ValueKind } from "./value-kind.ts";

/** The schema as a tree: what every reader, writer and page of the configuration walks. */
export type ConfigNode = SectionNode | LeafNode | ListNode | KeyedListNode;

type NodeBase = {
  /** The dotted path, `[]` standing for any item of a list: `mesh.services[].url`. */
  readonly key: string;
  readonly meta: OptionMeta;
  readonly presence: Peeled["presence"];
  /** The value in force when nothing is given; undefined without one. */
  readonly fallback: unknown;
  /** How it is named on the command line and in the environment; absent inside a list's items, and for sections. */
  readonly names: OptionNames | undefined;
  readonly secret: boolean;
};

type OptionNames = { readonly flag: string; readonly variable: string };

/** An object whose fields are options. It always exists, unless it is optional and no layer gives a field of it. */
export type SectionNode = NodeBase & {
  readonly kind: "section";
  readonly fields: ReadonlyMap<string, ConfigNode>;
  readonly schema: z.ZodObject;
};

/** One value. */
export type LeafNode = NodeBase & {
  readonly kind: "leaf";
  readonly value: ValueKind;
  readonly schema: z.core.$ZodType;
};

/** A list that a higher layer replaces as a whole. */
export type ListNode = NodeBase & {
  readonly kind: "list";
  readonly element: ValueKind;
  readonly schema: z.core.$ZodType;
};

/** A list that merges by the field `by` of its items. */
export type KeyedListNode = NodeBase & {
  readonly kind: "keyed";
  readonly by: string;
  readonly item: SectionNode;
  readonly schema: z.core.$ZodType;
};

/** A node that a flag and a variable of its own stand for. */
export type NamedNode = Exclude<ConfigNode, SectionNode> & { readonly names: OptionNames };

/** The names that lead to an option outside of lists. */
export function dottedPath(node: NamedNode): string[] {
  return node.key.split(".");
}

/** What a walk carries down: where it is, and the prefix of variables while flags and variables still apply. */
type Walk = { readonly path: readonly string[]; readonly key: string; readonly prefix: string | undefined };

/** Reads a schema. Throws {@link ConfigError} `schema_unsupported`. */
export function schemaTree(schema: z.ZodObject, prefix: string): SectionNode {
  return sectionNode(schema, base(peel(schema), { path: [], key: "", prefix }), {
    path: [],
    key: "",
    prefix,
  });
}

function schemaNode(schema: z.core.$ZodType, walk: Walk): ConfigNode {
  const peeled = peel(schema);
  const { def } = peeled.inner._zod;
  const common = base(peeled, walk);
  if (def.type === "object") return sectionNode(peeled.inner as z.ZodObject, sectionBase(common), walk);
  assertJson(peeled.inner, walk.key);
  const names = namesOf(walk, common.meta);
  if (def.type !== "array") {
    return { ...common, names, kind: "leaf", value: textKind(peeled.inner), schema: peeled.inner };
  }
  const { element } = def as z.core.$ZodArrayDef;
  const by = keyField(schema);
  if (by === undefined) {
    return { ...common, names, kind: "list", element: textKind(element), schema: peeled.inner };
  }
  return keyedNode({ ...common, names }, element as z.ZodObject, by, peeled.inner, walk);
}

function keyedNode(
  common: NodeBase,
  element: z.ZodObject,
  by: string,
  schema: z.core.$ZodType,
  walk: Walk,
): KeyedListNode {
  const inside: Walk = { path: [], key: `${walk.key}[]`, prefix: undefined };
  const item = sectionNode(element, base(peel(element), inside), inside);
  const key = item.fields.get(by);
  if (key?.kind !== "leaf" || key.value !== "string" || key.presence !== "required" || key.secret) {
    throw new ConfigError("schema_unsupported", common.key, `its key "${by}" is not a required text`);
  }
  if (JSON.stringify(common.fallback) !== "[]") {
    throw new ConfigError(
      "schema_unsupported",
      common.key,
      "a keyed list is empty by default, and nothing else",
    );
  }
  return { ...common, kind: "keyed", by, item, schema };
}

function sectionNode(schema: z.ZodObject, common: NodeBase, walk: Walk): SectionNode {
  assertStrict(schema, walk.key);
  const fields = new Map<string, ConfigNode>();
  for (const [name, field] of Object.entries(schema.shape)) {
    if (!/^[A-Za-z][A-Za-z0-9]*$/.test(name)) {
      throw new ConfigError("schema_unsupported", walk.key, `"${name}" is not a name of letters and digits`);
    }
    const key = walk.key === "" ? name : `${walk.key}.${name}`;
    fields.set(name, schemaNode(field, { path: [...walk.path, name], key, prefix: walk.prefix }));
  }
  if (common.presence === "optional" && ![...fields.values()].some(alwaysWritten)) {
    throw new ConfigError(
      "schema_unsupported",
      walk.key,
      "an optional section needs a field that it always has, or flags could not tell it from none",
    );
  }
  return { ...common, kind: "section", fields, schema };
}

/** True for what an effective configuration always holds, and flags can therefore always show. */
function alwaysWritten(node: ConfigNode): boolean {
  if (node.kind === "keyed" || node.presence === "optional") return false;
  return node.kind !== "section" || [...node.fields.values()].some(alwaysWritten);
}

function assertStrict(schema: z.ZodObject, key: string): void {
  if (schema._zod.def.catchall?._zod.def.type !== "never") {
    throw new ConfigError(
      "schema_unsupported",
      key,
      "an object is a strictObject, so that unknown keys are refused",
    );
  }
}

function base(peeled: Peeled, walk: Walk): NodeBase {
  const meta = peeled.layers.map(optionMeta).find((found) => found !== undefined);
  return {
    key: walk.key,
    meta: meta ?? { description: describedAs(peeled) },
    presence: peeled.presence,
    fallback: peeled.fallback,
    names: undefined,
    secret: meta?.secret === true,
  };
}

/** A section's own defaults would be a second truth beside those of its fields. */
function sectionBase(common: NodeBase): NodeBase {
  if (common.presence === "default" && JSON.stringify(common.fallback) !== "{}") {
    throw new ConfigError(
      "schema_unsupported",
      common.key,
      "a section has no default; give one to its fields",
    );
  }
  if (common.secret) {
    throw new ConfigError("schema_unsupported", common.key, "a section is not secret; mark its fields");
  }
  return common.presence === "default" ? { ...common, presence: "required", fallback: undefined } : common;
}

function keyField(schema: z.core.$ZodType): string | undefined {
  return peel(schema)
    .layers.map((layer) => optionMeta(layer)?.key)
    .find((key) => key !== undefined);
}

function namesOf(walk: Walk, meta: OptionMeta): OptionNames | undefined {
  if (walk.prefix === undefined) return undefined;
  const words = walk.path.map((name) => name.replace(/([a-z0-9])([A-Z])/g, "$1-$2").toLowerCase());
  return {
    flag: meta.flag ?? words.join("-"),
    variable: `${walk.prefix}_${words.join("_").replaceAll("-", "_").toUpperCase()}`,
  };
}
