import { type DataObject, isObject } from "./data.ts";
import type { Rewrite, RewriteSegment } from "./plan.ts";
import type { TypeMembership } from "./type-membership.ts";

/** Changes what a service answered, or what it is asked with, in place, as the plan says. */
export function applyRewrites(data: unknown, rewrites: readonly Rewrite[], types: TypeMembership): void {
  for (const { path, change } of rewrites) applyAt(data, path, change, types);
}

function applyAt(
  value: unknown,
  path: readonly RewriteSegment[],
  change: Rewrite["change"],
  types: TypeMembership,
): void {
  if (Array.isArray(value)) {
    for (const element of value) applyAt(element, path, change, types);
    return;
  }
  const [segment, ...rest] = path;
  if (segment === undefined || !isObject(value)) return;
  if (segment.kind === "types") {
    const name = value["__typename"];
    if (typeof name !== "string" || types.isOneOf(name, segment.names)) applyAt(value, rest, change, types);
  } else if (rest.length > 0) {
    applyAt(value[segment.key], rest, change, types);
  } else if (Object.hasOwn(value, segment.key)) {
    changeKey(value, segment.key, change);
  }
}

function changeKey(holder: DataObject, key: string, change: Rewrite["change"]): void {
  if (change.kind === "set") {
    holder[key] = change.value;
  } else {
    holder[change.to] = holder[key];
    delete holder[key];
  }
}
