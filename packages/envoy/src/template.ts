import { createResource, type Resource } from "@catalyst/xds";

/** Makes a resource of its own name and of the name within it, which is in UTF-8 and has the template's length. */
export type Template = (resource: string, name: Uint8Array) => Resource;

/**
 * Encodes once what `make` makes of all names of one length, in bytes: only the name is another one, wherever it stands. Where
 * that is, two of them show that have no letter in common.
 */
export function templateOf(length: number, make: (name: string) => Resource): Template {
  const like = make("a".repeat(length));
  const places = differences(like.body, make("b".repeat(length)).body, length);
  return (resource, name) => {
    const body = like.body.slice();
    for (const at of places) body.set(name, at);
    return { ...like, ...createResource(like.type, resource, body) };
  };
}

/** Where stretches of `length` begin in which two bodies differ. */
function differences(one: Uint8Array, other: Uint8Array, length: number): readonly number[] {
  const places: number[] = [];
  for (let at = 0; at < one.length; ) {
    if (one[at] === other[at]) at += 1;
    else {
      places.push(at);
      at += length;
    }
  }
  return places;
}
