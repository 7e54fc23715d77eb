import type { Source } from "./fault.ts";
import { itemKey, itemName, type Raw } from "./raw.ts";
import type { ConfigNode, SectionNode } from "./tree.ts";

/** What stands at a path of the checked value, and where it came from. */
export type Place = {
  readonly key: string;
  /** The option; the one around it when the path leads into a free value. */
  readonly node: ConfigNode;
  /** False when the path leads into a value that is one option as a whole. */
  readonly exact: boolean;
  readonly raw: Raw | undefined;
  /** The closest place that somebody wrote; `default` when nobody did. */
  readonly source: Source;
  readonly secret: boolean;
  /** True when a fault about this value, or about one that it is part of, is reported already. */
  readonly refused: boolean;
};

/** Follows a path through the merged layers. */
export function locate(root: SectionNode, merged: Raw, path: readonly PropertyKey[]): Place {
  let place: Place = {
    key: "",
    node: root,
    exact: true,
    raw: merged,
    source: { kind: "default" },
    secret: false,
    refused: false,
  };
  for (const step of path) place = { ...place, ...stepInto(place, step) };
  return { ...place, source: place.raw === undefined ? place.source : firstSource(place.raw) };
}

/** What the merged layers hold at a path. */
export function rawAt(merged: Raw, path: readonly PropertyKey[]): Raw | undefined {
  return path.reduce<Raw | undefined>(childOf, merged);
}

function stepInto(place: Place, step: PropertyKey): Partial<Place> {
  const { node } = place;
  const raw = childOf(place.raw, step);
  const child = place.exact ? childNode(node, step) : undefined;
  return {
    key: childKey(place, raw, step),
    node: child ?? node,
    exact: child !== undefined,
    raw,
    source: raw?.source ?? absentSource(place),
    secret: place.secret || child?.secret === true,
    refused: place.refused || raw?.kind === "refused",
  };
}

/** What is absent in a written item or value is missing there; what is absent in a section was never written. */
function absentSource(place: Place): Source {
  const inSection = place.exact && place.node.kind === "section" && !place.node.key.includes("[]");
  return inSection || place.raw === undefined ? { kind: "default" } : place.raw.source;
}

function childOf(raw: Raw | undefined, step: PropertyKey): Raw | undefined {
  if (raw?.kind === "object") return raw.fields.get(String(step));
  return raw?.kind === "list" ? raw.items[Number(step)] : undefined;
}

function childNode(node: ConfigNode, step: PropertyKey): ConfigNode | undefined {
  if (node.kind === "section") return node.fields.get(String(step));
  return node.kind === "keyed" ? node.item : undefined;
}

function childKey(place: Place, raw: Raw | undefined, step: PropertyKey): string {
  if (typeof step === "number") {
    const name = place.exact && place.node.kind === "keyed" && raw ? itemName(place.node, raw) : undefined;
    return name === undefined ? `${place.key}[${raw?.position ?? step}]` : itemKey(place.key, name);
  }
  return place.key === "" ? String(step) : `${place.key}.${String(step)}`;
}

/** The source of a value, or for an object that nobody wrote as one, of the first thing in it that somebody did. */
function firstSource(raw: Raw): Source {
  if (raw.source.kind !== "default" || raw.kind !== "object") return raw.source;
  for (const field of raw.fields.values()) {
    const source = firstSource(field);
    if (source.kind !== "default") return source;
  }
  return raw.source;
}
