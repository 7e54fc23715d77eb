import { createHash } from "node:crypto";
import { type CborInput, encodeCbor } from "@catalyst/wire";
import { toHex } from "../../../packages/wire/test/hex.ts";

/** Members of a message by key; one that is undefined is left out. */
export type Members = Readonly<Record<number, CborInput | undefined>>;

/** Bytes that everybody can make: SHA-256 of a word, or its beginning. */
export function bytesOf(word: string, length = 32): Uint8Array {
  return new Uint8Array(createHash("sha256").update(word).digest().subarray(0, length));
}

export function mapOf(members: Members): ReadonlyMap<number, CborInput> {
  return new Map(
    Object.entries(members).flatMap(([key, value]) => (value === undefined ? [] : [[Number(key), value]])),
  );
}

/** The payload of a frame, in hexadecimal. */
export function hexOf(members: Members): string {
  return toHex(encodeCbor(mapOf(members)));
}

export function offerOf(name: string, versions: readonly number[], more: Members = {}): CborInput {
  return mapOf({ 1: name, 2: versions, 3: 1_024, 4: 4_194_304, ...more });
}

/** The members of an OPEN of a node that is made of its label. */
export function openOf(label: string, changed: Members = {}): Members {
  return {
    0: 1,
    1: [1],
    2: `${label}.acme.catalyst.internal`,
    3: "acme.catalyst.internal",
    4: bytesOf(`key of ${label}`),
    5: bytesOf(`incarnation of ${label}`, 16),
    6: bytesOf(`nonce of ${label}`),
    7: "control",
    8: 15_000,
    9: 1_048_576,
    10: [offerOf("cp", [1])],
    11: ["graceful-restart"],
    12: 1_800_000_000_000,
    ...changed,
  };
}
