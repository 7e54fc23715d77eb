import type { RequiresSelection } from "@graphql-hive/router-query-planner";
import { type AnswerParse, answerParser, asValue, type FieldReading, type Reading } from "./answer-parser.ts";
import { orNull, type Scan, scanList, scanObject, scanWord, wordOf } from "./json-scan.ts";
import type { EntityBatch, EntityFetch, PathSegment, PlanStep, RootFetch } from "./plan.ts";
import type { ObjectSelection, Output } from "./selection.ts";
import type { SubShape } from "./sub-shape.ts";

type Fetch = RootFetch | EntityFetch;

/**
 * What a plan does at one place of the data: the place of a field, whatever lists lie between. A value that one fetch
 * brings, and no other step looks into, can go to the client as its service wrote it.
 */
class Place {
  readonly below = new Map<string, Place>();
  readonly #bringers = new Set<Fetch>();
  #used = false;

  at(key: string): Place {
    const known = this.below.get(key);
    if (known !== undefined) return known;
    const place = new Place();
    this.below.set(key, place);
    return place;
  }

  brings(fetch: Fetch, shape: SubShape): void {
    for (const [key, inner] of shape) {
      const place = this.at(key);
      place.#bringers.add(fetch);
      if (inner !== null) place.brings(fetch, inner);
    }
  }

  /** Somebody needs what is here, or adds to it. */
  use(): void {
    this.#used = true;
  }

  needs(requires: readonly RequiresSelection[]): void {
    for (const selection of requires) {
      if (selection.kind === "InlineFragment") this.needs(selection.selections);
      else if (selection.kind === "Field") {
        const place = this.at(selection.name);
        place.use();
        place.needs(selection.selections ?? []);
      }
    }
  }

