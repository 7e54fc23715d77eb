import type { CborKey, CborValue } from "@catalyst/wire";
import { isInteger, malformed } from "./cbor.ts";
import { encodeMembers, expectMembers } from "./name-list.ts";

export const endOfRibType = 2;

/** All routes were told, spec/peering.md §2.2: after the session began (0), or in answer to a REFRESH (its number). */
export type EndOfRib = { readonly kind: "end-of-rib"; readonly refresh: number };

export function encodeEndOfRib({ refresh }: Omit<EndOfRib, "kind">): Uint8Array {
  return encodeMembers([0, endOfRibType], [1, refresh]);
}

export function decodeEndOfRib(members: ReadonlyMap<CborKey, CborValue>): EndOfRib {
  expectMembers(members, 1);
  const refresh = members.get(1);
  if (isInteger(refresh, 0, Number.MAX_SAFE_INTEGER)) return { kind: "end-of-rib", refresh };
  return malformed("message_malformed", "an END_OF_RIB has no number");
}
