import { Command } from "commander";
import fc from "fast-check";
import type { z } from "zod";
import type { ConfigDefinition } from "../definition.ts";
import type { Environment } from "../environment.ts";
import type { ConfigFile } from "../file.ts";
import { addFlags, readFlags } from "../flags.ts";
import { type LoadResult, loadConfig } from "../load.ts";
import type { ConfigNode, KeyedListNode, SectionNode } from "../tree.ts";
import { fieldOf } from "../value-tree.ts";
import { configToEnvironment, configToFlags } from "../written.ts";
import { type Arbitraries, configValue } from "./config-value.ts";

/** A configuration, and one way to give it as file, environment and command line together. */
export type LayeredConfig<Value> = {
  readonly effective: Value;
  readonly file: ConfigFile;
  readonly env: Environment;
  readonly argv: readonly string[];
};

/** The parts of a value that file, environment and flags give. */
type Parts = [file: unknown, env: unknown, flags: unknown];

/** Draws one of `count` possibilities. */
type Draw = (count: number) => number;

/**
 * Any valid configuration, given by one layer or split between all three: option by option, item by item, or field
 * by field inside an item. Layers below the one that counts may hold other values, in any order of items, and what
 * equals its default may be left out.
 */
export function layeredConfig<Schema extends z.ZodObject>(
  definition: ConfigDefinition<Schema>,
  own: Arbitraries = {},
): fc.Arbitrary<LayeredConfig<z.infer<Schema>>> {
  const value = configValue(definition, own);
  return fc.tuple(value, value, fc.infiniteStream(fc.nat(1_000_000))).map(([effective, stale, random]) => {
    const draw: Draw = (count) => (random.next().value ?? 0) % count;
    const [file, env, flags] = split(
      { draw, layer: draw(5), complete: false },
      definition.root,
      effective,
      stale,
    );
    return {
      effective,
      file: {
        path: "catalyst.json",
        text: (draw(2) === 0 ? "\ufeff" : "") + JSON.stringify(file ?? {}, null, draw(3)),
      },
      env: configToEnvironment(definition, (env ?? {}) as Record<string, unknown>),
      argv: spell(configToFlags(definition, (flags ?? {}) as Record<string, unknown>), draw),
    };
  });
}

/** Reads all three layers as a process would, the command line through commander. */
export function loadLayered<Schema extends z.ZodObject>(
  definition: ConfigDefinition<Schema>,
  layered: Omit<LayeredConfig<unknown>, "effective">,
): LoadResult<Schema> {
  const command = new Command("test").exitOverride();
  addFlags(command, definition);
  command.parse([...layered.argv], { from: "user" });
  return loadConfig(definition, { ...layered, flags: readFlags(command, definition) });
}

type Split = {
  readonly draw: Draw;
  /** 0 to 2: the one that takes everything below; with 3 every item of a list draws its own, with 4 every option. */
  readonly layer: number;
  /** Set inside of an optional section, which is there because something of it is written. */
  readonly complete: boolean;
};

function split(how: Split, node: ConfigNode, value: unknown, stale: unknown): Parts {
  if (value === undefined) return [undefined, undefined, undefined];
  if (node.kind === "section") return splitSection(how, node, value, stale);
  if (node.kind === "keyed") return splitKeyed(how, node, value, stale);
  const owner = how.layer < 3 ? how.layer : how.draw(3);
  const parts: Parts = [undefined, undefined, undefined];
  for (let layer = 0; layer < owner; layer++) if (how.draw(3) === 0) parts[layer] = stale;
  parts[owner] = value;
  return parts;
}

function splitSection(how: Split, section: SectionNode, value: unknown, stale: unknown): Parts {
  const parts: Parts = [undefined, undefined, undefined];
  const inner = { ...how, complete: how.complete || section.presence === "optional" };
  for (const [name, field] of section.fields) {
    const given = fieldOf(value, name);
    if (!inner.complete && how.draw(2) === 0 && isDefault(field, given)) continue;
    const found = split(inner, field, given, fieldOf(stale, name));
    for (const [layer, part] of found.entries()) {
      if (part !== undefined) parts[layer] = { ...(parts[layer] ?? {}), [name]: part };
    }
  }
  return parts;
}

function isDefault(field: ConfigNode, value: unknown): boolean {
  return field.presence === "default" && JSON.stringify(value) === JSON.stringify(field.fallback);
}

function splitKeyed(how: Split, list: KeyedListNode, value: unknown, stale: unknown): Parts {
  const items: readonly unknown[] = Array.isArray(value) ? value : [];
  const others: readonly unknown[] = Array.isArray(stale) ? stale : [];
  const lists: [unknown[], unknown[], unknown[]] = [[], [], []];
  for (const [index, item] of items.entries()) {
    const name = fieldOf(item, list.by);
    const inner = { ...how, layer: how.layer === 3 ? how.draw(3) : how.layer, complete: false };
    for (const [layer, part] of split(inner, list.item, item, others[index]).entries()) {
      if (part === undefined) continue;
      const place = how.draw((lists[layer]?.length ?? 0) + 1);
      lists[layer]?.splice(place, 0, { ...part, [list.by]: name });
    }
  }
  return lists.map((part) => (part.length === 0 ? undefined : part)) as Parts;
}

/** The same flags, some of them in two words where that is possible. */
function spell(words: readonly string[], draw: Draw): string[] {
  return words.flatMap((word) => {
    const equals = word.indexOf("=");
    const value = word.slice(equals + 1);
    return equals === -1 || value.startsWith("--") || draw(2) === 0 ? [word] : [word.slice(0, equals), value];
  });
}
