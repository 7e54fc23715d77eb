import { createHash } from "node:crypto";
import { bytesOf, type Field, type MapOf, mapOf } from "./field.ts";

const acceptMembers = { transcript: { key: 1, field: bytesOf(32) } } as const;

/** Says that both OPENs were read and agreed with, spec/session.md §4.2. */
export type Accept = MapOf<typeof acceptMembers>;

export const acceptField: Field<Accept> = mapOf(acceptMembers, { reserved: [0] });

/** The digest of both OPENs, each as the payload of its frame: SHA-256 of SHA-256 of the dialler's ‖ of the listener's. */
export function transcriptOf(dialler: Uint8Array, listener: Uint8Array): Uint8Array {
  const digest = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest();
  return new Uint8Array(digest(Buffer.concat([digest(dialler), digest(listener)])));
}
