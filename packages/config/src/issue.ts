import { z } from "zod";
import { type ConfigDefinition, namedNodes } from "./definition.ts";
import { type Fault, makeFault } from "./fault.ts";
import { nearest } from "./nearest.ts";
import { peel } from "./peel.ts";
import { locate, type Place } from "./place.ts";
import { plainValue, type Raw } from "./raw.ts";
import { issueWords } from "./words.ts";

/** An issue of the one parse over the merged layers as faults with the places that it came from. */
export function issueFaults(definition: ConfigDefinition, merged: Raw, issue: z.core.$ZodIssue): Fault[] {
  const place = locate(definition.root, merged, issue.path);
  if (place.refused) return [];
  if (issue.code === "unrecognized_keys") {
    return issue.keys.map((name) => unknownKey(definition, merged, [...issue.path, name]));
  }
  const inner = innerIssues(issue);
  if (inner !== undefined) return inner.flatMap((part) => issueFaults(definition, merged, part));
  if (place.raw === undefined && issue.code !== "custom") return [missing(place)];
  const value = place.raw === undefined ? issue.input : plainValue(place.node, place.raw);
  const words = issueWords(issue, value, place.secret);
  return [
    makeFault(place.key, place.source, words.problem, { ...words, hint: words.hint ?? rangeHint(place) }),
  ];
}

function unknownKey(definition: ConfigDefinition, merged: Raw, path: readonly PropertyKey[]): Fault {
  const place = locate(definition.root, merged, path);
  const name = String(path.at(-1));
  const known = [...knownNames(definition.schema, path.slice(0, -1))];
  const elsewhere = namedNodes(definition.root).map((node) => node.key);
  const near = nearest(name, [...known, ...elsewhere]);
  const list = near === undefined && known.length > 0 && known.length <= 12;
  return makeFault(place.key, place.raw?.nameSource ?? place.source, "is not a known key", {
    nearest: near,
    hint: list ? `known here: ${known.join(", ")}` : undefined,
  });
}

/** The names that the objects at a path of a schema have. */
function knownNames(schema: z.core.$ZodType, path: readonly PropertyKey[]): string[] {
  const { inner } = peel(schema);
  const [step, ...rest] = path;
  if (inner instanceof z.core.$ZodUnion)
    return inner._zod.def.options.flatMap((form) => knownNames(form, path));
  if (inner instanceof z.core.$ZodNullable) return knownNames(inner._zod.def.innerType, path);
  if (inner instanceof z.core.$ZodObject) {
    const { shape } = inner._zod.def;
    if (step === undefined) return Object.keys(shape);
    const field = Object.hasOwn(shape, step) ? shape[String(step)] : undefined;
    return field === undefined ? [] : knownNames(field, rest);
  }
  if (step === undefined) return [];
  if (inner instanceof z.core.$ZodArray) return knownNames(inner._zod.def.element, rest);
  if (inner instanceof z.core.$ZodRecord) return knownNames(inner._zod.def.valueType, rest);
  return [];
}

/** For alternatives of which one fits but for something inside of it: what is wrong there. */
function innerIssues(issue: z.core.$ZodIssue): z.core.$ZodIssue[] | undefined {
  if (issue.code !== "invalid_union") return undefined;
  const close = issue.errors.filter(
    (branch) => branch.length > 0 && branch.every((part) => part.path.length > 0),
  );
  const best = close.toSorted((a, b) => a.length - b.length)[0];
  return best?.map((part) => ({ ...part, path: [...issue.path, ...part.path] }));
}

function missing(place: Place): Fault {
  const range = place.exact && place.node.meta.range !== undefined ? `, ${place.node.meta.range}` : "";
  const names = place.exact ? place.node.names : undefined;
  const hint =
    names === undefined
      ? `add "${place.key.slice(place.key.lastIndexOf(".") + 1)}"${range}`
      : `set ${place.key} in the file, ${names.variable} or --${names.flag}${range}`;
  return makeFault(place.key, place.source, "is missing", { hint });
}

function rangeHint(place: Place): string | undefined {
  const { range } = place.node.meta;
  return range === undefined ? undefined : `expected ${range}`;
}
