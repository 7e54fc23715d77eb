import type { FlattenNodePathSegment } from "@graphql-hive/router-query-planner";
import { PlanFailure } from "../plan-failure.ts";
import type { Entry } from "./entry-search.ts";
import { type FieldPart, type FieldSet, narrowed } from "./federated-schema.ts";
import { Branch, branchField, type FetchGroup, type View } from "./fetch-group.ts";
import {
  apart,
  type FieldSelection,
  fieldsOnly,
  type Selection,
  type TypeSelection,
  together,
} from "./field-selection.ts";
import type { Planning } from "./planning.ts";

export type Path = readonly FlattenNodePathSegment[];

/** What is selected and under which bounds. */
type Want = {
  /** Collects the fetches that bring it. */
  readonly suppliers: Set<FetchGroup>;
  /** What leads to a service must not need it: only what is nearer may bring it. */
  readonly below: number;
};

/**
 * Objects at one place of the answer. One service shows them first, and others are asked for more: each once for
 * all that is wanted there, and once more for what requires what others have.
 */
export class Place {
  readonly #planning: Planning;
  readonly #path: Path;
  readonly #type: string;
  readonly #first: View;
  readonly #joined = new Map<string, View>();
  readonly #joining = new Set<string>();
  readonly #narrowed = new Map<string, Place>();
  #concrete: Place | null | undefined;
  #found: readonly Entry[] | undefined;

  constructor(planning: Planning, path: Path, type: string, first: View) {
    this.#planning = planning;
    this.#path = path;
    this.#type = type;
    this.#first = first;
  }

  /** What the service that shows the objects first is asked for. */
  get branch(): Branch {
    return this.#first.branch;
  }

