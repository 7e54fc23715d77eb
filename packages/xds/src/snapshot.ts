import type { XdsError } from "./errors.ts";
import { NameMap } from "./name-map.ts";
import { routeType, scopedRouteReferences, scopedRouteType } from "./references.ts";
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

/**
 * The snapshot without scopes that name routes which are not in it: of what a client has acknowledged the routes may come after the
 * scope, and an Envoy that starts waits for them before it listens. Throws {@link XdsError} `resource_malformed`.
 */
export function withRoutes(snapshot: Snapshot): Snapshot {
  const hasRoutes = ({ type, body }: Resource) =>
    type !== scopedRouteType ||
    [...scopedRouteReferences(body)].every((name) => name.type !== routeType || snapshot.get(name));
  return new Snapshot([...snapshot].filter(hasRoutes));
}
