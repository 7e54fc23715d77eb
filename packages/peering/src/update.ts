import type { CborKey, CborValue } from "@catalyst/wire";
import { malformed } from "./cbor.ts";
import {
  encodeMembers,
  expectMembers,
  type OriginNames,
  readArray,
  readName,
  readNames,
  readOriginNames,
  writeOriginNames,
} from "./name-list.ts";

export const updateType = 1;

/** Routes that are gone, and routes of one origin that share attributes, spec/peering.md §2.1. */
export type Update = {
  readonly kind: "update";
  readonly withdrawn: readonly OriginNames[];
  readonly announced: Announced | null;
};

/** The attributes are read later, on their own: a fault in them costs these routes and not the session. */
export type Announced = OriginNames & { readonly attributes: Uint8Array };

export function encodeUpdate({ withdrawn, announced }: Omit<Update, "kind">): Uint8Array {
  return encodeMembers(
    [0, updateType],
    ...(withdrawn.length > 0 ? [[1, writeOriginNames(withdrawn)] as const] : []),
    ...(announced ? [[2, [announced.origin, announced.attributes, announced.services]] as const] : []),
  );
}

export function decodeUpdate(members: ReadonlyMap<CborKey, CborValue>): Update {
  expectMembers(members, 2);
  const withdrawn = readOriginNames(members.get(1));
  const announced = members.has(2) ? readAnnounced(members.get(2)) : null;
  return { kind: "update", withdrawn, announced };
}

function readAnnounced(value: CborValue | undefined): Announced {
  const [origin, attributes, names] = readArray(value, 3);
  const node = readName(origin);
  if (!(attributes instanceof Uint8Array)) {
    return malformed("message_malformed", "attributes are no byte string");
  }
  return { origin: node, attributes, services: readNames(names) };
}