  /** Whether it and all below it come from this fetch, and nobody but the client wants it. */
  isOnlyOf(fetch: Fetch): boolean {
    if (this.#used || this.#bringers.size !== 1 || !this.#bringers.has(fetch)) return false;
    return [...this.below.values()].every((place) => place.isOnlyOf(fetch));
  }
}

/** How the answers of a plan's fetches are parsed; those that are not named, as a whole. */
export function findPassages(step: PlanStep, selection: ObjectSelection): ReadonlyMap<Fetch, AnswerParse> {
  const fetches = fetchesOf(step);
  const root = new Place();
  for (const fetch of fetches) {
    if (fetch.kind === "root") root.brings(fetch, fetch.shape);
    else for (const batch of fetch.batches) addBatch(root, fetch, batch);
  }
  const found = new Map<Fetch, AnswerParse>();
  for (const fetch of fetches) {
    const reading =
      fetch.kind === "root" ? readRoot(fetch, root, selection) : readEntities(fetch, root, selection);
    if (reading.kind !== "value") found.set(fetch, answerParser(reading));
  }
  return found;
}

function fetchesOf(step: PlanStep): Fetch[] {
  return step.kind === "root" || step.kind === "entities" ? [step] : step.steps.flatMap(fetchesOf);
}

function addBatch(root: Place, fetch: EntityFetch, { paths, answerKey, representation }: EntityBatch): void {
  for (const path of paths) {
    let place = root;
    for (const segment of path) {
      if (segment.kind !== "field") continue;
      place = place.at(segment.key);
      place.use();
    }
    place.needs(representation.requires);
    place.brings(fetch, fetch.shape.get(answerKey) ?? new Map());
  }
}

function readRoot(fetch: RootFetch, root: Place, selection: ObjectSelection): Reading {
  if (fetch.rewrites.length > 0) return asValue;
  return readFields(fetch, fetch.shape, root, selection);
}

/** Entities of several places may be selected from in several ways: their answers are parsed as a whole. */
function readEntities(fetch: EntityFetch, root: Place, selection: ObjectSelection): Reading {
  const fields: FieldReading[] = [];
  for (const { answerKey, paths, outputRewrites } of fetch.batches) {
    const shape = fetch.shape.get(answerKey);
    const [path, ...others] = paths;
    const selected = path === undefined || others.length > 0 ? null : selectedAt(selection, path);
    const plain = fetch.rewrites.length + outputRewrites.length === 0;
    const element =
      !plain || path === undefined || selected === null || !shape
        ? asValue
        : readFields(fetch, shape, placeAt(root, path), selected);
    fields.push(fieldOf(answerKey, listOf(element)));
  }
  return objectOf(fields);
}

function placeAt(root: Place, path: readonly PathSegment[]): Place {
  return path.reduce((place, segment) => (segment.kind === "field" ? place.at(segment.key) : place), root);
}

/** What is selected from the objects at a path; null when that depends on their types. */
function selectedAt(root: ObjectSelection, path: readonly PathSegment[]): ObjectSelection | null {
  let selected = root;
  for (const segment of path) {
    if (segment.kind !== "field") continue;
    const field = selected.fields.find(({ source }) => source === segment.key);
    const output = field === undefined ? null : elementOf(field.output);
    if (output?.kind !== "object") return null;
    selected = output.selection;
  }
  return selected;
}

function elementOf(output: Output): Output {
  return output.kind === "list" ? elementOf(output.element) : output;
}

/** A reading of objects with passages in them; as a value when there are none. */
function readFields(fetch: Fetch, shape: SubShape, place: Place, { fields }: ObjectSelection): Reading {
  const readings: FieldReading[] = [];
  for (const [key, inner] of shape) {
    const output = fields.find(({ source }) => source === key)?.output;
    const reading =
      inner === null || output === undefined ? asValue : readField(fetch, inner, place.at(key), output);
    readings.push(fieldOf(key, reading));
  }
  return objectOf(readings);
}

function fieldOf(key: string, reading: Reading): FieldReading {
  return { key, word: wordOf(`${JSON.stringify(key)}:`), reading };
}

function objectOf(fields: readonly FieldReading[]): Reading {
  return fields.some(({ reading }) => reading.kind !== "value") ? { kind: "object", fields } : asValue;
}

function listOf(element: Reading): Reading {
  return element.kind === "value" ? asValue : { kind: "list", element };
}

function readField(fetch: Fetch, shape: SubShape, place: Place, output: Output): Reading {
  const scan = place.isOnlyOf(fetch) ? scanOf(output, shape) : null;
  return scan === null ? readBelow(fetch, shape, place, output) : { kind: "passage", scan };
}

function readBelow(fetch: Fetch, shape: SubShape, place: Place, output: Output): Reading {
  if (output.kind === "object") return readFields(fetch, shape, place, output.selection);
  if (output.kind !== "list") return asValue;
  return listOf(readBelow(fetch, shape, place, output.element));
}

/** Finds what is, as it stands, what the client is to get; null when nothing that the fetch brings can be that. */
function scanOf(output: Output, shape: SubShape | null): Scan | null {
  const scan = scanPresent(output, shape);
  return scan === null || output.nonNull ? scan : orNull(scan);
}

function scanPresent(output: Output, shape: SubShape | null): Scan | null {
  switch (output.kind) {
    case "leaf":
      return shape === null ? output.scan : null;
    case "list": {
      const element = scanOf(output.element, shape);
      return element === null ? null : scanList(element);
    }
    case "object":
      return shape === null ? null : scanSelected(output.selection, shape);
    default:
      return null;
  }
}

/** The same fields under the same keys in the same order: not so where keys of entities were asked for besides. */
function scanSelected({ typeName, fields }: ObjectSelection, shape: SubShape): Scan | null {
  const asked = [...shape];
  if (asked.length !== fields.length) return null;
  const scans: { key: string; scan: Scan }[] = [];
  for (const [index, { key, source, output }] of fields.entries()) {
    const [askedKey, inner] = asked[index] ?? [];
    if (key !== source || key !== askedKey || inner === undefined) return null;
    const scan = output.kind === "typename" ? scanName(typeName) : scanOf(output, inner);
    if (scan === null) return null;
    scans.push({ key, scan });
  }
  return scanObject(scans);
}

function scanName(typeName: string): Scan {
  const word = wordOf(JSON.stringify(typeName));
  return (json, at) => scanWord(json, at, word);
}
