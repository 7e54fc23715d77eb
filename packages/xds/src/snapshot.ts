import { NameMap } from "./name-map.ts";
import type { Resource, ResourceName } from "./resource.ts";

/** An immutable set of resources, one per type and name (the last one given wins). */
export class Snapshot {
  readonly #resources = new NameMap<Resource>();
  readonly size: number;

  constructor(resources: Iterable<Resource> = []) {
    let size = 0;
    for (const resource of resources) {
      if (!this.#resources.has(resource)) size++;
      this.#resources.set(resource, resource);
    }
    this.size = size;
  }

  get(name: ResourceName): Resource | undefined {
    return this.#resources.get(name);
  }

  /** Every resource, grouped by type. */
  [Symbol.iterator](): Iterator<Resource> {
    return this.#resources.values();
  }
}
