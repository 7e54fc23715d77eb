import { NameMap } from "./name-map.ts";
import type { ResourceName } from "./resource.ts";
import type { Acknowledged, View } from "./subscription.ts";
import type { Entry, ResourceTable } from "./table.ts";

/** What is published under one key, together with what any of its clients acknowledged last. */
export class Published implements View {
  readonly table: ResourceTable;
  readonly #accepted = new NameMap<Entry>();

  constructor(table: ResourceTable) {
    this.table = table;
  }

  get revision(): number {
    return this.table.revision;
  }

  entry(name: ResourceName): Entry | undefined {
    return this.table.entry(name);
  }

  entries(type: string): ReadonlyMap<string, Entry> {
    return this.table.entries(type);
  }

  resolves(name: ResourceName): boolean {
    return this.table.resolves(name);
  }

  fingerprint(type: string): string {
    return this.table.fingerprint(type);
  }

  accepted(name: ResourceName): Entry | undefined {
    return this.#accepted.get(name);
  }

  /** A client acknowledged something. */
  note({ type, upsert, removed }: Acknowledged): void {
    for (const name of removed) this.#accepted.delete({ type, name });
    for (const entry of upsert) this.#accepted.set(entry.resource, entry);
  }
}
