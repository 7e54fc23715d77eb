import { z } from "zod";

/** What an option says of itself besides its type and default, which the schema holds. */
export type OptionMeta = {
  /** One or two sentences for `--help`, the reference page and JSON Schema. */
  readonly description: string;
  /** The flag's name without dashes, in place of the one derived from the path. */
  readonly flag?: string;
  /** The values that make sense, in words ("an http:// or https:// URL"); shown with faults and in the reference. */
  readonly range?: string;
  /** Never shown: not by faults, not by `showConfig`. */
  readonly secret?: boolean;
};

const registry = z.registry<OptionMeta & { key?: string }>();

/**
 * Describes an option of a schema.
 *
 * @example
 * z.strictObject({ port: option(z.int().min(0).max(65_535).default(8080), { description: "Port; 0 lets the system choose." }) })
 */
export function option<Schema extends z.ZodType>(schema: Schema, meta: OptionMeta): Schema {
  const described = schema.meta({ description: meta.description });
  registry.add(described, meta);
  return described;
}

/**
 * A list of items that the field `key` tells apart. The layers merge it item by item and, inside an item, field by
 * field; the effective list is sorted by key (UTF-16 order). It is empty by default. Its flag is repeated, one item
 * each: `--service name=products,url=http://127.0.0.1:4001/graphql`.
 */
export function keyedList<Item extends z.ZodObject>(
  item: Item,
  meta: OptionMeta & { readonly key: keyof z.infer<Item> & string },
): z.ZodDefault<z.ZodArray<Item>> {
  return z.array(item).default([]).meta({ description: meta.description }).register(registry, meta);
}

/** What {@link option} or {@link keyedList} said of this very schema, not of one that it wraps. */
export function optionMeta(schema: z.core.$ZodType): (OptionMeta & { key?: string }) | undefined {
  return registry.get(schema);
}