  /** Plans what is wanted; returns what nobody can be asked for, or null. */
  select(
    selection: Selection,
    suppliers: Set<FetchGroup>,
    below = Number.POSITIVE_INFINITY,
  ): Selection | null {
    const want: Want = { suppliers, below };
    const { schema } = this.#planning;
    if (schema.isAbstractIn(this.#first.service, this.#first.type))
      return this.#selectByType(selection, want);
    return this.#isInterfaceObject
      ? this.#selectOfInterface(selection, want)
      : this.#selectOfOne(selection, want);
  }

  /** Of objects of one type. */
  #selectOfOne({ fields, fragments }: Selection, want: Want): Selection | null {
    let left = this.#selectFields(fields, want);
    for (const { type, selection } of fragments) {
      if (!this.#planning.schema.isSubtype(this.#first.type, type)) continue;
      left = together(left, this.#selectOfOne(selection, want));
    }
    return left;
  }

  /** Of objects that their service knows by an interface alone: another one tells their types where that matters. */
  #selectOfInterface(selection: Selection, want: Want): Selection | null {
    const { alike, byType, fragments } = apart(selection);
    const names = alike.filter(({ name }) => name === "__typename");
    const left = this.#selectFields(
      alike.filter((field) => !names.includes(field)),
      want,
    );
    const typed: Selection = { fields: [...names, ...byType], fragments };
    return together(left, this.#selectConcretely(typed, want));
  }

  #selectConcretely(selection: Selection, want: Want): Selection | null {
    if (selection.fields.length + selection.fragments.length === 0) return null;
    const concrete = this.#concretePlace();
    return concrete === null ? selection : concrete.select(selection, want.suppliers);
  }

  #selectFields(fields: readonly FieldSelection[], want: Want): Selection | null {
    const others: FieldSelection[] = [];
    for (const field of fields) {
      this.#planning.count();
      if (field.name === "__typename") {
        this.#first.branch.addTypename();
        want.suppliers.add(this.#first.group);
        continue;
      }
      const part = this.#resolvePlainly(this.#first, field.name);
      const rest =
        part === null ? field : selectFrom(this.#planning, this.#path, this.#first, field, part, want);
      if (rest !== null) others.push(rest);
    }
    let left: Selection | null = null;
    for (const field of this.#fewestFirst(others)) left = together(left, this.#selectElsewhere(field, want));
    return left;
  }

  get #isInterfaceObject(): boolean {
    return this.#planning.schema.isInterfaceObject(this.#first.service, this.#first.type);
  }

  /** Fields that one service alone has come first: for the others it may do then. */
  #fewestFirst(fields: readonly FieldSelection[]): readonly FieldSelection[] {
    if (fields.length < 2) return fields;
    const owners = ({ name }: FieldSelection) =>
      this.#entries().filter((entry) => this.#resolveAt(entry, name) !== null).length;
    return fields
      .map((field) => ({ field, count: owners(field) }))
      .sort((a, b) => a.count - b.count)
      .map(({ field }) => field);
  }

  #selectElsewhere(field: FieldSelection, want: Want): Selection | null {
    let rest: FieldSelection | null = field;
    const ask = (view: View, part: FieldPart) => {
      rest = rest === null ? null : selectFrom(this.#planning, this.#path, view, rest, part, want);
      return rest === null;
    };
    const asked = new Set<string>();
    for (const view of this.#joined.values()) {
      if (view.rank >= want.below) continue;
      const part = this.#resolvePlainly(view, field.name);
      if (part === null) continue;
      asked.add(`${view.service} ${view.type}`);
      if (ask(view, part)) return null;
    }
    for (const entry of this.#entries()) {
      if (entry.rank >= want.below || asked.has(`${entry.service} ${entry.type}`)) continue;
      const part = this.#resolveAt(entry, field.name);
      if (part === null) continue;
      const isFirst = entry.service === this.#first.service && entry.type === this.#first.type;
      if (isFirst && part.requires === null) continue;
      if (ask(this.#join(entry, part.requires), part)) return null;
    }
    return this.#isInterfaceObject ? this.#selectConcretely(fieldsOnly(rest), want) : fieldsOnly(rest);
  }

  /** Of objects of several types: alike where that can be, else for each type. */
  #selectByType(selection: Selection, want: Want): Selection | null {
    const { alike, byType, fragments } = apart(selection);
    this.#first.branch.addTypename();
    let left: Selection | null = null;
    for (const field of alike) {
      this.#planning.count();
      if (field.name === "__typename") want.suppliers.add(this.#first.group);
      else left = together(left, this.#selectOfAll(field, want));
    }
    left = together(left, this.#selectOfEach(byType, want));
    for (const fragment of fragments) left = together(left, this.#selectOn(fragment, want));
    return left;
  }

  #selectOn(fragment: TypeSelection, want: Want): Selection | null {
    const { schema } = this.#planning;
    const { service, type } = this.#first;
    let left: Selection | null = null;
    for (const member of schema.membersIn(service, type)) {
      const isOne = schema.isSubtype(member, fragment.type);
      if (!isOne && !schema.isInterfaceObject(service, member)) continue;
      const selection = isOne ? fragment.selection : { fields: [], fragments: [fragment] };
      left = together(left, this.#narrow(member).select(selection, want.suppliers));
    }
    return left;
  }

  #selectOfEach(fields: readonly FieldSelection[], want: Want): Selection | null {
    if (fields.length === 0) return null;
    let left: Selection | null = null;
    for (const member of this.#planning.schema.membersIn(this.#first.service, this.#first.type)) {
      left = together(left, this.#narrow(member).select(fieldsOnly(...fields), want.suppliers));
    }
    return left;
  }

  #selectOfAll(field: FieldSelection, want: Want): Selection | null {
    const { schema } = this.#planning;
    const { service, type, provided } = this.#first;
    let rest: FieldSelection | null = field;
    const part = schema.resolveAlike(service, type, field.name, provided);
    if (part !== null) rest = selectFrom(this.#planning, this.#path, this.#first, field, part, want);
    if (rest === null) return null;
    for (const entry of this.#entries()) {
      // Others may not know each of the types that this service answers with: an interface object has them all.
      if (!schema.isInterfaceObject(entry.service, entry.type) || entry.rank >= want.below) continue;
      const joined = this.#resolveAt(entry, field.name);
      if (joined === null || joined.requires !== null) continue;
      rest = selectFrom(this.#planning, this.#path, this.#join(entry, null), rest, joined, want);
      if (rest === null) return null;
    }
    return this.#selectOfEach([rest], want);
  }

  /** Those of the objects that are of one type. */
  #narrow(member: string): Place {
    const known = this.#narrowed.get(member);
    if (known !== undefined) return known;
    const { branch, provided } = this.#first;
    const first: View = {
      ...this.#first,
      type: member,
      branch: branch.on(member),
      provided: narrowed(provided, member, this.#planning.schema),
      below: new Map(),
    };
    const path = [...this.#path, { TypeCondition: [member] }];
    const place = new Place(this.#planning, path, member, first);
    this.#narrowed.set(member, place);
    return place;
  }

  /** The same objects as a service shows them that knows their types. Null when none does. */
  #concretePlace(): Place | null {
    if (this.#concrete !== undefined) return this.#concrete;
    const { schema } = this.#planning;
    const entry = this.#entries().find((each) => schema.isAbstractIn(each.service, each.type));
    this.#concrete =
      entry === undefined ? null : new Place(this.#planning, this.#path, this.#type, this.#join(entry, null));
    return this.#concrete;
  }

  #entries(): readonly Entry[] {
    this.#found ??= this.#planning.search.entries(this.#type, this.#first);
    return this.#found;
  }

  #resolvePlainly({ service, type, provided }: View, name: string): FieldPart | null {
    return this.#planning.schema.resolveAlike(service, type, name, provided);
  }

  #resolveAt({ service, type }: Entry, name: string): FieldPart | null {
    const { schema } = this.#planning;
    if (schema.isAbstractIn(service, type)) return schema.resolveAlike(service, type, name, []);
    return schema.resolve(service, type, name, []);
  }

  /** Asks a service for the objects. What requires what others have is asked for apart: it waits for them. */
  #join(entry: Entry, requires: FieldSet | null): View {
    const { service, type, key, rank } = entry;
    const id = `${service} ${type} ${requires?.text ?? ""}`;
    const known = this.#joined.get(id);
    if (known !== undefined) return known;
    if (this.#joining.has(id))
      throw new PlanFailure(`the fields of ${type} in ${service} require each other`);
    this.#joining.add(id);
    const after = new Set([this.#first.group]);
    this.#need(key, after, rank);
    if (requires !== null) this.#need(requires, after, Number.POSITIVE_INFINITY);
    this.#first.branch.addTypename();
    const fieldSets = requires === null ? [key] : [key, requires];
    const input = { path: this.#path, type, fieldSets };
    const last = requires === null ? rank : Number.POSITIVE_INFINITY;
    const view = this.#planning.addEntities(service, input, after, last);
    this.#joined.set(id, view);
    this.#joining.delete(id);
    return view;
  }

  #need({ selection, text }: FieldSet, suppliers: Set<FetchGroup>, below: number): void {
    const left = this.select(selection, suppliers, below);
    if (left !== null) throw new PlanFailure(`nobody has what is needed of ${this.#type}: ${text}`);
  }
}

/** Takes a field from one service; returns what of it is still wanted, or null. */
export function selectFrom(
  planning: Planning,
  path: Path,
  view: View,
  field: FieldSelection,
  part: FieldPart,
  { suppliers }: Pick<Want, "suppliers">,
): FieldSelection | null {
  suppliers.add(view.group);
  const known = view.branch.fields.get(field.key);
  if (field.below === null) {
    if (known === undefined) view.branch.fields.set(field.key, branchField(field, part.type, null));
    return null;
  }
  const place = placeBelow(planning, path, view, field, part);
  const left = place.select(field.below, suppliers);
  if (known === undefined && !place.branch.isEmpty) {
    view.branch.fields.set(field.key, branchField(field, part.type, place.branch));
  }
  return left === null ? null : { ...field, below: left };
}

function placeBelow(
  planning: Planning,
  path: Path,
  view: View,
  { key, name }: FieldSelection,
  part: FieldPart,
): Place {
  const known = view.below.get(key);
  if (known !== undefined) return known;
  const { group, service, type, provided } = view;
  const lists = Array.from({ length: part.type.lists }, () => "@" as const);
  const first: View = {
    group,
    branch: new Branch(part.type.name),
    service,
    type: part.type.name,
    provided: planning.schema.providedBelow(service, type, name, provided, part),
    rank: 0,
    below: new Map(),
  };
  const place = new Place(planning, [...path, { Field: key }, ...lists], part.type.name, first);
  view.below.set(key, place);
  return place;
}
