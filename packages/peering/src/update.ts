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

export type Announced = OriginNames & {
  /** They are read later, on their own: a fault in them costs these routes and not the session. */
  readonly attributes: Uint8Array;
  /** Whether the services work. It comes with the routes, so that nobody prefers what does not for a moment. */
  readonly healthy: boolean;
};

export function encodeUpdate({ withdrawn, announced }: Omit<Update, "kind">): Uint8Array {
  return encodeMembers(
    [0, updateType],
    ...(withdrawn.length > 0 ? [[1, writeOriginNames(withdrawn)] as const] : []),
    ...(announced ? [[2, [announced.origin, announced.attributes, announced.services]] as const] : []),
    ...(announced?.healthy === false ? [[3, true] as const] : []),
  );
}

export function decodeUpdate(members: ReadonlyMap<CborKey, CborValue>): Update {
  expectMembers(members, 3);
  const withdrawn = readOriginNames(members.get(1));
  const announced = members.has(2) ? readAnnounced(members.get(2), !members.has(3)) : null;
  if (members.has(3) && (members.get(3) !== true || announced === null)) {
    return malformed("message_malformed", "that routes do not work is said of none");
  }
  return { kind: "update", withdrawn, announced };
}

function readAnnounced(value: CborValue | undefined, healthy: boolean): Announced {
  const [origin, attributes, names] = readArray(value, 3);
  const node = readName(origin);
  if (!(attributes instanceof Uint8Array)) {
    return malformed("message_malformed", "attributes are no byte string");
  }
  return { origin: node, attributes, services: readNames(names), healthy };
}
