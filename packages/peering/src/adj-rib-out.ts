import { type AttributeSet, isSameSet } from "./attribute-set.ts";
import type { Batch } from "./batch.ts";

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

  /** Makes these the routes of a service, and adds to the batch what the peer does not know; with `force`, all. */
  replace(service: string, wanted: readonly AttributeSet[], force: boolean, batch: Batch): void {
    const before = this.get(service);
    if (before.length === 0 && wanted.length === 0) return;
    this.#routes += wanted.length - before.length;
    if (before.length === 1 && wanted.length === 1)
      this.#replaceOne(service, before[0], wanted[0], force, batch);
    else this.#replaceAll(service, before, wanted, force, batch);
    if (wanted.length === 0) this.#sent.delete(service);
    else this.#sent.set(service, (wanted.length === 1 ? wanted[0]?.alone : undefined) ?? wanted);
  }

  /** Tells of one route whether it works, where the peer was told otherwise. */
  tellHealth(service: string, origin: string, healthy: boolean, batch: Batch): void {
    const marks = this.#unhealthy.get(service);
    if ((marks?.has(origin) ?? false) === !healthy) return;
    batch.health(service, origin, healthy);
    if (healthy) this.#unmark(service, origin);
    else if (marks !== undefined) marks.add(origin);
    else this.#unhealthy.set(service, new Set([origin]));
  }

  isToldUnhealthy(service: string, origin: string): boolean {
    return this.#unhealthy.get(service)?.has(origin) ?? false;
  }

  #replaceOne(
    service: string,
    before: AttributeSet | undefined,
    wanted: AttributeSet | undefined,
    force: boolean,
    batch: Batch,
  ): void {
    if (before === undefined || wanted === undefined) return;
    if (before.origin !== wanted.origin) this.#withdraw(service, before.origin, batch);
    if (force || !isSameSet(before, wanted)) batch.announce(wanted, service);
  }

  #replaceAll(
    service: string,
    before: readonly AttributeSet[],
    wanted: readonly AttributeSet[],
    force: boolean,
    batch: Batch,
  ): void {
    const gone = new Map(before.map((set) => [set.origin, set]));
    for (const set of wanted) {
      const known = gone.get(set.origin);
      if (force || known === undefined || !isSameSet(known, set)) batch.announce(set, service);
      gone.delete(set.origin);
    }
    for (const origin of gone.keys()) this.#withdraw(service, origin, batch);
  }

  #withdraw(service: string, origin: string, batch: Batch): void {
    batch.withdraw(origin, service);
    this.#unmark(service, origin);
  }

  #unmark(service: string, origin: string): void {
    const marks = this.#unhealthy.get(service);
    if (marks?.delete(origin) === true && marks.size === 0) this.#unhealthy.delete(service);
  }
}
