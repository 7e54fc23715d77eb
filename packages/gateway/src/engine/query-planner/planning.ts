import { OperationTooLarge } from "../plan-failure.ts";
import type { EntrySearch } from "./entry-search.ts";
import type { FederatedSchema } from "./federated-schema.ts";
import { Branch, type EntityInput, type FetchGroup, type View } from "./fetch-group.ts";

/** Fields that are looked at for one operation; abstract types and fragments on them multiply. */
const maxFields = 100_000;

/** The making of one plan: its fetches so far, and how much may still be looked at. */
export class Planning {
  readonly schema: FederatedSchema;
  readonly search: EntrySearch;
  readonly groups: FetchGroup[] = [];
  #left = maxFields;

  constructor(schema: FederatedSchema, search: EntrySearch) {
    this.schema = schema;
    this.search = search;
  }

  /** Throws {@link OperationTooLarge} when it was done too often. */
  count(): void {
    this.#left -= 1;
    if (this.#left < 0) throw new OperationTooLarge();
  }

  addRoot(service: string, type: string): View {
    return this.#add(service, type, null, new Set(), 0);
  }

  addEntities(service: string, entities: EntityInput, after: ReadonlySet<FetchGroup>, rank: number): View {
    return this.#add(service, entities.type, entities, after, rank);
  }

  #add(
    service: string,
    type: string,
    entities: EntityInput | null,
    after: ReadonlySet<FetchGroup>,
    rank: number,
  ): View {
    const branch = new Branch(type);
    const group: FetchGroup = { number: this.groups.length, service, entities, branch, after };
    this.groups.push(group);
    return { group, branch, service, type, provided: [], rank, below: new Map() };
  }
}
