import type { ResourceName } from "./resource.ts";

/** A map whose keys are resource names, in two levels: type, then name. */
export class NameMap<V> {
  readonly #types = new Map<string, Map<string, V>>();

  get(key: ResourceName): V | undefined {
    return this.#types.get(key.type)?.get(key.name);
  }

  has(key: ResourceName): boolean {
    return this.#types.get(key.type)?.has(key.name) ?? false;
  }

  set(key: ResourceName, value: V): void {
    const names = this.#types.get(key.type);
    if (names) names.set(key.name, value);
    else this.#types.set(key.type, new Map([[key.name, value]]));
  }

  delete(key: ResourceName): boolean {
    return this.#types.get(key.type)?.delete(key.name) ?? false;
  }

  /** The names of one type with their values; empty for a type that was never set. */
  ofType(type: string): ReadonlyMap<string, V> {
    return this.#types.get(type) ?? new Map();
  }

  /** Deletes what `gone` says of its value. */
  prune(gone: (value: V) => boolean): void {
    for (const names of this.#types.values()) {
      for (const [name, value] of names) if (gone(value)) names.delete(name);
    }
  }

  *values(): Generator<V> {
    for (const names of this.#types.values()) yield* names.values();
  }
}
