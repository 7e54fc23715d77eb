import type { Source } from "./fault.ts";
import type { Raw } from "./raw.ts";

type Branch = { readonly kind: "branch"; readonly fields: Map<string, Branch | Raw> };

/** Puts single values, each at its path, together to one object. */
export class Assembly {
  readonly #root: Branch = { kind: "branch", fields: new Map() };
  readonly #source: Source;

  /** @param source the place of the objects in between, which nobody wrote. */
  constructor(source: Source) {
    this.#source = source;
  }

  /** Puts a value where none is; false when one is, there or on the way. */
  add(path: readonly string[], raw: Raw): boolean {
    const [branch, name] = this.#reach(path);
    if (branch === undefined || branch.fields.has(name)) return false;
    branch.fields.set(name, raw);
    return true;
  }

  /** Puts a value in place of any other. */
  replace(path: readonly string[], raw: Raw): void {
    const [branch, name] = this.#reach(path);
    branch?.fields.set(name, raw);
  }

  /** Puts an item at the end of the list at `path`; false when something else is there. */
  append(path: readonly string[], item: Raw): boolean {
    const [branch, name] = this.#reach(path);
    const list = branch?.fields.get(name);
    if (branch === undefined || (list !== undefined && list.kind !== "list")) return false;
    branch.fields.set(name, { kind: "list", source: item.source, items: [...(list?.items ?? []), item] });
    return true;
  }

  /** The object as far as it is put together. */
  raw(): Raw {
    return this.#rawOf(this.#root);
  }

  #reach(path: readonly string[]): [Branch | undefined, string] {
    let branch: Branch = this.#root;
    for (const name of path.slice(0, -1)) {
      const next: Branch | Raw = branch.fields.get(name) ?? { kind: "branch", fields: new Map() };
      if (next.kind !== "branch") return [undefined, name];
      branch.fields.set(name, next);
      branch = next;
    }
    return [branch, path.at(-1) ?? ""];
  }

  #rawOf(branch: Branch): Raw {
    const fields = new Map<string, Raw>();
    for (const [name, part] of branch.fields) {
      fields.set(name, part.kind === "branch" ? this.#rawOf(part) : part);
    }
    return { kind: "object", source: this.#source, fields };
  }
}
