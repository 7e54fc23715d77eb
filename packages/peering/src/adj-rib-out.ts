import { type AttributeSet, isSameSet } from "./attribute-set.ts";
import type { Batch } from "./batch.ts";

/** A route that a peer is to be told. */
export type Wanted = { readonly attributes: AttributeSet; readonly healthy: boolean };

const none: readonly AttributeSet[] = [];

/** What one peer was told in this session, by service. */
export class AdjRibOut {
  readonly #sent = new Map<string, readonly AttributeSet[]>();
  /** Of what was told, the origins that were told to be unhealthy; few, so that the others need no mark. */
  readonly #unhealthy = new Map<string, Set<string>>();
  #routes = 0;

  get routes(): number {
    return this.#routes;
  }

  get(service: string): readonly AttributeSet[] {
    return this.#sent.get(service) ?? none;
  }

  entries(): MapIterator<[string, readonly AttributeSet[]]> {
    return this.#sent.entries();
  }

  /**
   * Makes these the routes of a service, and adds to the batch what the peer does not know; with `force`, all. What is
   * announced is announced with its health; where only that changed, {@link tellHealth} tells it in its own time.
   */
  replace(service: string, wanted: readonly Wanted[], force: boolean, batch: Batch): void {
    const before = this.get(service);
    const [only] = wanted;
    if (before.length === 0 && only === undefined) return;
    this.#routes += wanted.length - before.length;
    if (before.length === 0 && wanted.length === 1 && only !== undefined) {
      this.#announce(service, only, batch);
    } else this.#replaceAll(service, before, wanted, force, batch);
    if (only === undefined) this.#sent.delete(service);
    else {
      const sets = wanted.length === 1 ? only.attributes.alone : wanted.map(({ attributes }) => attributes);
      this.#sent.set(service, sets);
    }
  }

  /** Tells of one route whether it works, where the peer was told otherwise. */
  tellHealth(service: string, origin: string, healthy: boolean, batch: Batch): void {
    if (this.isToldUnhealthy(service, origin) === !healthy) return;
    batch.health(service, origin, healthy);
    this.#mark(service, origin, healthy);
  }

  isToldUnhealthy(service: string, origin: string): boolean {
    return this.#unhealthy.get(service)?.has(origin) ?? false;
  }

  #replaceAll(
    service: string,
    before: readonly AttributeSet[],
    wanted: readonly Wanted[],
    force: boolean,
    batch: Batch,
  ): void {
    const gone = new Map(before.map((set) => [set.origin, set]));
    for (const route of wanted) {
      const known = gone.get(route.attributes.origin);
      if (force || known === undefined || !isSameSet(known, route.attributes)) {
        this.#announce(service, route, batch);
      }
      gone.delete(route.attributes.origin);
    }
    for (const origin of gone.keys()) {
      batch.withdraw(origin, service);
      this.#mark(service, origin, true);
    }
  }

  #announce(service: string, { attributes, healthy }: Wanted, batch: Batch): void {
    batch.announce(attributes, service, healthy);
    this.#mark(service, attributes.origin, healthy);
  }

  #mark(service: string, origin: string, healthy: boolean): void {
    const marks = this.#unhealthy.get(service);
    if (!healthy) {
      if (marks === undefined) this.#unhealthy.set(service, new Set([origin]));
      else marks.add(origin);
    } else if (marks?.delete(origin) === true && marks.size === 0) this.#unhealthy.delete(service);
  }
}
