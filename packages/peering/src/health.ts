import type { CborKey, CborValue } from "@catalyst/wire";
import {
  encodeMembers,
  expectMembers,
  type OriginNames,
  readOriginNames,
  writeOriginNames,
} from "./name-list.ts";

export const healthType = 4;

/** Which of the routes that were announced work, and which do not, spec/peering.md §2.4. */
export type Health = {
  readonly kind: "health";
  readonly unhealthy: readonly OriginNames[];
  readonly healthy: readonly OriginNames[];
};

export function encodeHealth({ unhealthy, healthy }: Omit<Health, "kind">): Uint8Array {
  return encodeMembers(
    [0, healthType],
    ...(unhealthy.length > 0 ? [[1, writeOriginNames(unhealthy)] as const] : []),
    ...(healthy.length > 0 ? [[2, writeOriginNames(healthy)] as const] : []),
  );
}

export function decodeHealth(members: ReadonlyMap<CborKey, CborValue>): Health {
  expectMembers(members, 2);
  return {
    kind: "health",
    unhealthy: readOriginNames(members.get(1)),
    healthy: readOriginNames(members.get(2)),
  };
}
