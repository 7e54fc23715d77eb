import type { CborKey, CborValue } from "@catalyst/wire";
import { isInteger, malformed } from "./cbor.ts";
import { encodeMembers, expectMembers } from "./name-list.ts";

export const refreshType = 3;

/** Asks for all routes once more, spec/peering.md §2.3; numbers ascend from 1 in a session. */
export type Refresh = { readonly kind: "refresh"; readonly number: number };

export function encodeRefresh({ number }: Omit<Refresh, "kind">): Uint8Array {
  return encodeMembers([0, refreshType], [1, number]);
}

export function decodeRefresh(members: ReadonlyMap<CborKey, CborValue>): Refresh {
  expectMembers(members, 1);
  const number = members.get(1);
  if (isInteger(number, 1, Number.MAX_SAFE_INTEGER)) return { kind: "refresh", number };
  return malformed("message_malformed", "a REFRESH has no number");
}
