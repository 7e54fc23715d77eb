import type { FieldPart } from "./federated-schema.ts";
import type { View } from "./fetch-group.ts";
import { type FieldSelection, fieldsOnly, type Selection, together } from "./field-selection.ts";
import { selectFrom } from "./place.ts";
import type { Planning } from "./planning.ts";

type RootKind = "query" | "mutation" | "subscription";
type Owner = { readonly service: string; readonly part: FieldPart };

/** Plans the fields of a root; returns what nobody can be asked for, or null. */
export function selectFromRoots(planning: Planning, kind: RootKind, selection: Selection): Selection | null {
  const type = planning.schema.rootOf(kind);
  const owned = selection.fields.map((field) => ({ field, owners: ownersOf(planning, type, field) }));
  // What one service alone has comes first: for the rest it may do then.
  if (kind === "query") owned.sort((a, b) => Math.min(a.owners.length, 2) - Math.min(b.owners.length, 2));
  const views = new Map<string, View>();
  let left: Selection | null = null;
  for (const { field, owners } of owned) {
    let rest: FieldSelection | null = field;
    // Of what changes something, or is subscribed to, one service alone is asked.
    for (const { service, part } of kind === "query" ? preferred(owners, views) : owners.slice(0, 1)) {
      const view: View = views.get(service) ?? planning.addRoot(service, type);
      // Of mutations those alone go together that stand together.
      if (kind === "mutation" && !views.has(service)) views.clear();
      views.set(service, view);
      if (rest !== null) rest = selectFrom(planning, [], view, rest, part, { suppliers: new Set() });
      if (rest === null) break;
    }
    if (rest !== null) left = together(left, fieldsOnly(rest));
  }
  return left;
}

function ownersOf(planning: Planning, type: string, { name }: FieldSelection): Owner[] {
  const { schema } = planning;
  return [...(schema.type(type)?.parts.keys() ?? [])].flatMap((service) => {
    const part = schema.resolve(service, type, name, []);
    return part === null ? [] : [{ service, part }];
  });
}

/** Services that are asked anyway come first. */
function preferred(owners: readonly Owner[], views: ReadonlyMap<string, View>): readonly Owner[] {
  if (owners.length < 2) return owners;
  const rank = ({ service }: Owner) => (views.has(service) ? 0 : 1);
  return [...owners].sort((a, b) => rank(a) - rank(b));
}
