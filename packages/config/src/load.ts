import type { z } from "zod";
import type { ConfigDefinition } from "./definition.ts";
import { type Environment, environmentLayer } from "./environment.ts";
import type { Fault, Source } from "./fault.ts";
import { type ConfigFile, fileLayer } from "./file.ts";
import { flagLayer, type ParsedFlags } from "./flags.ts";
import { issueFaults } from "./issue.ts";
import { rawAt } from "./place.ts";
import { mergeRaw, plainValue, type Raw } from "./raw.ts";
import { leaves } from "./value-tree.ts";

/** The layers, the lowest first. Each may be absent. */
export type ConfigInput = {
  readonly file?: ConfigFile;
  readonly env?: Environment;
  readonly flags?: ParsedFlags;
};

/** The effective configuration and where each value came from, or everything that is wrong. */
export type LoadResult<Schema extends z.ZodObject> =
  | LoadedConfig<Schema>
  | { readonly ok: false; readonly faults: readonly Fault[] };

export type LoadedConfig<Schema extends z.ZodObject = z.ZodObject> = {
  readonly ok: true;
  readonly value: z.infer<Schema>;
  /** By key, for every option that has a value: `mesh.services[products].url` → its source. */
  readonly sources: ReadonlyMap<string, Source>;
  readonly definition: ConfigDefinition<Schema>;
};

/**
 * Reads a configuration from a file, the environment and flags.
 *
 * A flag goes before a variable, and a variable before the file, option by option; keyed lists are merged by key
 * and, inside an item, by field; other lists are replaced. The result is checked once, over the merged layers: a
 * wrong value that a higher layer replaces does no harm, but names that do not exist are refused in every layer.
 * Never throws for what it reads, and never asks for anything outside of `input`. A list's items that are wrong do
 * not hide what else is wrong; only a file that is not JSON hides what it holds.
 */
export function loadConfig<Schema extends z.ZodObject>(
  definition: ConfigDefinition<Schema>,
  input: ConfigInput,
): LoadResult<Schema> {
  const faults: Fault[] = [];
  const report = (fault: Fault): void => void faults.push(fault);
  const file = input.file === undefined ? { raw: undefined, complete: true } : fileLayer(input.file, report);
  const layers = [
    file.raw,
    environmentLayer(definition, input.env ?? {}, report),
    flagLayer(definition, input.flags ?? [], report),
  ].filter((layer) => layer !== undefined);
  const empty: Raw = { kind: "object", source: { kind: "default" }, fields: new Map() };
  const merged = layers.reduce((low, high) => mergeRaw(definition.root, low, high, report), empty);
  const parsed = definition.schema.safeParse(plainValue(definition.root, merged), { reportInput: true });
  for (const issue of parsed.error?.issues ?? []) {
    const found = issueFaults(definition, merged, issue);
    faults.push(...found.filter((fault) => file.complete || isCertain(fault, issue)));
  }
  if (!parsed.success || faults.length > 0) {
    return { ok: false, faults };
  }
  const sources = new Map<string, Source>(
    leaves(definition.root, parsed.data).map(({ key, path }) => {
      return [key, rawAt(merged, path)?.source ?? { kind: "default" }];
    }),
  );
  return { ok: true, value: parsed.data, sources, definition };
}

/** Without the file nobody knows what is missing, or what does not go together. */
function isCertain(fault: Fault, issue: z.core.$ZodIssue): boolean {
  return fault.source.kind !== "default" && issue.code !== "custom";
}
