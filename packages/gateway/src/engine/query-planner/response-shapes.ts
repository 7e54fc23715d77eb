import type { Branch, BranchField } from "./fetch-group.ts";

/** A key of an answer that stands for another one. */
export type Renamed = { readonly path: readonly string[]; readonly to: string };

type Use = { readonly branch: Branch; readonly field: BranchField };

/**
 * Gives other keys to fields whose key another type at the same place has for a field of another shape (GraphQL, "Field
 * Selection Merging"): two types of one service may differ where all services together have one type for both.
 */
export class ResponseShapes {
  /** What was renamed, the innermost first. */
  readonly renamed: Renamed[] = [];
  readonly #keys = new Map<Branch, Map<string, string>>();
  #count = 0;

  constructor(branch: Branch) {
    this.#separate([branch], []);
  }

  keyOf(branch: Branch, key: string): string {
    return this.#keys.get(branch)?.get(key) ?? key;
  }

  #separate(branches: readonly Branch[], path: readonly string[]): void {
    const uses = new Map<string, Use[]>();
    for (const branch of branches) collect(branch, uses);
    for (const [key, all] of uses) {
      const [first] = all;
      for (const [shape, alike] of Map.groupBy(all, ({ field }) => shapeOf(field))) {
        const isFirst = first !== undefined && shape === shapeOf(first.field);
        const name = isFirst ? key : this.#rename(alike, key);
        const below = alike.flatMap(({ field }) => field.below ?? []);
        if (below.length > 0) this.#separate(below, [...path, name]);
        if (!isFirst) this.renamed.push({ path: [...path, name], to: key });
      }
    }
  }

  #rename(uses: readonly Use[], key: string): string {
    const name = `_s${this.#count++}`;
    for (const { branch } of uses) {
      const names = this.#keys.get(branch) ?? new Map();
      this.#keys.set(branch, names.set(key, name));
    }
    return name;
  }
}

function collect(branch: Branch, uses: Map<string, Use[]>): void {
  for (const [key, field] of branch.fields) {
    const known = uses.get(key);
    if (known === undefined) uses.set(key, [{ branch, field }]);
    else known.push({ branch, field });
  }
  for (const inner of branch.fragments.values()) collect(inner, uses);
}

/** Objects may be of any type; what is in them is looked at by itself. */
function shapeOf({ type, below }: BranchField): string {
  return below === null ? type.text : type.text.replace(type.name, "{}");
}
