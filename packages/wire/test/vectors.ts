import { readFileSync } from "node:fs";
import { join } from "node:path";

const folder = join(import.meta.dirname, "../../../spec/vectors");

/** A file of spec/vectors, by its path there. */
export function readVectors<Content>(path: string): Content {
  return JSON.parse(readFileSync(join(folder, path), "utf8")) as Content;
}

/** The cases of a file of spec/vectors. */
export function readCases<Case>(path: string): readonly (Case & { readonly name: string })[] {
  return readVectors<{ vectors: (Case & { name: string })[] }>(path).vectors;
}
