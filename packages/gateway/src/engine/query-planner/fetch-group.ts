import type { FlattenNodePathSegment } from "@graphql-hive/router-query-planner";
import type { FieldSet, Provided, TypeReference } from "./federated-schema.ts";
import type { FieldSelection } from "./field-selection.ts";
import type { Place } from "./place.ts";

/** What one request asks for at one place: fields by their keys, and more by type. */
export class Branch {
  /** As the service calls what is there. */
  readonly type: string;
  readonly fields = new Map<string, BranchField>();
  readonly fragments = new Map<string, Branch>();

  constructor(type: string) {
    this.type = type;
  }

  get isEmpty(): boolean {
    return this.fields.size === 0 && this.fragments.values().every((branch) => branch.isEmpty);
  }

  addTypename(): void {
    if (!this.fields.has("__typename")) this.fields.set("__typename", typename);
  }

  /** What is asked for besides of objects of a type. */
  on(type: string): Branch {
    const known = this.fragments.get(type);
    if (known !== undefined) return known;
    const branch = new Branch(type);
    this.fragments.set(type, branch);
    return branch;
  }
}

export type BranchField = {
  readonly name: string;
  readonly args: string;
  readonly variables: readonly string[];
  readonly type: TypeReference;
  readonly below: Branch | null;
};

const typename: BranchField = {
  name: "__typename",
  args: "",
  variables: [],
  type: { name: "String", lists: 0, text: "String!" },
  below: null,
};

export function branchField(field: FieldSelection, type: TypeReference, below: Branch | null): BranchField {
  return { name: field.name, args: field.args, variables: field.variables, type, below };
}

/** Entities that a service is asked for: where they stand, and what it is told of them. */
export type EntityInput = {
  readonly path: readonly FlattenNodePathSegment[];
  /** As the service calls them. */
  readonly type: string;
  /** Their key, and what is required besides. */
  readonly fieldSets: readonly FieldSet[];
};

/** One service asked once: fields of a root, or of the entities at one place. */
export type FetchGroup = {
  readonly number: number;
  readonly service: string;
  /** Null for a root. */
  readonly entities: EntityInput | null;
  readonly branch: Branch;
  /** What must be there before. */
  readonly after: ReadonlySet<FetchGroup>;
};

/** What one service shows of the objects at a place. */
export type View = {
  readonly group: FetchGroup;
  readonly branch: Branch;
  readonly service: string;
  /** As the service calls them. */
  readonly type: string;
  readonly provided: Provided;
  /** See {@link Entry}; 0 for what shows the objects first. */
  readonly rank: number;
  /** What is below its fields, by their keys. */
  readonly below: Map<string, Place>;
};
