import { type MissingReference, XdsError } from "./errors.ts";
import { NameMap } from "./name-map.ts";
import type { Change, Resource, ResourceName } from "./resource.ts";
import type { ResourceType } from "./resource-type.ts";
import { Snapshot } from "./snapshot.ts";

/** A published resource with what it names and the revision that published it (0: a version known by hash only). */
export type Entry = {
  readonly resource: Resource;
  readonly references: readonly ResourceName[];
  readonly revision: number;
};

/** A checked change, ready to be committed: only what differs from the table. */
export type Plan = {
  readonly revision: number;
  readonly upsert: readonly Entry[];
  readonly remove: readonly Entry[];
};

type Changed = { readonly name: ResourceName; readonly entry: Entry | undefined };

/** What is published under one snapshot key. Planning checks, committing cannot fail; both cost what the change has. */
export class ResourceTable {
  readonly #entries = new NameMap<Entry>();
  readonly #referrers = new NameMap<number>();
  readonly #fingerprints = new Map<string, number>();
  readonly #typeOf: (url: string) => ResourceType;
  readonly #external: NameMap<true>;
  /** Counts the committed changes; 0 means that nothing was published yet. */
  revision = 0;

  constructor(typeOf: (url: string) => ResourceType, external: readonly ResourceName[] = []) {
    this.#typeOf = typeOf;
    this.#external = new NameMap();
    for (const name of external) this.#external.set(name, true);
  }

  entry(name: ResourceName): Entry | undefined {
    return this.#entries.get(name);
  }

  entries(type: string): ReadonlyMap<string, Entry> {
    return this.#entries.ofType(type);
  }

  /** Everything that is published now. */
  snapshot(): Snapshot {
    const resources: Resource[] = [];
    for (const { resource } of this.#entries.values()) resources.push(resource);
    return new Snapshot(resources);
  }

  /** Whether a reference leads somewhere: to a published resource, or to one that proxies know by themselves. */
  resolves(name: ResourceName): boolean {
    return this.#entries.has(name) || this.#external.has(name);
  }

  /** A text that depends only on the published names and bytes of a type, not on how they came to be. */
  fingerprint(type: string): string {
    return (this.#fingerprints.get(type) ?? 0).toString(16).padStart(8, "0");
  }

  /**
   * Checks a change. Throws {@link XdsError} `reference_missing` with every reference that would dangle, and
   * `resource_malformed`; `check: false` takes dangling references as they are.
   */
  plan(change: Change, check = true): Plan {
    const revision = this.revision + 1;
    const changed = new NameMap<Changed>();
    for (const name of change.remove ?? []) changed.set(name, { name, entry: undefined });
    for (const resource of change.upsert ?? []) {
      if (this.#entries.get(resource)?.resource.version === resource.version) changed.delete(resource);
      else changed.set(resource, { name: resource, entry: this.#toEntry(resource, revision) });
    }
    const upsert: Entry[] = [];
    const remove: Entry[] = [];
    for (const { name, entry } of changed.values()) {
      const before = this.#entries.get(name);
      if (entry) upsert.push(entry);
      else if (before) remove.push(before);
    }
    const plan = { revision, upsert, remove };
    if (check) this.#check(plan, changed);
    return plan;
  }

  /** The change that turns the table into `snapshot`. */
  changeTo(snapshot: Snapshot): Change {
    const remove: ResourceName[] = [];
    for (const { resource } of this.#entries.values()) if (!snapshot.get(resource)) remove.push(resource);
    return { upsert: [...snapshot], remove };
  }

  commit(plan: Plan): void {
    for (const entry of plan.remove) this.#take(entry);
    for (const entry of plan.upsert) {
      const before = this.#entries.get(entry.resource);
      if (before) this.#take(before);
      this.#entries.set(entry.resource, entry);
      this.#mix(entry.resource);
      for (const name of entry.references) this.#referrers.set(name, (this.#referrers.get(name) ?? 0) + 1);
    }
    this.revision = plan.revision;
  }

  #check(plan: Plan, changed: NameMap<Changed>): void {
    const exists = (name: ResourceName): boolean => {
      const change = changed.get(name);
      return this.#external.has(name) || (change ? change.entry !== undefined : this.#entries.has(name));
    };
    const missing: MissingReference[] = [];
    for (const { resource, references } of plan.upsert) {
      for (const name of references) if (!exists(name)) missing.push({ resource, missing: name });
    }
    const freed = new NameMap<number>();
    for (const { name } of changed.values()) {
      for (const target of this.#entries.get(name)?.references ?? []) {
        if (!exists(target)) freed.set(target, (freed.get(target) ?? 0) + 1);
      }
    }
    for (const { resource: target } of plan.remove) {
      if (exists(target) || (this.#referrers.get(target) ?? 0) <= (freed.get(target) ?? 0)) continue;
      missing.push(...this.#referrersOf(target, changed));
    }
    if (missing.length > 0) throw missingError(missing);
  }

  /** Walks the whole table: only for the text of an error. */
  *#referrersOf(target: ResourceName, changed: NameMap<Changed>): Generator<MissingReference> {
    for (const { resource, references } of this.#entries.values()) {
      if (changed.has(resource)) continue;
      if (references.some(({ type, name }) => type === target.type && name === target.name)) {
        yield { resource, missing: target };
      }
    }
  }

  #toEntry(resource: Resource, revision: number): Entry {
    const references = new NameMap<ResourceName>();
    const named = resource.references ?? this.#typeOf(resource.type).references(resource.body);
    for (const name of named) references.set(name, name);
    return { resource, references: [...references.values()], revision };
  }

  #take(entry: Entry): void {
    this.#entries.delete(entry.resource);
    this.#mix(entry.resource);
    for (const name of entry.references) {
      const left = (this.#referrers.get(name) ?? 0) - 1;
      if (left > 0) this.#referrers.set(name, left);
      else this.#referrers.delete(name);
    }
  }

  /** Mixes a resource into the fingerprint of its type, or out of it again: exclusive or is its own inverse. */
  #mix(resource: Resource): void {
    const before = this.#fingerprints.get(resource.type) ?? 0;
    this.#fingerprints.set(resource.type, (before ^ fnv1a(`${resource.name}\n${resource.version}`)) >>> 0);
  }
}

function missingError(missing: readonly MissingReference[]): XdsError {
  const shown = missing
    .slice(0, 3)
    .map(({ resource, missing: to }) => `${spell(resource)} names ${spell(to)}`);
  const more = missing.length > shown.length ? ` (and ${missing.length - shown.length} more)` : "";
  return new XdsError("reference_missing", `References do not resolve: ${shown.join("; ")}${more}.`, {
    missing,
  });
}

function spell({ type, name }: ResourceName): string {
  return `${type.slice(type.lastIndexOf(".") + 1)} "${name}"`;
}

function fnv1a(text: string): number {
  let state = 0x811c9dc5;
  for (let at = 0; at < text.length; at++) state = Math.imul(state ^ text.charCodeAt(at), 0x01000193);
  return state >>> 0;
}
